"""A backend for dense networks, in one page: it writes them as numpy code, and runs what it writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from archlang.backend import Array, unsupported_error
from archlang.diagnostics import ArchError, error
from archlang.ir.graph import Graph, Node
from archlang.ir.weights import check_weights
from archlang.lowering.initial import Drawing
from archlang.lowering.library import library_ops

REASON = "does dense networks only"

# What each op is: an expression over its input `x`, its weights by name, and its attributes.
OPS: dict[str, Callable[[Node], str]] = {
    "identity": lambda node: "{x}",
    "relu": lambda node: "np.maximum({x}, 0)",
    "tanh": lambda node: "np.tanh({x})",
    "square": lambda node: "{x} * {x}",
    "scale": lambda node: "{x} * {factor}",
    "feature_bias": lambda node: "{x} + {bias}",
    "linear": lambda node: "{x} @ {kernel}.T" + (" + {bias}" if len(node.operation.weights) > 1 else ""),
    "flatten": lambda node: "{x}.reshape(*{x}.shape[:{start}], -1)",
}


class Network:
    """A written network with its weights by address."""

    def __init__(self, source: str, weights: dict[str, Array]) -> None:
        names: dict[str, Any] = {}
        exec(compile(source, "dense_network.py", "exec"), names)  # our own text, from a checked graph
        self.function = names["network"]
        self.weights = weights


class DenseBackend:
    """See `archlang.backend.Backend` for what the methods do."""

    name = "dense"

    @property
    def matrix(self) -> Mapping[str, str]:
        return {op: "lowered" if op in OPS else f"unsupported: {REASON}" for op in library_ops()}

    def unsupported(self, graph: Graph) -> tuple[str, ...]:
        return tuple(dict.fromkeys(node.operation.name for node in graph.nodes if node.operation.name not in OPS))

    def emit(self, graph: Graph, header: Sequence[str] = ()) -> str:
        refused: dict[str, tuple[str, list[str]]] = {}
        for node in graph.nodes:
            op = node.operation.name
            if op not in OPS:
                refused.setdefault(op, (f"{REASON}, and not op `{op}`", []))[1].append(node.address)
        if refused:
            raise unsupported_error(self.name, refused)
        inputs = [f"x{number}" for number in range(len(graph.inputs))]
        values = inputs + [f"y{number}" for number in range(len(graph.nodes))]
        lines = [f"# {line}" for entry in header for line in entry.splitlines()]
        lines += ["import numpy as np", "", "", f"def network({', '.join(inputs)}, w):"]
        for node, value in zip(graph.nodes, values[len(inputs) :], strict=True):
            named = {weight.name: f'w["{node.weights_at}.{weight.name}"]' for weight in node.operation.weights}
            known = {"x": values[node.inputs[0]], **dict(node.operation.attributes), **named}
            lines.append(f"    {value} = {OPS[node.operation.name](node).format_map(known)}")
        results = ", ".join(f'"{output.name}": {values[output.value]}' for output in graph.outputs)
        bare = [output.name for output in graph.outputs] == [""]
        lines.append(f"    return {values[graph.outputs[0].value] if bare else f'{{{results}}}'}")
        return "\n".join([*lines, ""])

    def build(self, graph: Graph, seed: int = 0) -> Network:
        drawing = Drawing(seed)
        double = any(given.type.dtype == "f64" for given in graph.inputs)
        drawn = {address: drawing.draw(address, spec) for address, spec in graph.weights.items()}
        return Network(self.emit(graph), {at: w.astype(np.float64) if double else w for at, w in drawn.items()})

    def weights(self, graph: Graph, network: Network) -> dict[str, Array]:
        return dict(network.weights)

    def set_weights(self, graph: Graph, network: Network, weights: Mapping[str, Array]) -> None:
        check_weights(graph, weights)
        network.weights = {at: np.asarray(weights[at], w.dtype) for at, w in network.weights.items()}

    def run(self, network: Network, *inputs: Array) -> Any:
        return network.function(*inputs, network.weights)

    def fit(self, *arguments: Any, **settings: Any) -> NoReturn:
        raise ArchError(error("E0808", "the dense backend cannot train", hints=("train with `torch`",)))

    def gradients(self, *arguments: Any) -> NoReturn:
        raise ArchError(error("E0808", "the dense backend cannot work out gradients", hints=("take `torch`",)))


backend = DenseBackend()
