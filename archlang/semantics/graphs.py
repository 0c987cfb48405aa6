"""From evaluated tensors to the graph of one program: selects resolved, diagrams read off."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from archlang.ir.graph import Graph, Input, Node, Output
from archlang.semantics.diagram import at
from archlang.semantics.fault import Fault, FaultSignal
from archlang.semantics.operations import AttributeTuple, operation
from archlang.semantics.values import InputNode, OpNode, SelectNode, Symbolic, Tensor, Value


class Specialiser:
    """Reads one program off an evaluation. `position` gives the position of the pick of a diagram
    variable; `picks` the picks themselves by address."""

    def __init__(self, position: Callable[[int], int], picks: Mapping[str, Any]):
        self._position = position
        self._picks = picks

    def value(self, value: Value) -> Value:
        """A static value for the picks; raises `FaultSignal` where it is a fault."""
        value = at(value, self._position)
        if type(value) is Fault:
            raise FaultSignal(value)
        if isinstance(value, Symbolic):
            return self._symbolic(value)
        if isinstance(value, tuple):
            return AttributeTuple(self.value(item) for item in value)
        return value

    def _symbolic(self, value: Symbolic) -> Value:
        if value.function is None:
            (address,) = value.decisions
            return self._picks[address]
        return value.function(*(self.value(argument) for argument in value.arguments))

    def tensor(self, value: Value) -> Tensor:
        """The tensor that selects resolve to."""
        value = self.value(value)
        while type(value.node) is SelectNode:
            value = value.node.kids[self._position(value.node.var)]
            if type(value) is Fault:
                raise FaultSignal(value)
        return value  # type: ignore[no-any-return]

    def graph(
        self, name: str, inputs: tuple[Input, ...], outputs: list[tuple[str, Tensor]], blocks: Mapping[str, str]
    ) -> Graph:
        """The graph of the nodes that the outputs need, in the order in which a walk from the
        outputs through the inputs of each node completes them."""
        numbers = {given.name: number for number, given in enumerate(inputs)}
        types = [given.type for given in inputs]
        nodes: list[Node] = []
        done: dict[int, int] = {}
        keep: list[Tensor] = []  # identities stay taken while their numbers are in use

        def number_of(tensor: Tensor) -> int:
            stack: list[tuple[Tensor, list[Tensor] | None]] = [(tensor, None)]
            while stack:
                here, ready = stack.pop()
                node = here.node
                if id(node) in done:
                    continue
                if type(node) is InputNode:
                    done[id(node)] = numbers[node.name]
                    continue
                assert type(node) is OpNode
                if ready is None:
                    ready = [self.tensor(given) for given in node.inputs]
                    stack.append((here, ready))
                    stack.extend((given, None) for given in reversed(ready) if id(given.node) not in done)
                    continue
                given = tuple([done[id(tensor.node)] for tensor in ready])
                config = tuple([self.value(value) for value in node.config])
                work = operation(node.op, config, tuple([types[number] for number in given]))
                done[id(node)] = len(types)
                types.append(work.output)
                nodes.append(Node(node.address, work, given, node.weights_at))
            return done[id(tensor.node)]

        results = []
        for label, tensor in outputs:
            resolved = self.tensor(tensor)
            keep.append(resolved)
            results.append(Output(label, number_of(resolved)))
        return Graph(name, inputs, tuple(nodes), tuple(results), _used_blocks(blocks, nodes))


def _used_blocks(blocks: Mapping[str, str], nodes: list[Node]) -> dict[str, str]:
    """The blocks at the addresses that enclose a node, outermost first."""
    found: dict[str, str] = {}
    for node in nodes:
        for end, char in enumerate(node.address):
            if char in "/:" and (name := blocks.get(node.address[:end])) is not None:
                found.setdefault(node.address[:end], name)
    return found


PLAIN = Specialiser(lambda var: 0, {})
