"""The flat text form of a graph: valid `.arch` text with one operation a line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from archlang.ir.graph import Graph, Node
from archlang.ir.text import configured, names_in_scope, quoted, result_text, space_head, text_head


def flat_text(
    graph: Graph,
    notes: Iterable[str] = (),
    values: Mapping[str, object] | None = None,
    uses: Iterable[str] = ("std.nn",),
    items: Iterable[str] = (),
) -> str:
    """The graph as a space without choices, every node at its address:
    `v3 = [v1, v2] |> concat(axis=1) at "cell[0]/concat"`.

    Parsing it gives an equal graph, as long as nodes stand in the order in which they are needed,
    depth first, as evaluation puts them. Blocks, which are no part of a graph's equality, are not
    in the text. `notes` are lines of comment at the top, `values` the static values of the
    program's result, `uses` the modules (`std.nn`, or a path) and `items` the texts of further
    declarations that the ops come from.
    """
    prefix = "v"
    while any(name.startswith(prefix) and name[len(prefix) :].isdigit() for name in names_in_scope(graph)):
        prefix += "_"
    names = [given.name for given in graph.inputs]
    names += [f"{prefix}{number}" for number in range(1, len(graph.nodes) + 1)]
    lines = [*text_head(notes, uses, items), "", space_head(graph)]
    for name, node in zip(names[len(graph.inputs) :], graph.nodes, strict=True):
        lines.append(f"  {name} = {_applied(node, [names[value] for value in node.inputs])}")
    outputs = [names[output.value] for output in graph.outputs]
    lines += [f"  {result_text(graph.outputs, outputs, values)}", "}", ""]
    return "\n".join(lines)


def _applied(node: Node, given: list[str]) -> str:
    value = given[0] if len(given) == 1 else f"[{', '.join(given)}]"
    tied = f" tied {quoted(node.weights_at)}" if node.weights_at != node.address else ""
    function = configured(node.operation.name, node.operation.attributes)
    return f"{value} |> {function} at {quoted(node.address)}{tied}"
