"""Pieces of `.arch` text that the flat form and the block-keeping form of a program have in common."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from archlang.ir.graph import Graph, Output
from archlang.ir.types import SymbolicDim, TensorType


def literal(value: object) -> str:
    """A plain value as it is written: `true`, `0.5`, `"same"`, `[1, 2]`, `{ lr: 0.1 }`."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            if not math.isfinite(value):
                raise ValueError(f"{value} cannot be written in .arch text")
            return repr(value)
        case str():
            return quoted(value)
        case Mapping():
            return record((str(name), literal(item)) for name, item in value.items())
        case Sequence():
            return f"[{', '.join(map(literal, value))}]"
    raise ValueError(f"a {type(value).__name__} cannot be written in .arch text")


_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}


def quoted(value: str) -> str:
    """A string literal."""
    chars = (_ESCAPES.get(char) or (char if char.isprintable() else f"\\u{{{ord(char):x}}}") for char in value)
    return f'"{"".join(chars)}"'


def record(fields: Iterable[tuple[str, str]]) -> str:
    """A record of fields that are text already."""
    inner = ", ".join(f"{name}: {value}" for name, value in fields)
    return f"{{ {inner} }}" if inner else "{}"


def configured(op: str, attributes: Iterable[tuple[str, object]]) -> str:
    """An op or block with its configuration by name: `conv2d(out=16, kernel=3)`."""
    given = ", ".join(f"{name}={literal(value)}" for name, value in attributes if value is not None)
    return f"{op}({given})" if given else op


def tensor_type(type_: TensorType, dtype: bool = True) -> str:
    """`f32[n, 3, 32, 32]`, or `[n, 3, 32, 32]` without the dtype."""
    return str(type_) if dtype else str(type_)[len(type_.dtype) :]


def space_head(graph: Graph) -> str:
    """`space name(image: f32[n, 3, 32, 32]) -> [n, 10] {`; the result's type where it is one tensor."""
    inputs = ", ".join(f"{given.name}: {tensor_type(given.type)}" for given in graph.inputs)
    result = ""
    if len(graph.outputs) == 1 and not graph.outputs[0].name:
        result = f" -> {tensor_type(graph.type_of(graph.outputs[0].value), dtype=False)}"
    return f"space {graph.name}{f'({inputs})' if inputs else ''}{result} {{"


def text_head(notes: Iterable[str], uses: Iterable[str], items: Iterable[str]) -> list[str]:
    """The lines before a program: comments, the modules that it uses, further declarations."""
    lines = [f"# {note}".rstrip() for note in notes]
    lines += [f"use {module if module.startswith('std.') else quoted(module)}" for module in uses]
    for item in items:
        lines += ["", *item.strip("\n").split("\n")]
    return lines


def names_in_scope(graph: Graph) -> set[str]:
    """The names that a program's inputs and their symbolic dimensions bind."""
    dims = (dim for given in graph.inputs for dim in given.type.shape if isinstance(dim, SymbolicDim))
    return {given.name for given in graph.inputs} | {dim.name for dim in dims}


_PATH_STEP = re.compile(r"\[(\d+)\]|\.?([^.\[\]]+)")


def result_text(outputs: Sequence[Output], names: Sequence[str], values: object = None) -> str:
    """The last expression of a program: a tensor's name, or the record (or list) that holds it.

    `names` are those of the outputs' values, in order; `values` the static part of the result as
    evaluation gives it: nested dicts and lists without the tensors, or under "" a bare value.
    """
    tree: Any = {}
    for output, name in zip(outputs, names, strict=True):
        steps: list[int | str] = [int(index) if index else field for index, field in _PATH_STEP.findall(output.name)]
        if not steps:
            return name
        place = tree
        for step in steps[:-1]:
            place = place.setdefault(step, {})
        place[steps[-1]] = name
    if isinstance(values, Mapping) and "" in values:
        values = values[""]
    return _merged(tree, values)


def _merged(tree: Any, values: Any) -> str:
    """The text of tensors (a dict by field or index, or a name) and static values put together."""
    if isinstance(tree, str):
        return tree
    if not tree and values is not None:
        return literal(values)
    if any(isinstance(step, int) for step in tree):
        rest = iter(values or ())
        items: list[str] = []
        # Bare tensors are missing among the static values, all other items are there.
        while len(items) <= max(tree):
            inner = tree.get(len(items), {})
            items.append(inner if isinstance(inner, str) else _merged(inner, next(rest, None)))
        return f"[{', '.join([*items, *map(literal, rest)])}]"
    static = dict(values or {})
    fields = [(name, _merged(inner, static.pop(name, None))) for name, inner in tree.items()]
    return record([*fields, *((name, literal(value)) for name, value in static.items())])
