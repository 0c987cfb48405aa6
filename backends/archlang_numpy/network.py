"""A graph as a network that numpy runs, one node after another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from archlang.ir.graph import Graph, Operation
from archlang.lowering.initial import Drawing
from archlang_numpy.lowering import DTYPES, LOWERINGS, Array, reference


class Network:
    """A program at inference: takes the graph's inputs in order, gives the output, or a dictionary
    of outputs where they have names.

    `weights` holds the weights and states by address. Results have the type that numpy gives to
    inputs and weights together.
    """

    def __init__(self, graph: Graph, weights: dict[str, Array]) -> None:
        self.graph = graph
        self.weights = weights
        count = len(graph.inputs)
        last: dict[int, int] = {}
        for position, node in enumerate(graph.nodes):
            last |= dict.fromkeys((count + position, *node.inputs), position)
        for output in graph.outputs:
            last.pop(output.value, None)
        self._dying: list[list[int]] = [[] for _ in graph.nodes]
        for value, position in last.items():
            self._dying[position].append(value)
        calls: dict[Operation, Callable[..., Array]] = {}
        for node in graph.nodes:
            if node.operation not in calls:
                calls[node.operation] = reference(node.operation)
        self._calls = [calls[node.operation] for node in graph.nodes]

    def __call__(self, *inputs: Any) -> Any:
        graph = self.graph
        if len(inputs) != len(graph.inputs):
            names = ", ".join(given.name for given in graph.inputs)
            raise TypeError(f"{graph.name} takes {len(graph.inputs)} inputs ({names}), not {len(inputs)}")
        values: dict[int, Array] = {i: np.asarray(given) for i, given in enumerate(inputs)}
        for number, (node, call, dying) in enumerate(zip(graph.nodes, self._calls, self._dying, strict=True)):
            weights = {spec.name: self.weights[f"{node.weights_at}.{spec.name}"] for spec in node.operation.weights}
            values[len(inputs) + number] = call(*[values[value] for value in node.inputs], **weights)
            for value in dying:
                del values[value]
        results = {output.name: values[output.value] for output in graph.outputs}
        return results[""] if list(results) == [""] else results


def build(graph: Graph, seed: int = 0) -> Network:
    """The graph as a network with weights drawn from `seed` and their addresses.

    Raises ArchError (E0803) that names every op that cannot be lowered.
    """
    LOWERINGS.check(graph)
    drawing = Drawing(seed)
    weights: dict[str, Array] = {}
    for node in graph.nodes:
        dtype = DTYPES[node.operation.output.dtype]
        dtype = dtype if issubclass(dtype, np.floating) else np.float32
        for spec in node.operation.weights:
            address = f"{node.weights_at}.{spec.name}"
            if address not in weights:
                weights[address] = drawing.draw(address, spec).astype(dtype, copy=False)
    return Network(graph, weights)
