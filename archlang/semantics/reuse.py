"""Calls of one block with equal arguments, evaluated once when all alternatives are kept.

Such calls differ only in the addresses of their decisions, nodes and weights, and in what computes
their inputs. The first of them is evaluated with placeholders for all of these: a template. Every
call, the first too, is an instance of it (`semantics.instances`) with its own put in.

Arguments are equal that are equal plain data, one and the same diagram, functions of the same
declarations with equal configuration, and tensors of equal type. A call with other arguments is
evaluated by itself, and so is one whose result is no tensor or that asks for the cost of a tensor,
which is that of everything before it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from archlang.diagnostics import Span
from archlang.ir.types import SymbolicDim
from archlang.semantics import instances, rewriting
from archlang.semantics.diagram import Diagram, leaves, support
from archlang.semantics.fault import Fault, FaultSignal, NotReusable
from archlang.semantics.instances import Slot, Template
from archlang.semantics.needs import flat
from archlang.semantics.parameters import Given
from archlang.semantics.values import (
    BlockValue,
    BuiltinValue,
    ComposeValue,
    Deferred,
    DefValue,
    FloatRange,
    Frame,
    InputNode,
    LabelledValue,
    List,
    OpValue,
    OriginalValue,
    Record,
    RepeatValue,
    SharedValue,
    Site,
    Tensor,
    Thunk,
    Value,
)

if TYPE_CHECKING:
    from archlang.semantics.evaluator import Evaluator

_PLAIN = (int, float, bool, str, range, FloatRange, SymbolicDim)

# What a block's value is for its configuration, its inputs, and the frame that it is evaluated in.
Compute = Callable[[Mapping[str, Value], list[Value], Frame], Value]


@attrs.frozen(eq=False)
class Call:
    """A block that is applied: what it is given, its frame, where that is written, and its value."""

    function: BlockValue
    config: Mapping[str, Value]
    inputs: list[Value]
    frame: Frame
    span: Span
    value: Compute


def applied(ev: Evaluator, call: Call) -> Value:
    """The value of a call, from a template where that is certain to be the same."""
    found = _from_template(ev, call)
    return call.value(call.config, call.inputs, call.frame) if found is None else found


def _from_template(ev: Evaluator, call: Call) -> Value:
    declaration = call.function.declaration
    if id(declaration) in ev.not_reusable:
        return None
    arguments = _Arguments(ev, call)
    if not arguments.usable:
        return None
    limits = tuple(name for name in call.frame.open_calls if name in ev.limited)
    key: Any = (id(declaration), arguments.key, limits, rewriting.state(ev, call.frame))
    template = _known(ev, call, arguments, key)
    if template is not None and template.result.ok is not True:
        faulty = [at for at, tensor in enumerate(arguments.tensors) if tensor is not None and tensor.ok is not True]
        if faulty:
            template = _known(ev, call, arguments, (key, *faulty), faulty)
    if template is None:
        return None
    return instances.instance(ev, template, call.frame, arguments.tensors, arguments.needs)


def _known(ev: Evaluator, call: Call, arguments: _Arguments, key: Any, faulty: Sequence[int] = ()) -> Template | None:
    """The template of a call for which some inputs may be missing, made when there is none yet."""
    places = tuple(arguments.places)
    template = ev.templates.get(key, _MISSING)
    if template is _BY_PLACE:
        template = ev.templates.get((key, places), _MISSING)
    if template is _MISSING:
        template = ev.templates[key] = _template(ev, call, arguments, faulty)
        if template is not None and _tells(template.result.ok, places):
            ev.templates[key] = _BY_PLACE
            ev.templates[key, places] = template
    return template  # type: ignore[no-any-return]


_MISSING = object()
_BY_PLACE = object()  # the template for a key tells faults where the call is written


def _tells(ok: Value, places: tuple[Span, ...]) -> bool:
    """Whether a fault is told at one of the places."""
    return any(label.span in places for leaf in leaves(ok) if type(leaf) is Fault for label in leaf.diagnostic.labels)


def _template(ev: Evaluator, call: Call, arguments: _Arguments, faulty: Sequence[int]) -> Template | None:
    template = _evaluated(ev, call, arguments, faulty)
    if template is not None and template.met_others:
        # Decisions of the text around were met between its own: once more, now that they are known.
        template = _evaluated(ev, call, arguments, faulty)
    return None if template is None or template.met_others else template


def _evaluated(ev: Evaluator, call: Call, arguments: _Arguments, faulty: Sequence[int]) -> Template | None:
    """The call evaluated on placeholders; None when it has no tensor for its value."""
    prefix = ev.new_place(call.frame.site)
    start = len(ev.diagrams.sizes)
    around = call.frame
    place = Site(prefix, prefix, prefix)
    frame = Frame(place, around.names, around.module, around.depth, around.open_calls, rewriting=around.rewriting)
    slots, config, inputs = arguments.on_placeholders(ev, call, faulty)
    needs, ev.needs = ev.needs, {}
    blocks, ev.blocks = ev.blocks, {}
    deepest, ev.deepest = ev.deepest, frame.depth
    left = ev.steps_left
    ev.open_templates += 1
    try:
        result = call.value(config, inputs, frame)
        if type(result) is not Tensor:
            raise NotReusable
        return instances.template(
            ev,
            prefix,
            start,
            max(support(*arguments.diagrams), default=-1),
            slots,
            result,
            flat(ev.diagrams, ev.needs),
            left - ev.steps_left,
            ev.deepest - frame.depth,
        )
    except NotReusable:
        ev.not_reusable.add(id(call.function.declaration))
        return None
    except FaultSignal:
        return None
    finally:
        # What was evaluated on the way for the text around the call stays where it is.
        blocks.update({path: name for path, name in ev.blocks.items() if not path.startswith(prefix)})
        ev.needs, ev.blocks, ev.deepest = needs, blocks, max(deepest, ev.deepest)
        ev.open_templates -= 1


class _Arguments:
    """What a call is given, evaluated: a key that is equal for equal arguments, and for each slot
    its tensor (if it is one) and what it needs. Not `usable` when something cannot be compared."""

    def __init__(self, ev: Evaluator, call: Call):
        self.places = [call.span]  # where the arguments are written
        self.diagrams: list[Diagram] = []
        self.tensors: list[Tensor | None] = []
        self.needs: list[Any] = []
        self._values: list[Value] = []
        self.usable = True
        self._ev = ev
        keys: list[Any] = []
        self._note(call.function, call.config)
        for given in (*call.config.values(), *call.inputs):
            value = ev.ahead(given) if isinstance(given, Thunk) else given
            needs = given.needs if isinstance(given, Thunk) else None
            if type(value) is Tensor:
                keys.append((value.dtype, value.shape))
                self.diagrams += [dim for dim in value.shape if type(dim) is Diagram]
                self.tensors.append(value)
            else:
                keys.append((self._key(value), needs is None))
                self.tensors.append(None)
            self.needs.append(needs)
            self._values.append(value)
            if not self.usable:
                break
        self.key = (*call.config, *keys)

    def on_placeholders(
        self, ev: Evaluator, call: Call, faulty: Sequence[int]
    ) -> tuple[list[Slot], dict[str, Value], list[Value]]:
        """The slots, and the configuration and inputs to evaluate the block on."""
        slots, given = [], []
        for position, (tensor, needs, value) in enumerate(zip(self.tensors, self.needs, self._values, strict=True)):
            slot = Slot(position, InputNode(""), ev.diagrams.variable(2) if position in faulty else None)
            slots.append(slot)
            if tensor is not None:
                ok = True if slot.guard is None else ev.diagrams.node(slot.guard, (True, slot.missing))
                value = Tensor(slot.node, tensor.dtype, tensor.shape, ok)
            if tensor is not None or needs is not None:
                value = Deferred(partial(_needed, ev, slot, value))
            given.append(value)
        config = Given()
        config.update(zip(call.config, given, strict=False))
        config.places = call.config.places if isinstance(call.config, Given) else {}
        return slots, config, given[len(call.config) :]

    def _note(self, function: BlockValue | OpValue, config: Mapping[str, Value] | None) -> None:
        if function.span is not None:
            self.places.append(function.span)
        if isinstance(config, Given):
            self.places += config.places.values()

    def _key(self, value: Value) -> Any:
        kind = type(value)
        if kind in _PLAIN:
            return kind, value
        if kind is Diagram:
            self.diagrams.append(value)
            return value
        if isinstance(value, Thunk):
            key = self._key(self._ev.ahead(value))
            return key if value.needs is None else (key, value.needs)
        if kind is OpValue or kind is BlockValue:
            self._note(value, value.config)
            config = value.config or {}
            return kind, id(value.declaration), value.config is None, *config, *map(self._key, config.values())
        if kind is DefValue:
            return kind, id(value.declaration)
        if kind is BuiltinValue:
            return kind, value.name
        if kind is LabelledValue:
            return kind, self._key(value.function), value.label, value.decision
        if kind is SharedValue:
            return kind, self._key(value.function), value.site, value.tied
        if kind is OriginalValue:
            return kind, self._key(value.function), *map(id, value.passed)
        if kind is ComposeValue:
            return kind, self._key(value.first), self._key(value.second), value.names
        if kind is RepeatValue:
            self.places.append(value.span)
            return kind, self._key(value.count), self._key(value.function)
        if kind is List:
            return kind, value.kind, value.subset, *map(self._key, value.items)
        if kind is Record:
            return kind, *value.fields, *map(self._key, value.fields.values())
        self.usable = False
        return None


def _needed(ev: Evaluator, slot: Slot, value: Value) -> Value:
    ev.needs[slot] = True
    return value
