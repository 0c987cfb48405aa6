"""A graph as a picture: Graphviz text, with a box around every block."""

from __future__ import annotations

import json

from archlang.ir.addresses import frames
from archlang.ir.graph import Graph, Node
from archlang.ir.text import tensor_type

Members = dict[str, list[int | str]]


def dot_text(graph: Graph) -> str:
    """The graph for Graphviz's `dot`: inputs at the top, nodes labelled with op, shape and address,
    blocks as nested clusters."""
    values = [f"i{number}" for number in range(len(graph.inputs))]
    values += [f"n{number}" for number in range(len(graph.nodes))]
    lines = [f"digraph {json.dumps(graph.name)} {{", "  node [shape=box, style=rounded]"]
    for value, given in zip(values, graph.inputs, strict=False):
        lines.append(f"  {value} [label={_label(given.name, str(given.type))}, shape=ellipse]")
    lines += _cluster(graph, "", _members(graph), values)
    for value, node in zip(values[len(graph.inputs) :], graph.nodes, strict=True):
        lines += [f"  {values[source]} -> {value}" for source in node.inputs]
    for number, output in enumerate(graph.outputs):
        lines.append(f"  o{number} [label={_label(output.name or 'output')}, shape=ellipse]")
        lines.append(f"  {values[output.value]} -> o{number}")
    return "\n".join([*lines, "}", ""])


def _members(graph: Graph) -> Members:
    """What stands directly in each block (the program itself is ""): numbers of nodes, addresses of blocks."""
    members: Members = {"": []}
    for number, node in enumerate(graph.nodes):
        around = ""
        for frame in frames(node.address):
            if frame in graph.blocks:
                if frame not in members:
                    members[frame] = []
                    members[around].append(frame)
                around = frame
        members[around].append(number)
    return members


def _cluster(graph: Graph, frame: str, members: Members, values: list[str], indent: str = "  ") -> list[str]:
    lines: list[str] = []
    for member in members[frame]:
        if isinstance(member, int):
            lines.append(
                f"{indent}{values[len(graph.inputs) + member]} [label={_node_label(graph.nodes[member], frame)}]"
            )
        else:
            lines.append(f"{indent}subgraph {json.dumps(f'cluster {member}')} {{")
            lines.append(f"{indent}  label={_label(f'{_below(member, frame)}: {graph.blocks[member]}')}")
            lines += _cluster(graph, member, members, values, f"{indent}  ")
            lines.append(f"{indent}}}")
    return lines


def _node_label(node: Node, frame: str) -> str:
    site, op = _below(node.address, frame), node.operation.name
    named = [] if site.partition("#")[0].endswith(op) else [op]
    return _label(site, *named, tensor_type(node.operation.output, dtype=False))


def _below(address: str, frame: str) -> str:
    return address[len(frame) :].lstrip("/")


def _label(*lines: str) -> str:
    return json.dumps("\n".join(lines), ensure_ascii=False)
