"""A graph that came from elsewhere made as one would write it, without changing what it computes or its weights."""

from __future__ import annotations

import attrs

from archlang.ir.graph import Graph, Node
from archlang.ir.passes import merged_into, without_dead_code
from archlang.ir.raising import tokens

# Blocks that only hold others, of which each gets the name of the place where it is held.
CONTAINERS = frozenset({"sequential", "module_list", "module_dict"})


def tidied(graph: Graph) -> Graph:
    """The graph without dead code and ops that never do anything in it, with concatenations that grow
    by one tensor at a time (as in DenseNet) made of each other, and with modules whose name says only
    where they are held known as containers. Addresses of weights stay."""
    made = without_dead_code(_growing(_without_vain(graph)))
    return attrs.evolve(
        made, blocks={address: _class(address, block, graph.name) for address, block in graph.blocks.items()}
    )


def held_by(address: str) -> str:
    """What holds a module in the one around it, without numbers; "" for what has no such name."""
    names = [token.partition("#")[0].rstrip("0123456789_") for token in tokens(address) if token[0] not in "[:"]
    return names[-1] if names and names[-1].isidentifier() else ""


def _class(address: str, block: str, root: str) -> str:
    held = held_by(address)
    return "sequential" if block in (held, f"{root}_{held}") else block


def _without_vain(graph: Graph) -> Graph:
    """The graph without ops that leave their input as it is wherever they are applied (a dropout that
    does something elsewhere stays), and concatenations of one tensor."""
    busy = {node.operation.name for node in graph.nodes if "identity" not in node.operation.traits}
    merged: dict[int, int] = {}
    for number, node in enumerate(graph.nodes, len(graph.inputs)):
        operation = node.operation
        alone = operation.name == "concat" and len(operation.inputs) == 1
        vain = (operation.name not in busy and not operation.weights) or alone
        if vain and operation.inputs and operation.output == operation.inputs[0]:
            merged[number] = merged.get(node.inputs[0], node.inputs[0])
    return merged_into(graph, merged)


def _growing(graph: Graph) -> Graph:
    """The graph where `[a, b, c] |> concat` is `[ab, c] |> concat`, if `ab` is `[a, b] |> concat` before it.

    It then stands in the module that gives `c` and takes `ab`: a layer that adds to what it is given.
    """
    offset = len(graph.inputs)
    by_axis: dict[object, dict[tuple[int, ...], int]] = {}
    users: dict[int, list[str]] = {}
    taken = {node.address for node in graph.nodes}
    nodes = list(graph.nodes)
    grown: list[int] = []
    for index, node in enumerate(nodes):
        if node.operation.name == "concat" and len(node.inputs) > 1:
            known = by_axis.setdefault(node.operation.attributes, {})
            before = known.get(node.inputs[:-1]) if len(node.inputs) > 2 else node.inputs[0]
            if before is not None:
                inputs = (before, node.inputs[-1])
                kinds = tuple([graph.type_of(value) for value in inputs])
                operation = attrs.evolve(node.operation, inputs=kinds)
                nodes[index] = Node(node.address, operation, inputs, node.weights_at)
                grown.append(index)
            known.setdefault(node.inputs, offset + index)
        for value in nodes[index].inputs:
            users.setdefault(value, []).append(node.address)
    # A pair alone is no list that grows.
    longer = {value - offset for index in grown for value in nodes[index].inputs} | {
        index for index in grown if len(graph.nodes[index].inputs) > 2
    }
    for index in grown:
        node = nodes[index]
        before, last = node.inputs
        if index in longer and last >= offset:
            frame = _frame(graph, nodes[last - offset].address, node.address, users[before])
            if frame:
                address, count = f"{frame}/concat", 1
                while address in taken:
                    count += 1
                    address = f"{frame}/concat#{count}"
                taken.add(address)
                nodes[index] = Node(address, node.operation, node.inputs, address)
    return attrs.evolve(graph, nodes=tuple(nodes))


def _frame(graph: Graph, made: str, now: str, users: list[str]) -> str:
    """The innermost module around an address that one of the users is in, and `now` is not."""
    for end in range(len(made) - 1, 0, -1):
        frame = made[:end]
        if made[end] in "/[:" and frame in graph.blocks:
            if now.startswith(f"{frame}/"):
                return ""
            if any(user.startswith(f"{frame}/") for user in users):
                return frame
    return ""
