"""Configuration values from Python and from the command line, as values of the language."""

from __future__ import annotations

import re
from typing import Any

from archlang.diagnostics import ArchError, error
from archlang.semantics.choosing import constant
from archlang.semantics.values import List, Record, Value
from archlang.syntax import ast
from archlang.syntax.parser import parse_expression


def plain_value(name: str, value: Any) -> Value:
    """A Python value (number, text, list, tuple, dict) as a value of the language."""
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        kind = "list" if isinstance(value, list) else "tuple"
        return List(tuple(plain_value(name, item) for item in value), kind)
    if isinstance(value, dict):
        return Record({str(key): plain_value(name, item) for key, item in value.items()})
    raise ArchError(
        error(
            "E0413",
            f"configuration `{name}` cannot be a Python {type(value).__name__}",
            hints=["give a number, text, bool, or a list, tuple or dict of these"],
        )
    )


_PATH = re.compile(r"[.~]{0,2}(/?[A-Za-z_][\w.-]*)?(/[\w.-]+)+")  # `runs/weights`, `../a`, `/tmp/b`


def parse_setting(text: str) -> tuple[str, Any]:
    """The name and Python value of a setting such as `classes=100` or `widths=[16, 32]`; a bare
    word or a path is text. Settings of parts have names with dots, `weights.lr=0.1`."""
    name, separator, value = text.partition("=")
    name = name.strip()
    if not separator or not all(map(str.isidentifier, name.split("."))):
        raise ArchError(error("E0414", f"`{text}` is not a setting", hints=["write a name and a value: `classes=100`"]))
    try:
        return name, literal(parse_expression(value.strip(), f"setting {name}"), text)
    except ArchError:
        if value.strip().isidentifier() or _PATH.fullmatch(value.strip()):
            return name, value.strip()
        raise


def literal(expr: ast.Expr, text: str) -> Any:
    """The Python value of a constant, list, tuple or record; a bare word is text. ArchError (E0414) for
    others: `text` is what was written."""
    simple = constant(expr)
    if simple is not None:
        return simple
    match expr:
        case ast.Name(word):
            return word
        case ast.ListLiteral(items):
            return [literal(item, text) for item in items]
        case ast.TupleLiteral(items):
            return tuple(literal(item, text) for item in items)
        case ast.RecordLiteral(fields):
            return {field.name: literal(field.value, text) for field in fields}
    raise ArchError(
        error(
            "E0414",
            f"the value of `{text}` is not a constant",
            expr.span,
            hints=["write a number, text, or a list of them"],
        )
    )
