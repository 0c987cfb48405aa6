"""From forms to classes: instances of one key become one block, whose numbers are written as
`archlang.ir.sizes` says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from archlang.ir.raising import tokens
from archlang.ir.sizes import (
    FREE,
    MISSING,
    ROWS,
    SIZES,
    BlockScope,
    Expression,
    LoopScope,
    Scope,
    Slot,
    Variable,
    numbered,
)
from archlang.ir.units import CallUnit, Form, LibraryUnit, LoopUnit, OpUnit, Unit

# By the rank of a block's first input: the names of its dimensions, and the place of the channels.
DIMS = {2: ("n", "d"), 3: ("n", "t", "d"), 4: ("n", "c", "h", "w")}
CHANNELS = {2: 1, 3: 2, 4: 1}


@attrs.frozen(eq=False)
class Applied:
    """A function that is applied: `arguments` are those that have to be written."""

    function: str
    arguments: tuple[tuple[str, Expression], ...]
    positional: int
    example: Unit
    home: str | None


@attrs.frozen(eq=False)
class Looped:
    """A loop: over `rows` with `variables`, or `count` times when there are none."""

    links: tuple[tuple[Applied | Looped, int, tuple[int, ...]], ...]
    count: Expression
    variables: tuple[str, ...]
    rows: Expression | None
    example: Unit
    home: None = None


@attrs.frozen(eq=False)
class Step:
    """Something applied in a body: values are those of the class's first form."""

    what: Applied | Looped
    inputs: tuple[int, ...]
    results: tuple[int, ...]


@attrs.frozen(eq=False)
class Class:
    """A block as it is written, or the program itself (the last one)."""

    name: str
    form: Form
    parameters: tuple[Variable, ...]
    dims: tuple[str, ...]
    steps: tuple[Step, ...]


def settled(top: Form, taken: set[str], scoped: set[str]) -> list[Class]:
    """The classes, callees before callers; no block or variable has a name that is `taken`, nor one
    in the program itself that is in its scope."""
    groups: dict[int, list[Form]] = {}
    for form in forms_below(top, set()):
        groups.setdefault(form.key, []).append(form)
    names: dict[int, str] = {}
    used = taken | scoped
    for key, forms in groups.items():
        base = forms[0].name if forms[0].name not in taken else f"{forms[0].name}_block"
        if forms[0] is top:
            names[key] = top.instance.name
            continue
        names[key] = next(name for name in numbered(base) if name not in used and name != top.instance.name)
        used.add(names[key])
    settling = _Settling(names, (used - scoped) | taken | {top.instance.name}, scoped)
    return [settling.settle(forms, forms[0] is top) for forms in groups.values()]


def forms_below(form: Form, seen: set[int]) -> Iterator[Form]:
    """The form and all below it, children first, each once."""
    if id(form) in seen:
        return
    seen.add(id(form))
    for called in form.calls():
        yield from forms_below(called, seen)
    yield form


class _Settling:
    def __init__(self, names: Mapping[int, str], taken: set[str], scoped: set[str]):
        self._names = names
        self._taken = taken
        self._scoped = scoped
        self._parameters: dict[int, tuple[Variable, ...]] = {}
        self._arguments: dict[int, dict[str, Any]] = {}

    def settle(self, forms: list[Form], top: bool) -> Class:
        dims, sizes = ((), {}) if top else _dims(forms)
        trial = self._scope(forms, sizes, top)
        self._steps(forms, trial)
        scope = self._scope(forms, sizes, top)
        widths = [_channels(form, form.outputs[0]) if form.outputs else FREE for form in forms]
        for slot, values in trial.seen:
            # What the block is wide at its end comes first: the other widths are parts of that.
            if slot.size and values == widths and scope.by_sizes(slot, values) is None:
                scope.variable(attrs.evolve(slot, called=slot.name), values)
                break
        steps = self._steps(forms, scope)
        parameters = sorted(scope.variables, key=lambda variable: variable.default is not MISSING)
        key = forms[0].key
        self._parameters[key] = tuple(parameters)
        for place, form in enumerate(forms):
            self._arguments[id(form)] = {variable.name: variable.values[place] for variable in parameters}
        return Class(self._names[key], forms[0], tuple(parameters), dims, steps)

    def _scope(self, forms: list[Form], sizes: Mapping[str, Sequence[Any]], top: bool) -> BlockScope:
        taken = self._taken | set(sizes) | {"x", "y"} | (self._scoped if top else set())
        return BlockScope(taken, sizes)

    def _steps(self, forms: list[Form], scope: Scope) -> tuple[Step, ...]:
        found: list[Step] = []
        for place, step in enumerate(forms[0].steps):
            what = self._unit([form.steps[place].unit for form in forms], scope, None)
            found.append(Step(what, step.inputs, step.results))
        return tuple(found)

    def _unit(
        self, units: Sequence[Unit], scope: Scope, before: Unit | None, example: Unit | None = None
    ) -> Applied | Looped:
        """One step in all its contexts; `before` is what stands before it in a loop."""
        unit = units[0] if example is None else example
        if isinstance(unit, LoopUnit):
            return self._loop(units, scope, before, unit)  # type: ignore[arg-type]
        arguments: list[tuple[str, Expression]] = []
        omitted = False
        positional = 0
        columns = [self._values(unit) for unit in units]
        for place, slot in enumerate(self._slots(unit)):
            values = [row[place] for row in columns]
            expression = scope.resolve(slot, values)
            if expression.text == "" or (slot.default is not MISSING and repr(expression.value) == repr(slot.default)):
                omitted = True
                continue
            arguments.append((slot.name, expression))
            omitted = omitted or not slot.required
            positional += not omitted
        return Applied(self._function(unit), tuple(self._blocks(unit, arguments)), positional, unit, unit.home)

    def _blocks(self, unit: Unit, arguments: list[tuple[str, Expression]]) -> list[tuple[str, Expression]]:
        if not isinstance(unit, LibraryUnit):
            return arguments
        return [*arguments, *((name, Expression(text)) for name, text in unit.recognised.blocks)]

    def _function(self, unit: Unit) -> str:
        match unit:
            case OpUnit():
                return unit.node.operation.name
            case LibraryUnit():
                return unit.recognised.name
            case CallUnit():
                return self._names[unit.form.key]
        raise TypeError(unit)

    def _slots(self, unit: Unit) -> list[Slot]:
        match unit:
            case OpUnit():
                return [_slot(unit, name) for name, _ in unit.slots]
            case LibraryUnit():
                defaults = dict(unit.recognised.defaults)
                return [
                    Slot(
                        name,
                        name in SIZES,
                        defaults.get(name, MISSING),
                        _called(unit, name),
                        place < unit.recognised.required,
                    )
                    for place, (name, _) in enumerate(unit.recognised.config)
                ]
            case CallUnit():
                return [
                    Slot(
                        variable.name,
                        variable.slot.size,
                        variable.default,
                        variable.name,
                        variable.default is MISSING,
                    )
                    for variable in self._parameters[unit.form.key]
                ]
        raise TypeError(unit)

    def _values(self, unit: Unit) -> list[Any]:
        if isinstance(unit, CallUnit):
            return list(self._arguments[id(unit.form)].values())
        return list(unit.values)

    def _loop(self, units: Sequence[LoopUnit], scope: Scope, before: Unit | None, pattern: LoopUnit) -> Looped:
        owners = [place for place, unit in enumerate(units) for _ in unit.iterations]
        inner = LoopScope(scope, owners, len(units))
        links: list[tuple[Applied | Looped, int, tuple[int, ...]]] = []
        for place, link in enumerate(pattern.pattern):
            inside = [iteration[place].unit for unit in units for iteration in unit.iterations]
            previous = pattern.pattern[place - 1].unit if place else None
            what = self._unit(inside, inner, previous, None if inside else link.unit)
            links.append((what, link.carried, link.others))
        if inner.variables:
            several = f"{inner.variables[0].name}s" if len(inner.variables) == 1 else ROWS
            rows = scope.resolve(Slot(ROWS, called=several), inner.rows())
            names = tuple([variable.name for variable in inner.variables])
            return Looped(tuple(links), Expression("", None), names, rows, pattern)
        # After a first call of the same name the number counts that too.
        first = before is not None and _base(before) == _base(pattern.pattern[0].unit) and len(pattern.pattern) == 1
        count = scope.resolve(Slot("depth"), [len(unit.iterations) + first for unit in units])
        if first:
            count = (
                Expression(f"{count.text} - 1")
                if count.value is MISSING
                else Expression(str(count.value - 1), count.value - 1)  # type: ignore[operator]
            )
        return Looped(tuple(links), count, (), None, pattern)


def _base(unit: Unit) -> object:
    match unit:
        case LibraryUnit():
            return unit.recognised.name
        case CallUnit():
            return unit.form.name
    return unit


def _slot(unit: OpUnit, name: str) -> Slot:
    known = unit.defaults.get(name)
    default = MISSING if known is None or known.derived or known.required else known.value
    return Slot(name, name in SIZES, default, _called(unit, name), known is not None and known.required)


_PLAIN = ("conv", "fc", "linear", "dense", "bn", "norm", "proj", "lin")


def _called(unit: Unit, slot: str) -> str:
    """What a variable for the slot may be called: after the place where the unit stands, if that says anything."""
    if slot not in SIZES:
        return slot
    for token in reversed(tokens(unit.address)):
        name = token.partition("#")[0]
        if token[0] in "[:":
            continue
        plain = name.lower().lstrip("_").startswith(_PLAIN) or name in (_word(unit), slot)
        return "hidden" if plain or not name.isidentifier() else name
    return "hidden"


def _word(unit: Unit) -> str:
    match unit:
        case OpUnit():
            return unit.node.operation.name
        case LibraryUnit():
            return unit.recognised.name
        case CallUnit():
            return unit.form.name
    return ""


def _channels(form: Form, value: int) -> Any:
    shape = form.types[value].shape
    dim = shape[CHANNELS[len(shape)]] if len(shape) in CHANNELS else FREE
    return dim if isinstance(dim, int) else FREE


def _dims(forms: list[Form]) -> tuple[tuple[str, ...], dict[str, list[Any]]]:
    """The names of the dimensions of the first input, and those sizes that are numbers, channels first."""
    if not forms[0].inputs:
        return (), {}
    shapes = [form.types[form.inputs[0]].shape for form in forms]
    if forms[0].types[forms[0].inputs[0]].dtype[0] not in "fb":
        return ("n", "t") if len(shapes[0]) == 2 else DIMS.get(len(shapes[0]), ()), {}
    rank = len(shapes[0])
    names = DIMS.get(rank, ())
    if any(len(shape) != rank for shape in shapes) or not names:
        return (), {}
    channels = CHANNELS[rank]
    if rank == 4 and _channels_last(forms[0]):
        names, channels = ("n", "h", "w", "c"), 3
    order = sorted(range(1, rank), key=lambda axis: axis != channels)
    sizes: dict[str, list[Any]] = {
        names[axis]: [shape[axis] for shape in shapes]
        for axis in order
        if all(isinstance(shape[axis], int) for shape in shapes)
    }
    if "h" in sizes and "w" in sizes:
        sizes["h * w"] = [h * w for h, w in zip(sizes["h"], sizes["w"], strict=True)]
    return names, sizes


def _channels_last(form: Form) -> bool:
    """Whether the first input is used with its channels last."""
    return any(
        node.operation.name in ("linear", "layer_norm", "rms_norm", "feature_scale", "feature_bias")
        or (node.operation.name == "permute" and node.operation.attribute("order") == (0, 3, 1, 2))
        for step in form.steps
        if form.inputs[0] in step.inputs
        for node in step.unit.nodes[:1]
    )
