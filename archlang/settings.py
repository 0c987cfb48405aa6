"""Settings of searchers and evaluators: attrs classes filled from names and values that users give."""

from __future__ import annotations

import re
import types
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, Union, get_args, get_origin

import attrs

from archlang.diagnostics import ArchError, Diagnostic, did_you_mean, error

S = TypeVar("S", bound=attrs.AttrsInstance)


def read_settings(kind: type[S], given: Mapping[str, Any], of: str, unknown: str = "E0902", wrong: str = "E0903") -> S:
    """An instance of the attrs class `kind` with the given values; texts are read as the field's type.

    ArchError (codes `unknown`, `wrong`; all findings at once) for names that `kind` has not and values of
    another type or out of bounds. `of` says whose settings these are.
    """
    attrs.resolve_types(kind)
    fields = {field.name: field for field in attrs.fields(kind)}
    findings: list[Diagnostic] = []
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name not in fields:
            hints = did_you_mean(name, fields) or (f"it has {_listed(fields)}",)
            findings.append(error(unknown, f"{of} has no setting `{name}`", hints=hints))
            continue
        field = fields[name]
        try:
            values[name] = _typed(value, field.type)
            if field.validator is not None:
                field.validator(None, field, values[name])
        except ArchError as problem:
            findings += problem.diagnostics
        except (TypeError, ValueError) as found:
            findings.append(error(wrong, f"the setting `{name}` of {of} {_reason(found, value, field.type)}"))
    for name, field in fields.items():
        if field.default is attrs.NOTHING and name not in given:
            findings.append(error(wrong, f"{of} needs the setting `{name}`: {_type_name(field.type)}"))
    if findings:
        raise ArchError(findings)
    try:
        return kind(**values)
    except (TypeError, ValueError) as found:
        raise ArchError(error(wrong, f"the settings of {of} do not go together: {found}")) from found


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "no settings"


def _reason(found: Exception, value: Any, wanted: Any) -> str:
    text = str(found.args[0]) if found.args else ""
    bound = re.search(r" must be ([<>]=?) (.+): ", text)
    if bound is not None:
        return f"is {value}, expected a number {bound[1]} {bound[2]}"
    options = re.search(r" must be in \((.+)\) \(got", text)
    if options is not None:
        return f"is {value!r}, expected one of {options[1]}"
    return f"is {value!r}, expected {_type_name(wanted)}"


def _type_name(wanted: Any) -> str:
    if get_origin(wanted) in (Union, types.UnionType):
        return " or ".join(_type_name(member) for member in get_args(wanted))
    if get_origin(wanted) is tuple:
        members = [_type_name(kind) for kind in get_args(wanted) if kind is not Ellipsis]
        return f"a list of {members[0]}" if Ellipsis in get_args(wanted) else f"({', '.join(members)})"
    names = {int: "an integer", float: "a number", bool: "true or false", str: "a text", types.NoneType: "none"}
    named: str = getattr(wanted, "setting_kind", f"a {getattr(wanted, '__name__', str(wanted)).lower()}")
    return names.get(wanted, named)


def _typed(value: Any, wanted: Any) -> Any:
    """The value as the wanted type; TypeError or ValueError when it is none."""
    if get_origin(wanted) in (Union, types.UnionType):
        for member in sorted(get_args(wanted), key=lambda member: member is not types.NoneType):
            try:
                return _typed(value, member)
            except (TypeError, ValueError):
                continue
        raise TypeError(value)
    if get_origin(wanted) is tuple:
        items = value.split(",") if isinstance(value, str) else value
        kinds = get_args(wanted)
        if len(kinds) == 2 and kinds[1] is Ellipsis:
            return tuple(_typed(item, kinds[0]) for item in items)
        return tuple(_typed(item, kind) for item, kind in zip(items, kinds, strict=True))
    if hasattr(wanted, "read_setting"):
        return wanted.read_setting(value)
    if wanted is types.NoneType:
        if value is None or value in ("none", "null"):
            return None
        raise TypeError(value)
    if wanted is bool:
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        if isinstance(value, bool):
            return value
        raise TypeError(value)
    if wanted in (int, float):
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise TypeError(value)
        if wanted is int and isinstance(value, float) and value != int(value):
            raise TypeError(value)
        return wanted(value)
    if wanted is str:
        if not isinstance(value, str):
            raise TypeError(value)
        return value
    return value
