"""Calls of a shared block, evaluated once for equal inputs when all alternatives are kept.

Such calls make the same decisions and differ only in their inputs and in the addresses of their
nodes. The first call with inputs of certain types is evaluated on placeholders; this and every
later one is a copy of the result, with the inputs and addresses put in.
"""

from __future__ import annotations

from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

import attrs

from archlang.diagnostics import Span
from archlang.semantics import application
from archlang.semantics.fault import FaultSignal
from archlang.semantics.patterns import is_plain_shape
from archlang.semantics.values import (
    BlockValue,
    Deferred,
    Frame,
    InputNode,
    List,
    OpNode,
    SelectNode,
    SharedValue,
    Site,
    Tensor,
    Thunk,
    Value,
)

if TYPE_CHECKING:
    from archlang.semantics.evaluator import Evaluator

_PLACE = "\0"  # stands for the path of a call in the addresses of a template
_numbers = count(1)


@attrs.frozen(eq=False)
class _Template:
    """A call on placeholders. Among the needs, negative numbers are those of the inputs."""

    function: SharedValue  # kept, for its identity is a key
    inputs: dict[int, int]  # the placeholders' nodes, by id, to the input's position
    keep: tuple[Tensor, ...]
    result: Tensor
    needs: dict[int, Value]
    numbers: tuple[int, ...]
    blocks: dict[str, str]


def shared_call(
    ev: Evaluator, function: SharedValue, inputs: list[Value], site: Site, span: Span, frame: Frame
) -> Value:
    """The value of a shared block applied at a site (whose decisions are the shared ones)."""
    spread, parts = _parts(ev, inputs)
    tensors = [_peek(ev, part) for part in parts]
    if any(tensor is None for tensor in tensors):
        return application.apply(ev, function.function, inputs, site, span, frame)
    # What is being applied already decides where a `limit` ends.
    key = _identity(ev, function), frame.open_calls, spread, tuple((t.dtype, t.shape) for t in tensors)
    if key not in ev.templates:
        ev.templates[key] = _template(ev, function, spread, tensors, site, span, frame)
    template = ev.templates[key]
    if template is None:
        return application.apply(ev, function.function, inputs, site, span, frame)
    return _copy(ev, template, parts, site)


def _identity(ev: Evaluator, function: SharedValue) -> Any:
    """What tells shared blocks apart: the block with its plain configuration, else the object."""
    block = function.function
    if type(block) is not BlockValue:
        return id(function)
    config = []
    for name, given in (block.config or {}).items():
        value = _peek(ev, given, object)
        if type(value) not in (int, float, bool, str) or (isinstance(given, Thunk) and given.needs is not None):
            return id(function)
        config.append((name, type(value), value))
    return id(block.declaration), function.site, function.tied, tuple(config)


def _parts(ev: Evaluator, inputs: list[Value]) -> tuple[bool, list[Value]]:
    """The inputs one by one, also where they come as one tuple."""
    if len(inputs) == 1:
        whole = _peek(ev, inputs[0], List)
        if whole is not None:
            return True, list(whole.items)
    return False, inputs


def _peek(ev: Evaluator, value: Value, kind: type = Tensor) -> Any:
    """The value without needing it, if it is of a kind (a tensor only where its type depends on no
    decision); else None."""
    outer, ev.needs = ev.needs, {}
    try:
        value = ev.force(value)
    except FaultSignal:
        return None
    finally:
        ev.needs = outer
    if kind is not object and type(value) is not kind:
        return None
    if type(value) is Tensor and (value.ok is not True or not is_plain_shape(value)):
        return None
    return value


def _template(
    ev: Evaluator,
    function: SharedValue,
    spread: bool,
    tensors: list[Tensor],
    site: Site,
    span: Span,
    frame: Frame,
) -> _Template | None:
    placeholders = tuple(Tensor(InputNode(""), tensor.dtype, tensor.shape) for tensor in tensors)
    numbers = tuple(-next(_numbers) for _ in placeholders)

    def asked(number: int, placeholder: Tensor) -> Deferred:
        def needed() -> Tensor:
            ev.need(number, True)
            return placeholder

        return Deferred(needed)

    given: list[Value] = [asked(*pair) for pair in zip(numbers, placeholders, strict=True)]
    if spread:
        given = [List(tuple(given), "tuple")]
    here = Site(_PLACE, site.decisions, site.weights if function.tied else _PLACE)
    outer_needs, ev.needs = ev.needs, {}
    outer_blocks, ev.blocks = ev.blocks, {}
    try:
        result = application.apply(ev, function.function, given, here, span, frame)
        if type(result) is not Tensor:
            return None
        inputs = {id(placeholder.node): position for position, placeholder in enumerate(placeholders)}
        return _Template(function, inputs, placeholders, result, ev.needs, numbers, ev.blocks)
    except FaultSignal:
        return None
    finally:
        # What was evaluated on the way for the text around the call stays where it is.
        outer_blocks.update({path: name for path, name in ev.blocks.items() if not path.startswith(_PLACE)})
        ev.needs, ev.blocks = outer_needs, outer_blocks


def _copy(ev: Evaluator, template: _Template, parts: list[Value], site: Site) -> Value:
    for var, condition in template.needs.items():
        if var not in template.numbers:
            ev.need(var, condition)
        else:
            part = parts[template.numbers.index(var)]
            ev.under(partial(_same, condition), partial(ev.force, part))
    for path, name in template.blocks.items():
        ev.blocks[_placed(path, site.path)] = name
    nodes: dict[int, Any] = {}

    def copied(tensor: Value) -> Value:
        if type(tensor) is not Tensor:
            return tensor  # a fault among the alternatives of a select
        position = template.inputs.get(id(tensor.node))
        if position is not None:
            return ev.force(parts[position])
        node = tensor.node
        done = nodes.get(id(node))
        if done is None:
            if type(node) is OpNode:
                if not node.address.startswith(_PLACE):
                    return tensor
                inputs = tuple([copied(given) for given in node.inputs])
                address, weights = _placed(node.address, site.path), _placed(node.weights_at, site.weights)
                done = OpNode(node.op, node.config, inputs, address, weights)
            elif type(node) is SelectNode:
                done = SelectNode(node.var, tuple([copied(kid) for kid in node.kids]))
            else:
                return tensor
            nodes[id(node)] = done
        return Tensor(done, tensor.dtype, tensor.shape, tensor.ok)

    outer, ev.needs = ev.needs, {}
    try:
        return copied(template.result)
    finally:
        ev.needs = outer


def _same(condition: Value) -> Value:
    return condition


def _placed(address: str, path: str) -> str:
    return path + address[1:] if address.startswith(_PLACE) else address
