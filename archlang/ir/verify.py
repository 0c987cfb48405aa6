"""The verifier: what must hold of every graph, whoever made it."""

from __future__ import annotations

from collections.abc import Iterator

from archlang.ir.graph import Graph, WeightSpec


class InvalidGraph(ValueError):
    """A graph that breaks the rules of the IR; `violations` has a sentence for each breach.

    This is a mistake in whatever made the graph, never in a user's program.
    """

    def __init__(self, graph: Graph, violations: tuple[str, ...]):
        super().__init__("\n".join((f"the graph `{graph.name}` is not valid:", *violations)))
        self.violations = violations


def verify(graph: Graph) -> Graph:
    """The graph itself when it is well formed; InvalidGraph with all violations when not."""
    violations = tuple(sentence for rule in RULES for sentence in rule(graph))
    if violations:
        raise InvalidGraph(graph, violations)
    return graph


def names_are_unique(graph: Graph) -> Iterator[str]:
    """Inputs, outputs and node addresses have names of their own; no node stands at a block's address."""
    for kind, names in (
        ("input", [given.name for given in graph.inputs]),
        ("output", [output.name for output in graph.outputs]),
        ("address", [node.address for node in graph.nodes]),
    ):
        seen: set[str] = set()
        for name in names:
            if name in seen:
                yield f"{kind} `{name}` occurs more than once"
            seen.add(name)
    if "" in graph.blocks:
        yield "a block has no address"
    for node in graph.nodes:
        if not node.address:
            yield f"a node ({node.operation.name}) has no address"
        if node.address in graph.blocks:
            yield f"`{node.address}` is the address of a node and of the block `{graph.blocks[node.address]}`"


def values_precede_uses(graph: Graph) -> Iterator[str]:
    """Nodes use earlier values only, and outputs are values of the graph."""
    first = len(graph.inputs)
    for number, node in enumerate(graph.nodes, first):
        for value in node.inputs:
            if not 0 <= value < number:
                yield f"`{node.address}` uses value {value}, but only values before {number} exist there"
    for output in graph.outputs:
        if not 0 <= output.value < first + len(graph.nodes):
            yield f"output `{output.name}` is value {output.value}, which does not exist"


def types_agree(graph: Graph) -> Iterator[str]:
    """An operation gets as many values as it has inputs, each of the type that it was made for."""
    count = len(graph.inputs) + len(graph.nodes)
    for node in graph.nodes:
        expected = node.operation.inputs
        if len(expected) != len(node.inputs):
            yield f"`{node.address}` ({node.operation.name}) takes {len(expected)} values, not {len(node.inputs)}"
            continue
        for position, (value, wanted) in enumerate(zip(node.inputs, expected, strict=True)):
            if 0 <= value < count and graph.type_of(value) != wanted:
                yield f"`{node.address}`: input {position} is {graph.type_of(value)}, the operation is for {wanted}"


def weights_agree(graph: Graph) -> Iterator[str]:
    """Weights with one address are one weight; an operation's weights have different names."""
    known: dict[str, WeightSpec] = {}
    for node in graph.nodes:
        names = [weight.name for weight in node.operation.weights]
        if len(set(names)) < len(names):
            yield f"`{node.address}` ({node.operation.name}) has two weights of one name"
        for weight in node.operation.weights:
            address = f"{node.weights_at}.{weight.name}"
            other = known.setdefault(address, weight)
            if other is not weight and _essence(other) != _essence(weight):
                yield f"the weight `{address}` is {_describe(other)}, and at `{node.address}` it is {_describe(weight)}"


RULES = (names_are_unique, values_precede_uses, types_agree, weights_agree)


def _essence(weight: WeightSpec) -> tuple[object, ...]:
    return weight.shape, weight.init, weight.trained


def _describe(weight: WeightSpec) -> str:
    return f"{'' if weight.trained else 'the state '}{list(weight.shape)} init {weight.init}"
