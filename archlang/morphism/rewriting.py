"""A program's graph with ops changed, put in and taken out, typed anew, as a program."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from archlang.ir.flat import flat_text
from archlang.ir.graph import Graph, Node, Output
from archlang.semantics.declared import declarations_for
from archlang.semantics.typed import declared_op, typed_operation
from archlang.space.loading import loads
from archlang.space.program import Program


@attrs.define(eq=False)
class Step:
    """A node that is being changed: its op by name, what it is given, and what of."""

    address: str
    op: str
    attributes: dict[str, Any]
    inputs: list[Step | int]  # a number is one of the graph's inputs
    weights_at: str


class Rewriting:
    """The nodes of a program's graph, to be changed, and then a program again. New ones go into `steps`."""

    def __init__(self, program: Program):
        self._program = program
        self._graph = program.graph
        first = len(self._graph.inputs)
        self.steps: list[Step] = []
        for node in self._graph.nodes:
            given = [value if value < first else self.steps[value - first] for value in node.inputs]
            self.steps.append(
                Step(node.address, node.operation.name, dict(node.operation.attributes), given, node.weights_at)
            )
        self.outputs: list[Step | int] = [
            output.value if output.value < first else self.steps[output.value - first] for output in self._graph.outputs
        ]
        self.blocks = dict(self._graph.blocks)

    def step(self, address: str) -> Step:
        return next(step for step in self.steps if step.address == address)

    def replace(self, old: Step, new: Step | int, but: Iterable[Step] = ()) -> None:
        """Let all that took the one take the other, except some."""
        kept = {id(step) for step in but}
        for step in self.steps:
            if id(step) not in kept:
                step.inputs = [new if given is old else given for given in step.inputs]
        self.outputs = [new if given is old else given for given in self.outputs]

    def free(self, address: str) -> str:
        """An address like this one that no node and no block has."""
        taken = {step.address for step in self.steps} | set(self.blocks)
        found, count = address, 1
        while found in taken or any(other.startswith(f"{found}/") for other in taken):
            count += 1
            found = f"{address}#{count}"
        return found

    def _reached(self) -> list[Step]:
        """The steps that the outputs need, each after what it needs, depth first."""
        order: dict[int, Step] = {}
        pending = [(given, False) for given in reversed(self.outputs)]
        while pending:
            step, done = pending.pop()
            if isinstance(step, int) or id(step) in order:
                continue
            if done:
                order[id(step)] = step
            else:
                pending.append((step, True))
                pending += [(given, False) for given in reversed(step.inputs)]
        return list(order.values())

    def graph(self) -> Graph:
        """The graph of the steps; ArchError where an op refuses what it is given."""
        inputs = self._graph.inputs
        steps = self._reached()
        number = {id(step): len(inputs) + place for place, step in enumerate(steps)}
        nodes: list[Node] = []
        for step in steps:
            values = [given if isinstance(given, int) else number[id(given)] for given in step.inputs]
            types = [inputs[v].type if v < len(inputs) else nodes[v - len(inputs)].operation.output for v in values]
            found = declared_op(self._program.space.scope, step.op)
            assert found is not None, step.op
            made = typed_operation(*found, step.attributes, tuple(types))
            nodes.append(Node(step.address, made, tuple(values), step.weights_at))
        around = {step.address[:end] for step in steps for end, sign in enumerate(step.address) if sign == "/"}
        blocks = {address: block for address, block in self.blocks.items() if address in around}
        outputs = [
            Output(output.name, given if isinstance(given, int) else number[id(given)])
            for output, given in zip(self._graph.outputs, self.outputs, strict=True)
        ]
        return Graph(self._graph.name, inputs, tuple(nodes), tuple(outputs), blocks)

    def program(self, weights: Mapping[str, Any], graph: Graph | None = None) -> Program:
        """The program of the steps with these weights."""
        graph = graph or self.graph()
        uses, items = declarations_for(self._program.space.scope, graph)
        text = flat_text(graph, values=self._program.values, uses=uses, items=items)
        program = loads(text, check=False, externs=self._program.space.externs).program()
        assert program.graph == graph
        return program.with_blocks(graph.blocks).with_weights(weights)
