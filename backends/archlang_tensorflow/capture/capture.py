"""From a Keras model to its graph."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
import keras
import numpy as np
from keras import KerasTensor

import archlang_tensorflow.capture.rules  # noqa: F401  # registers them
from archlang.conversion.builder import GraphBuilder
from archlang.conversion.captured import Captured
from archlang.conversion.data import Data, Unsupported
from archlang.diagnostics import ArchError, error
from archlang_tensorflow.building import DTYPES
from archlang_tensorflow.capture.calling import called, result_names
from archlang_tensorflow.capture.following import Followed, Unfollowed, functional, opened
from archlang_tensorflow.capture.hierarchy import Hierarchy
from archlang_tensorflow.capture.known import Array, Known
from archlang_tensorflow.capture.lowerer import OPERATIONS, Lowerer, is_variable, rule_of
from archlang_tensorflow.capture.opaque import NAMES, Opaques, trained
from archlang_tensorflow.capture.scope import Scope
from archlang_tensorflow.externs import arguments

_BATCH = 2  # the samples that a model is followed with: one would hide which sizes are the batch

# What only moves elements, so that which element of a variable each is can be followed.
_MOVES = frozenset(
    [
        "Reshape",
        "Ravel",
        "Transpose",
        "Swapaxes",
        "Moveaxis",
        "ExpandDims",
        "Squeeze",
        "GetItem",
        "BroadcastTo",
        "Identity",
        "Flip",
        "Roll",
        "Repeat",
        "Tile",
        "Take",
    ]
)

_PATTERNS = frozenset(["Matmul", "Multiply", "Divide", "TrueDivide"])  # what attention is written with


def capture(model: Any, inputs: Sequence[Array], name: str, told: Callable[[str], None] | None = None) -> Captured:
    """The model in evaluation mode as a graph, for inputs like these (the first dimension is the batch).

    ArchError: E0810 when it does not take them or cannot be followed, E0811 for what has no op.
    """
    told = told or (lambda step: None)
    told("following the calls")
    half = next((part for part in model._flatten_layers() if part.compute_dtype in ("float16", "bfloat16")), None)
    if half is not None:
        raise ArchError(error("E0811", f"`{half.name}` holds numbers in half precision"))
    samples = [np.repeat(x[:1], _BATCH, axis=0) for x in inputs]
    called(model, samples)
    told("writing them as ops")
    return _Capture(model, samples, name, told).run()


class _Capture:
    def __init__(self, model: Any, inputs: Sequence[Array], name: str, told: Callable[[str], None]):
        self._model = model
        self._inputs = inputs
        self._told = told
        self._lowerer = Lowerer(GraphBuilder(name), _BATCH)
        self._hierarchy = Hierarchy(name)
        self._opaques = Opaques()

    def run(self) -> Captured:
        builder = self._lowerer.builder
        followed = functional(self._model)
        names = _input_names(self._model, followed, len(self._inputs))
        given = [
            self._lowerer.data(builder.input(name, NAMES[str(x.dtype)], x.shape[1:]))
            for name, x in zip(names, self._inputs, strict=True)
        ]
        args = arguments(self._model, given)
        rule = rule_of(self._model)
        try:
            found = rule(self._lowerer, self._model, *args) if rule else self._within(self._model, args, {}, followed)
        except Unfollowed as refusal:
            raise ArchError(error("E0810", f"the model's calls cannot be followed: it holds {refusal}")) from refusal
        except Unsupported as refusal:
            raise ArchError(error("E0811", f"`{self._model.name}` holds {refusal}")) from refusal
        results = self._results(found)
        self._note_unused()
        own = [name for name, _ in results] if len(results) > 1 else [""]
        captured = builder.captured([(name, value) for name, (_, value) in zip(own, results, strict=True)])
        used = {opaque.name for opaque in captured.opaque}
        modules = {name: layer for name, layer in self._opaques.layers.items() if name in used}
        return attrs.evolve(captured, outputs=tuple([name for name, _ in results]), modules=modules)

    def _results(self, found: Any) -> list[tuple[str, int]]:
        """The names of the results and their values."""
        flat = keras.tree.flatten(found)
        results = []
        self._lowerer.at = self._lowerer.around = ()
        for name, value in zip(result_names(self._model, found), flat, strict=True):
            if isinstance(value, Known):
                self._lowerer.builder.notes.append(f"the result `{name}` is always the same, and left out")
            if isinstance(value, Data):
                try:
                    results.append((name, self._lowerer.plain(value)))
                except Unsupported as refusal:
                    raise ArchError(error("E0811", f"the result `{name}` is {refusal}")) from refusal
        if not results:
            raise ArchError(error("E0811", "the model gives no tensor that its inputs decide"))
        return results

    def _note_unused(self) -> None:
        """Variables that no call uses are in no op."""
        kept = {id(v) for layer in self._opaques.layers.values() for v in trained(layer)}
        used = self._lowerer.used | kept
        unused = [variable.path for variable in trained(self._model) if id(variable) not in used]
        if unused:
            more = f" and {len(unused) - 3} others" if len(unused) > 3 else ""
            named = ", ".join(f"`{name}`" for name in unused[:3])
            self._lowerer.builder.notes.append(f"the model has parameters that it does not use: {named}{more}")

    # -------------------------------------------------------------- calls

    def _within(self, layer: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], followed: Followed | None) -> Any:
        """What the calls within a call of a model or layer give."""
        if followed is not None:
            return self._replayed(followed, dict(zip(_ids(followed.inputs), keras.tree.flatten(args), strict=True)))
        lo = self._lowerer
        given: dict[int, Any] = {}
        tensors: list[KerasTensor] = []  # kept, for their ids

        def stand_in(x: Any) -> Any:
            if isinstance(x, Known) and x.source is None:
                return keras.ops.convert_to_tensor(x.array)
            if not isinstance(x, Data | Known):
                return x
            dtype = DTYPES[lo.builder.type(x.value).dtype] if isinstance(x, Data) else str(x.array.dtype)
            tensors.append(KerasTensor(x.shape, dtype))
            given[id(tensors[-1])] = x
            return tensors[-1]

        stood = keras.tree.map_structure(stand_in, (list(args), dict(kwargs)))
        followed = opened(layer, tuple(stood[0]), stood[1])
        return self._replayed(followed, given)

    def _replayed(self, followed: Followed, values: dict[int, Any]) -> Any:
        values |= {key: known for key, (_, known) in followed.known.items()}
        scope = Scope(followed.nodes)
        around = self._lowerer.at

        def filled(x: Any) -> Any:
            if isinstance(x, KerasTensor):
                return values[id(x)]
            if is_variable(x):
                return Known.variable(x)
            return Known.constant(x) if keras.ops.is_tensor(x) or isinstance(x, np.ndarray) else x

        before = self._lowerer.at, self._lowerer.around
        try:
            for node in followed.nodes:
                args, kwargs = keras.tree.map_structure(filled, (node.arguments.args, node.arguments.kwargs))
                self._lowerer.at = self._lowerer.around = self._hierarchy.frames(around, scope, node)
                if isinstance(node.operation, keras.Layer):
                    library = type(node.operation).__module__.startswith("keras.src.layers")
                    self._lowerer.around = self._lowerer.at[:-1] if library else self._lowerer.at
                    found = self._layer(node.operation, tuple(args), kwargs)
                else:
                    found = self._operation(node.operation, tuple(args), kwargs)
                results = keras.tree.flatten(found)
                for tensor, result in zip(node.outputs, results, strict=True):
                    values[id(tensor)] = result
        finally:
            self._lowerer.at, self._lowerer.around = before
        return keras.tree.map_structure(filled, followed.outputs)

    def _layer(self, layer: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        args, given = _evaluating(layer, args, kwargs)
        place = self._lowerer.at, self._lowerer.around
        flat = keras.tree.flatten(list(args))
        if not any(isinstance(x, Data) for x in flat) and not isinstance(layer, keras.layers.Embedding):
            return _computed(layer, "", args, given)
        rule = rule_of(layer)
        reason = None
        if rule is not None:
            try:
                _check(rule, layer, args, given)
                return rule(self._lowerer, layer, *args, **given)
            except (Unsupported, ArchError) as refusal:
                reason = _reason(refusal)
            finally:
                self._lowerer.at, self._lowerer.around = place
        try:
            return self._within(layer, args, given, functional(layer))
        except (Unsupported, ArchError) as refusal:
            reason = reason or _reason(refusal)
        finally:
            self._lowerer.at, self._lowerer.around = place
        try:
            made = self._opaques.apply(self._lowerer, layer, args, given, reason)
        except Unsupported as refusal:
            raise Unsupported(f"`{layer.name}` with {reason}, and {refusal}") from None
        self._told(f"keeping the layer {layer.name}, which holds {reason}")
        return made

    def _operation(self, operation: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        name = type(operation).__name__
        flat = keras.tree.flatten((list(args), dict(kwargs)))
        if not any(isinstance(x, Data) for x in flat):
            return _computed(operation, name, args, kwargs)
        rule = OPERATIONS.get(name)
        if rule is None:
            raise Unsupported(f"`{operation.name}`, for which there is no op")
        if not _takes(rule, operation, args, kwargs):
            raise Unsupported(f"`{operation.name}` with other arguments than usual")
        try:
            found = rule(self._lowerer, operation, *args, **kwargs)
            return attrs.evolve(found, made=(name, args)) if isinstance(found, Data) and name in _PATTERNS else found
        except ArchError as refusal:
            raise Unsupported(refusal.diagnostics[0].message) from refusal


def _reason(refusal: Exception) -> str:
    return refusal.diagnostics[0].message if isinstance(refusal, ArchError) else str(refusal)


def _evaluating(layer: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a call that tell something: what it works on first, and without the mode."""
    given = {name: value for name, value in kwargs.items() if value is not None and name != "training"}
    first = next(iter(inspect.signature(layer.call).parameters), "")
    return (args, given) if args or first not in given else ((given.pop(first),), given)


def _check(rule: Callable[..., Any], layer: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Unsupported for arguments that a rule of a layer does not know."""
    constant = any(isinstance(x, Known) for x in keras.tree.flatten(list(args)))
    if not _takes(rule, layer, args, kwargs) or (constant and not isinstance(layer, keras.layers.Embedding)):
        raise Unsupported("a call with other arguments than usual")


def _takes(rule: Callable[..., Any], of: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    try:
        inspect.signature(rule).bind(None, of, *args, **kwargs)
    except TypeError:
        return False
    return True


def _computed(operation: Any, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """An operation or layer that no input decides, done."""
    known = [x for x in keras.tree.flatten((list(args), dict(kwargs))) if isinstance(x, Known)]
    sources = [x for x in known if x.source is not None]

    def call(first: Array | None) -> Any:
        def plain(x: Any) -> Any:
            if not isinstance(x, Known):
                return x
            return keras.ops.convert_to_tensor(first if sources and x is sources[0] and first is not None else x.array)

        given = keras.tree.map_structure(plain, (list(args), dict(kwargs)))
        return operation.call(*given[0], **given[1])

    found = call(None)
    moves = sources[0].moves if len(sources) == 1 else None
    if moves is not None and name in _MOVES and keras.ops.is_tensor(found):
        move = lambda a: np.asarray(keras.ops.convert_to_numpy(call(a)))  # noqa: E731
        return Known(np.asarray(found), sources[0].source, (*moves, (object(), move)))
    source = sources[0].source if sources else None
    return keras.tree.map_structure(lambda t: Known(np.asarray(keras.ops.convert_to_numpy(t)), source), found)


def _ids(inputs: Any) -> list[int]:
    return [id(x) for x in keras.tree.flatten(inputs)]


def _input_names(model: Any, followed: Followed | None, count: int) -> list[str]:
    """What the inputs are called: as a functional model names them, or as `call` does."""
    if followed is None:
        found = [name for name in inspect.signature(model.call).parameters if name not in ("training", "mask")][:count]
    else:
        found = [x.name for x in keras.tree.flatten(followed.inputs)]
    found += ["x"] * (count - len(found))
    return ["x" if re.fullmatch(r"(input_layer|keras_tensor|input|inputs)(_?\d+)?", name) else name for name in found]
