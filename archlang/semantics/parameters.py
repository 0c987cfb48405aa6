"""Arguments and parameters: matching calls to declarations, and checking values against types."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from archlang.diagnostics import Label, Span, did_you_mean, error
from archlang.ir.types import SymbolicDim
from archlang.semantics.diagram import Diagram
from archlang.semantics.fault import Fault, FaultSignal, broken
from archlang.semantics.values import (
    FUNCTIONS,
    Deferred,
    Env,
    Frame,
    List,
    Record,
    Symbolic,
    Tensor,
    Thunk,
    Undecided,
    Value,
    a_type,
    type_name,
)
from archlang.syntax import ast
from archlang.syntax.format import format_type

if TYPE_CHECKING:
    from archlang.semantics.evaluator import Evaluator

Arguments = Sequence[tuple[str | None, Value, Span]]  # name, value or thunk, place


class Given(dict[str, Value]):
    """Arguments by parameter name, and where each of them is written."""

    def __init__(self) -> None:
        super().__init__()
        self.places: dict[str, Span] = {}


def match(
    parameters: tuple[ast.Parameter, ...], arguments: Arguments, what: str, span: Span | None, positional: bool = True
) -> Given:
    """The arguments by parameter name; broken when they do not fit the parameters."""
    found = Given()
    places = found.places
    names = [parameter.name for parameter in parameters]
    position = 0
    for name, value, place in arguments:
        if name is None:
            if not positional or position >= len(names):
                takes = f"takes {counted(len(names), 'argument')}" if positional else "takes its arguments by name"
                raise broken(error("E0210", f"{what} {takes}", place, hints=_signature(what, parameters)))
            name = names[position]
            position += 1
        elif name not in names:
            raise broken(
                error(
                    "E0211",
                    f"{what} has no parameter `{name}`",
                    place,
                    hints=did_you_mean(name, names) or _signature(what, parameters),
                )
            )
        if name in found:
            raise broken(error("E0212", f"`{name}` is given twice", place, Label(places[name], "given first here")))
        found[name] = value
        places[name] = place
    missing = [p.name for p in parameters if p.default is None and p.name not in found]
    if missing:
        raise broken(
            error(
                "E0213",
                f"{what} needs {' and '.join(f'`{name}`' for name in missing)}",
                span,
                hints=_signature(what, parameters),
            )
        )
    return found


def counted(number: int, thing: str) -> str:
    """The number with its noun: "no arguments", "1 argument", "2 arguments"."""
    return f"{number or 'no'} {thing}{'s' * (number != 1)}"


def _signature(what: str, parameters: tuple[ast.Parameter, ...]) -> tuple[str, ...]:
    shown = ", ".join(p.name if p.default is None else f"{p.name}=…" for p in parameters)
    return (f"the parameters are ({shown})",) if parameters else (f"{what} has no parameters",)


def bind_config(
    ev: Evaluator,
    parameters: tuple[ast.Parameter, ...],
    given: Mapping[str, Value],
    env: Env,
    what: str,
    scope: Callable[[], Env] | None = None,
) -> Env:
    """The names with every parameter bound to its argument or default, checked when needed. The
    defaults see the parameters before them, or all names of `scope`."""
    places = given.places if isinstance(given, Given) else {}
    names = dict(env.names)
    for parameter in parameters:
        name = parameter.name
        if name in given:
            value = given[name]
        else:
            assert parameter.default is not None
            value = ev.thunk(parameter.default, Env(dict(names), env.frame, env.loops))
            if scope is not None and isinstance(value, Thunk):
                value = Deferred(partial(_default, ev, parameter.default, scope))
        if parameter.type is not None:
            place, declared = places.get(name, parameter.span), parameter.span
            value = typed(ev, value, parameter.type, f"`{name}` of {what}", place, declared)
        names[name] = value
    return Env(names, env.frame, env.loops)


def config_values(
    ev: Evaluator, parameters: tuple[ast.Parameter, ...], given: Mapping[str, Value], frame: Frame, what: str
) -> list[Value]:
    """The values of all parameters, evaluated and checked in order, up to one that is a fault. The
    defaults see the parameters before them."""
    places = given.places if isinstance(given, Given) else {}
    names: dict[str, Value] = {}
    for parameter in parameters:
        name = parameter.name
        try:
            if name in given:
                value = ev.force(given[name])
            else:
                assert parameter.default is not None
                value = ev.evaluate(parameter.default, Env(dict(names), frame))
            if parameter.type is not None and not _fits(ev, value, parameter.type):
                place, declared = places.get(name, parameter.span), parameter.span
                value = _check(ev, value, parameter.type, f"`{name}` of {what}", place, declared)
        except FaultSignal as signal:
            return [*names.values(), signal.fault]
        names[name] = value
    return list(names.values())


def _default(ev: Evaluator, default: ast.Expr, scope: Callable[[], Env]) -> Value:
    return ev.evaluate(default, scope())


_DATA = {"int": int, "float": float, "bool": bool, "str": str}


def _fits(ev: Evaluator, value: Value, expected: ast.TypeExpr) -> bool:
    """Whether a value is certainly of a type, and stays as it is."""
    if type(expected) is not ast.NamedType:
        return False
    kind = _DATA.get(expected.name)
    if type(value) is Diagram:
        return kind is not None and ev.diagrams.kinds(value) <= {kind, Fault}
    return type(value) is kind or expected.name == "any" or (expected.name == "block" and type(value) in FUNCTIONS)


def typed(
    ev: Evaluator, value: Value, expected: ast.TypeExpr, what: str, span: Span, declared: Span | None = None
) -> Value:
    """The value or thunk, checked against a type as soon as it is evaluated. `declared` is where the
    type stands, when that is not `span`."""
    if isinstance(value, Thunk):
        return Deferred(lambda: _check(ev, ev.force(value), expected, what, span, declared))
    if _fits(ev, value, expected):
        return value
    return Deferred(lambda: _check(ev, value, expected, what, span, declared))


def _check(ev: Evaluator, value: Value, expected: ast.TypeExpr, what: str, span: Span, declared: Span | None) -> Value:
    if _fits(ev, value, expected):
        return value
    if type(value) is Diagram:
        return ev.lift(lambda leaf: conform(ev, leaf, expected, what, span, declared), value)
    return conform(ev, value, expected, what, span, declared)


def conform(
    ev: Evaluator, value: Value, expected: ast.TypeExpr, what: str, span: Span, declared: Span | None = None
) -> Value:
    """The value as the type wants it (an int becomes a float where one is expected); broken when
    it does not fit."""
    match expected:
        case ast.NamedType(name):
            if isinstance(value, Symbolic) and (name == "float" or (name == "int" and value.step is not None)):
                return value
            if isinstance(value, Undecided) and name == "bool":
                return value
            if name == "float" and isinstance(value, int) and not isinstance(value, bool):
                return float(value)
            if name == "any" or _is(value, name):
                return value
        case ast.ListType(element):
            if type(value) is List:
                return List(
                    tuple(typed(ev, item, element, f"an element of {what}", span) for item in value.items), value.kind
                )
            if type(value) is range:
                return List(tuple(value))
        case ast.TupleType(items):
            if type(value) is List and len(value.items) == len(items):
                return List(
                    tuple(
                        typed(ev, item, kind, f"part {position} of {what}", span)
                        for position, (item, kind) in enumerate(zip(value.items, items, strict=True))
                    ),
                    "tuple",
                )
        case ast.RecordType(fields):
            if type(value) is Record and {name for name, _ in fields} == set(value.fields):
                return Record(
                    {
                        name: typed(ev, value.fields[name], kind, f"field `{name}` of {what}", span)
                        for name, kind in fields
                    }
                )
        case ast.TensorTypeExpr():
            if type(value) is Tensor:
                return value
    label = Label(declared, "declared here") if declared is not None and declared != span else None
    raise broken(error("E0301", f"{what} must be {format_type(expected)}, and is {_shown(value)}", span, label))


def _is(value: Value, name: str) -> bool:
    match name:
        case "int":
            return isinstance(value, int | SymbolicDim) and not isinstance(value, bool)
        case "float":
            return isinstance(value, float)
        case "bool":
            return isinstance(value, bool)
        case "str":
            return isinstance(value, str)
        case "block":
            return isinstance(value, FUNCTIONS)
        case "tensor":
            return type(value) is Tensor
        case "record":
            return type(value) is Record
        case "list":
            return type(value) is List
        case _:
            return False


def _shown(value: Value) -> str:
    if isinstance(value, bool):
        return f"the bool {'true' if value else 'false'}"
    if isinstance(value, int | float):
        return f"the {type_name(value)} {value}"
    if isinstance(value, str):
        return f'the str "{value}"'
    if isinstance(value, List):
        return f"{a_type(value)} of {len(value.items)}"
    return a_type(value)
