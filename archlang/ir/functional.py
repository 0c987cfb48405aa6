"""The functional form of a graph, and its hash: equal for graphs that compute the same function, as far as
simple rewriting shows."""

from __future__ import annotations

import attrs

from archlang.ir.canonical import fingerprint, in_canonical_order
from archlang.ir.graph import Graph, Node, Operation
from archlang.ir.passes import rewired, without_dead_code, without_identities
from archlang.ir.types import TensorType

ZERO = "0"  # the op of zeros, which no library can have


def functional_hash(graph: Graph) -> str:
    """The fingerprint of what the network computes, 32 hexadecimal digits, the same in every process.

    Beside what `canonical_hash` ignores, zeros vanish from sums and from all that makes zeros of zeros (traits
    `zeros`, `keeps_zeros`, `additive`), and a sum of sums is one sum. What depends on trained weights is taken as
    it is: a convolution of zeros stays, as the normalisation behind it learns a shift. Two computations of the
    same stay apart from one that is used twice, also without weights, where `canonical_hash` merges them.
    Equal networks agree up to the rounding of sums in another order; their costs may differ by what is dead.
    """
    return fingerprint(functional_form(graph))


def functional_form(graph: Graph) -> Graph:
    """The same function as a graph in canonical order, without zeros that vanish and with flat sums. It is to be
    compared, not to be built: its zeros are an op of no library."""
    for run in PASSES:
        graph = run(graph)
    return graph


def without_zeros(graph: Graph) -> Graph:
    """The graph with one node for all zeros of a type, and with sums of what is not zero. Nodes that this leaves
    without users stay."""
    first = len(graph.inputs)
    stands = list(range(first))  # for each value the one that stands for it
    constants: dict[TensorType, int] = {}
    zeros: set[int] = set()
    nodes: list[Node] = []
    for number, node in enumerate(graph.nodes, first):
        operation, inputs, stand = node.operation, tuple([stands[value] for value in node.inputs]), number
        traits = operation.traits
        if "zeros" in traits or ("keeps_zeros" in traits and inputs and zeros.issuperset(inputs)):
            zeros.add(number)
            stand = constants.setdefault(operation.output, number)
            constant = Operation(ZERO, (), (), operation.output, traits=frozenset({"zeros"}))
            node = Node(node.address, constant, (), node.weights_at)
        else:
            if "additive" in traits and not zeros.isdisjoint(inputs):
                rest = tuple([value for value in inputs if value not in zeros])
                # Zeros count where their shape does: sums repeat dimensions of size 1.
                if any(graph.type_of(value) == operation.output for value in rest):
                    inputs = rest
                    stand = rest[0] if len(rest) == 1 else number
            node = _applied(node, inputs, graph)
        stands.append(stand)
        nodes.append(node)
    if not zeros:
        return graph
    outputs = tuple([attrs.evolve(output, value=stands[output.value]) for output in graph.outputs])
    return attrs.evolve(graph, nodes=tuple(nodes), outputs=outputs)


def with_flat_sums(graph: Graph) -> Graph:
    """The graph with a sum whose one use is an operand of another sum made part of that. Nodes that this leaves
    without users stay."""
    first = len(graph.inputs)
    uses = [0] * (first + len(graph.nodes))
    for value in [value for node in graph.nodes for value in node.inputs] + [output.value for output in graph.outputs]:
        uses[value] += 1
    nodes: list[Node] = []
    for node in graph.nodes:
        if "additive" in node.operation.traits:
            inputs: list[int] = []
            for value in node.inputs:
                inner = nodes[value - first] if value >= first and uses[value] == 1 else None
                inputs += inner.inputs if inner is not None and _is_part(inner, node) else (value,)
            node = _applied(node, tuple(inputs), graph)
        nodes.append(node)
    return attrs.evolve(graph, nodes=tuple(nodes))


PASSES = (
    without_identities,
    without_zeros,
    without_dead_code,
    with_flat_sums,
    without_zeros,  # an operand of the outer sum may have the shape that those of the inner had not
    without_dead_code,
    in_canonical_order,
)


def _is_part(inner: Node, outer: Node) -> bool:
    """Whether a node is a sum of the same kind and precision as another, so that it may be part of it."""
    one, other = inner.operation, outer.operation
    return (
        (one.name, one.attributes, one.output.dtype) == (other.name, other.attributes, other.output.dtype)
        and not one.weights
        and not other.weights
    )


def _applied(node: Node, inputs: tuple[int, ...], graph: Graph) -> Node:
    """The node applied to other values, perhaps not as many."""
    if len(inputs) == len(node.inputs):
        return rewired(node, inputs)
    operation = attrs.evolve(node.operation, inputs=tuple([graph.type_of(value) for value in inputs]))
    return Node(node.address, operation, inputs, node.weights_at)
