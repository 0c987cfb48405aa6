"""The calls that a Keras model consists of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import attrs
import keras
from keras import KerasTensor

from archlang.conversion.data import Unsupported
from archlang_tensorflow.capture.known import Known


class Unfollowed(Unsupported):
    """A call that does what symbolic tensors cannot."""


@attrs.frozen(eq=False)
class Followed:
    """The calls between symbolic tensors, in an order in which they can be done.

    `inputs` and `outputs` are nested as the call has them; `known` has what is known of tensors that
    are neither inputs nor results, by their ids.
    """

    inputs: Any
    outputs: Any
    nodes: tuple[Any, ...]
    known: Mapping[int, tuple[KerasTensor, Known]] = attrs.field(factory=dict)


def functional(model: Any) -> Followed | None:
    """The calls of a model that keeps them: a functional one, or a sequential one that has its inputs."""
    kind = type(model)
    if isinstance(model, keras.Sequential):
        kept = getattr(model, "_functional", None) if kind.call is keras.Sequential.call else None
    else:
        kept = model if isinstance(model, keras.Model) and hasattr(model, "_outputs_struct") else None
        kept = kept if kept is not None and "call" not in _own(kind) else None
    if kept is None:
        return None
    return Followed(kept._inputs_struct, kept._outputs_struct, _nodes(kept._outputs_struct, kept._inputs_struct))


def _own(kind: type) -> set[str]:
    """What a class and those it is made of define beside Keras's own."""
    return {name for base in kind.__mro__ if not base.__module__.startswith("keras.") for name in vars(base)}


def opened(layer: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Followed:
    """The calls within a call of a layer, whose tensors are given as symbolic ones; Unfollowed when it
    does what these cannot. The layer stays as it was."""
    kwargs = {name: value for name, value in kwargs.items() if name not in ("training", "mask") or value is not None}
    if getattr(layer, "_call_has_training_arg", False):
        kwargs["training"] = False
    known: dict[int, tuple[KerasTensor, Known]] = {}
    with _unchanged(layer), _symbolic_variables(layer, known), _symbolic_tables(known):
        try:
            outputs = layer.call(*args, **kwargs)
        except Exception as failure:
            first = f"{type(failure).__name__}: {str(failure).strip().partition(chr(10))[0]}"
            raise Unfollowed(f"a call of {type(layer).__name__} that cannot be followed ({first})") from failure
        return Followed((args, kwargs), outputs, _nodes(outputs, (args, kwargs)), known)


def _nodes(outputs: Any, inputs: Any) -> tuple[Any, ...]:
    """The calls that results need, each after those that it needs, first those of its first argument."""
    given = {id(x) for x in keras.tree.flatten(inputs)}
    found: dict[int, Any] = {}
    pending = [x for x in reversed(keras.tree.flatten(outputs)) if isinstance(x, KerasTensor)]
    while pending:
        tensor = pending[-1]
        node = None if id(tensor) in given else _made(tensor)
        if node is None or id(node) in found:
            pending.pop()
            continue
        waiting = [x for x in node.input_tensors if id(x) not in given and _open(_made(x), found)]
        if waiting:
            pending += reversed(waiting)
        else:
            found[id(node)] = node
            pending.pop()
    return tuple(found.values())


def _made(tensor: KerasTensor) -> Any:
    """The call that made a symbolic tensor, if one did."""
    history = getattr(tensor, "_keras_history", None)
    if history is None or history.operation is None:
        return None
    node = history.operation._inbound_nodes[history.node_index]
    return None if node.is_input else node


def _open(node: Any, found: Mapping[int, Any]) -> bool:
    return node is not None and id(node) not in found


@contextmanager
def _unchanged(layer: Any) -> Iterator[None]:
    """Without the calls that are recorded on layers, in the end."""
    inner = layer._flatten_layers()
    counts = [(part, len(part._inbound_nodes), len(part._outbound_nodes)) for part in inner]
    try:
        yield
    finally:
        for part, inbound, outbound in counts:
            del part._inbound_nodes[inbound:]
            del part._outbound_nodes[outbound:]


@contextmanager
def _symbolic_variables(layer: Any, known: dict[int, tuple[KerasTensor, Known]]) -> Iterator[None]:
    """The variables of a layer as symbolic tensors, so that what is done with them is seen."""
    own = {name: found for name, found in vars(layer).items() if isinstance(found, keras.Variable)}
    for name, variable in own.items():
        tensor = KerasTensor(variable.shape, variable.dtype, name=name)
        known[id(tensor)] = tensor, Known.variable(variable)
        vars(layer)[name] = tensor
    try:
        yield
    finally:
        vars(layer).update(own)


@contextmanager
def _symbolic_tables(known: dict[int, tuple[KerasTensor, Known]]) -> Iterator[None]:
    """Embeddings of numbers that no input decides, such as positions, are seen too."""
    kind = keras.layers.Embedding
    plain = kind.__call__

    def call(layer: Any, tokens: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(tokens, KerasTensor):
            constant = Known.constant(tokens)
            tokens = KerasTensor(constant.shape, str(constant.array.dtype))
            known[id(tokens)] = tokens, constant
        return plain(layer, tokens, *args, **kwargs)

    kind.__call__ = call
    try:
        yield
    finally:
        del kind.__call__
