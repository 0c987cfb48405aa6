"""A program as a Python file that needs its framework alone."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Hashable, Iterable, Sequence
from inspect import isclass
from typing import Any, Protocol

from archlang.ir.block_classes import block_classes
from archlang.ir.graph import Graph, Operation
from archlang.ir.raising import raise_blocks
from archlang.lowering.block_source import BlockSource
from archlang.lowering.declared import Function, Layer, Lowerings
from archlang.lowering.dialect import Dialect, special_inits
from archlang.lowering.names import free_name, identifier
from archlang.lowering.source import WIDTH, definitions, laid_out, names


class Written(Protocol):
    """A block's source; `needed` are the functions and layers that it uses."""

    needed: list[Callable[..., Any]]

    def text(self) -> str: ...


def emit(
    dialect: Dialect, graph: Graph, header: Sequence[str] = (), write: Callable[..., Written] = BlockSource
) -> str:
    """The graph as the text of a Python file.

    The program's blocks are classes, the children of the network have the names that they have in
    a built module of the same dialect, and `build()` makes the network. `header` lines become
    comments. `write` makes a block's source of what `BlockSource` takes, where blocks are no classes.
    Raises ArchError (E0803) that names every op that cannot be lowered.
    """
    lowerings = dialect.lowerings
    lowerings.check(graph)
    classes = block_classes(raise_blocks(graph), _slots(lowerings), _kind(dialect))
    taken = dialect.standard | dialect.called | _lowering_names(lowerings) | {"build"}
    named: dict[str, str] = {}
    for block in reversed(classes):  # the program itself comes first, so that it has its own name
        named[block.name] = free_name(dialect.class_name(block), taken | set(named.values()))
    reserved = frozenset(taken | set(named.values()))
    needed: list[Callable[..., Any]] = []
    texts = []
    for block in classes:
        source = write(dialect, graph, block, named, reserved)
        texts.append(source.text())
        needed += source.needed
    top = named[classes[-1].name]
    parts = [
        *definitions(needed, dialect.standard).values(),
        *texts,
        _written(dialect.builder(top, graph)),
        _written(dialect.main(graph, reserved)),
    ]
    body = "\n\n\n".join(parts)
    imports = "\n\n".join("\n".join(lines) for lines in dialect.imports(names(body)) if lines)
    return "\n".join([file_head(dialect.framework, graph, header), imports, "", "", body, ""])


def _written(statements: Iterable[tuple[int, str]]) -> str:
    """Statements with their indents as text."""
    return "\n".join([line for indent, statement in statements for line in laid_out(statement, indent)])


def file_head(framework: str, graph: Graph, header: Sequence[str]) -> str:
    """The docstring of an emitted file and its header as comments."""
    name = identifier(graph.name) if graph.name else "network"
    lines = [f'"""The network `{name}`, written by archlang. It needs {framework} alone."""', ""]
    comments = []
    for entry in header:
        for line in entry.splitlines() or [""]:
            comments += textwrap.wrap(line, WIDTH - 2, subsequent_indent="  ") or [""]
    lines += [f"# {comment}".rstrip() for comment in comments]
    return "\n".join([*lines, ""] if comments else lines)


def _slots(lowerings: Lowerings) -> Callable[[Operation], tuple[tuple[str, Any], ...]]:
    def slots(operation: Operation) -> tuple[tuple[str, Any], ...]:
        lowered = lowerings.get(operation.name)
        assert lowered is not None, operation.name
        return lowered.slots(operation)

    return slots


def _kind(dialect: Dialect) -> Callable[[Operation], Hashable]:
    """What operations of one class must agree in, apart from the names of their slots."""

    def kind(operation: Operation) -> Hashable:
        lowered = dialect.lowerings.get(operation.name)
        if not isinstance(lowered, Layer):
            return operation.name, dialect.kind(operation)
        fans = tuple((weight.name, weight.init, weight.fan_in) for weight in special_inits(lowered, operation))
        return operation.name, lowered.rank(operation), fans, dialect.kind(operation)

    return kind


def _lowering_names(lowerings: Lowerings) -> set[str]:
    found = set()
    for op in lowerings.ops:
        lowered = lowerings.get(op)
        if isinstance(lowered, Layer) and isclass(lowered.factory):
            found.add(lowered.factory.__name__)
        elif isinstance(lowered, Function):
            found.add(lowered.function.__name__)
    return found
