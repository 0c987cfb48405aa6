"""One program of a space: its choices, its graph, and everything that follows from them."""

from __future__ import annotations

import json
import re
from functools import cached_property
from hashlib import blake2b
from inspect import signature
from typing import TYPE_CHECKING, Any

import attrs

from archlang.cost import Cost, cost
from archlang.diagnostics import ArchError, error
from archlang.ir.graph import Graph
from archlang.space.choices import Choices, show_pick
from archlang.space.resolver import Resolved

# What only some programs are asked for is imported then: checking a space is not to wait for it.

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from archlang.backend import Array, Backend
    from archlang.ir.fitting import WeightReport
    from archlang.space.space import Space


class Program:
    """A space with all its decisions made."""

    def __init__(self, space: Space, resolved: Resolved):
        self.space = space
        self.choices = Choices({address: pick for address, (_, pick) in resolved.decisions.items()})
        self._resolved = resolved
        self._weights: Mapping[str, Array] | None = None

    def __repr__(self) -> str:
        return f"Program({self.space.name}, {self.choices.as_dict()})"

    @cached_property
    def _read(self) -> tuple[Graph | None, Any]:
        graph, values = self._resolved.read(self.space.name)
        return graph, values

    @property
    def has_graph(self) -> bool:
        """Whether the program holds a network (a pure hyper-parameter space has none)."""
        return self._read[0] is not None

    @property
    def graph(self) -> Graph:
        """The typed graph of the network; ArchError when the program holds none."""
        graph = self._read[0]
        if graph is None:
            raise ArchError(
                error(
                    "E0409",
                    f"`{self.space.name}` holds no network, only values",
                    hints=["its values are in `program.values`"],
                )
            )
        return graph

    @property
    def values(self) -> dict[str, Any]:
        """The static fields of a recipe (learning rate, …) as plain data; empty for a bare network,
        the value under "" for a space that is one number."""
        return dict(self._read[1])

    @property
    def subject(self) -> Any:
        """What functions that evaluate are given: the program itself."""
        return self

    def cost(self) -> Cost:
        """Parameters, multiply-adds, activations, memory and depth of the network."""
        return self._cost

    @cached_property
    def _cost(self) -> Cost:
        return cost(self.graph)

    def measured(self) -> dict[str, float]:
        """What the network takes by each table of the space, in the table's unit: `latency` in ms,
        `energy` in mJ. ArchError (E0507) for ops that a table lacks."""
        return {name: table.predict(self.graph) for name, table in self.space.tables.items()}

    @cached_property
    def canonical_hash(self) -> str:
        """A hash that programs with equal networks share, however they are written."""
        from archlang.ir.canonical import canonical_hash

        return canonical_hash(self.graph)

    @cached_property
    def functional_hash(self) -> str:
        """A hash that programs share which compute the same function as far as simple rewriting shows: see
        `archlang.ir.functional`. The values of a recipe count, with the picks at their fields (which say of what
        branch they are); of a program without a network, all picks count. Their costs may differ."""
        if not self.has_graph:
            return _digest("data", self.choices.as_dict())
        from archlang.ir.functional import functional_hash

        return self._with_values(functional_hash(self.graph))

    def output_hash(self, seed: int = 0) -> str:
        """A hash that programs share whose networks give the same outputs for some random inputs, by the numpy
        backend: it merges more than `functional_hash`, see `archlang.space.probing`. Values count as there, and
        programs without a network have their functional hash.

        ArchError (E0803) for an op that numpy cannot do; ValueError when outputs are not finite.
        """
        if not self.has_graph:
            return self.functional_hash
        from archlang.space.probing import output_hash

        return self._with_values(output_hash(self.graph, seed))

    def _with_values(self, network: str) -> str:
        """The hash of the program, given that of its network."""
        values = self.values
        if not values:
            return network
        picks = {at: pick for at, pick in self.choices.as_dict().items() if re.split(r"[^\w]", at)[0] in values}
        return _digest(network, values, picks)

    def source(self, flat: bool = False, library: bool = True) -> str:
        """The program as `.arch` text without choices: with its blocks, those of the library by their names
        (unless `library` is false), or one op a line (the text of the IR: it evaluates to an equal graph)."""
        from archlang.ir.flat import flat_text
        from archlang.semantics.declared import declarations_for
        from archlang.semantics.writing import written

        graph = self._read[0] or Graph(self.space.name, (), (), ())
        module = self.space.scope
        uses, items = declarations_for(module, graph)
        if flat:
            return flat_text(graph, self._notes(), values=self.values, uses=uses, items=items)
        return written(graph, module, self._notes(), self.values, uses, items, recognising=library)

    def dot(self) -> str:
        """The network as Graphviz text, one cluster for each block: `dot -Tsvg` makes a picture."""
        from archlang.ir.dot import dot_text

        return dot_text(self.graph)

    def build(self, name: str = "torch", seed: int = 0, **options: Any) -> Any:
        """The network as a module of a backend; weights are drawn by `seed` and their addresses, alike
        for all backends, unless the program has its own (`with_weights`). Options are the backend's own
        (tensorflow: `data_format`)."""
        backend = _backend(name)
        externs = self._externs(name)
        network = backend.build(self.graph, seed=seed, **({"externs": externs} if externs else {}), **options)
        if self._weights is not None:
            backend.set_weights(self.graph, network, self._weights)
        return network

    def _externs(self, name: str) -> dict[str, Any]:
        """The modules for the opaque parts of the network; ArchError where one is missing (E0813) or the
        backend takes none (E0808)."""
        names = dict.fromkeys(node.operation.name for node in self.graph.nodes if "extern" in node.operation.traits)
        missing = [op for op in names if op not in self.space.externs]
        if missing:
            given = ", ".join(f'"{op}": module' for op in missing)
            raise ArchError(
                error(
                    "E0813",
                    f"`{missing[0]}` is a part of a model that this file only names",
                    hints=(f"hand it over: al.load(path, externs={{{given}}})",),
                )
            )
        if names and "externs" not in signature(_backend(name).build).parameters:
            raise ArchError(error("E0808", f"the {name} backend takes no modules for opaque parts of a network"))
        return {op: self.space.externs[op] for op in names}

    def with_weights(self, weights: Mapping[str, Array]) -> Program:
        """This program with weights and states of its own, by address, which `build` gives to networks.
        ArchError (E0807) when they do not fit."""
        from archlang.ir.weights import check_weights

        check_weights(self.graph, weights)
        program = self.with_blocks(self.graph.blocks)
        program._weights = dict(weights)
        return program

    def with_blocks(self, blocks: Mapping[str, str]) -> Program:
        """This program with the blocks that stand at addresses of its graph, which a flat text does not tell."""
        program = Program(self.space, self._resolved)
        program._read = attrs.evolve(self.graph, blocks=blocks), self._read[1]
        program._weights = self._weights
        return program

    @property
    def weights(self) -> Mapping[str, Array]:
        """The weights that the program has of its own (`with_weights`), by address; empty without any."""
        return self._weights or {}

    def save_weights(self, network: Any, path: Path | str, name: str = "torch") -> None:
        """Write a built network's weights to a `.safetensors` file, named by address."""
        from archlang.ir.weights import write_weights

        write_weights(path, _backend(name).weights(self.graph, network))

    def load_weights(
        self, network: Any, path: Path | str, name: str = "torch", *, partial: bool = False
    ) -> WeightReport:
        """Give a built network the weights of a file that any backend wrote.

        ArchError (E0807) when they do not fit. With `partial` the file may be another program's:
        what agrees in address and shape is taken, what is larger is sliced, and all else stays as
        it is. The report says which weights are which.
        """
        from archlang.ir.fitting import WeightReport, fit_weights
        from archlang.ir.weights import check_weights, read_weights

        backend, weights = _backend(name), read_weights(path)
        if partial:
            weights, report = fit_weights(self.graph, weights, backend.weights(self.graph, network))
        else:
            check_weights(
                self.graph, weights, ["take those that fit with `program.load_weights(network, path, partial=True)`"]
            )
            report = WeightReport(kept=tuple(self.graph.weights))
        backend.set_weights(self.graph, network, weights)
        return report

    def export_onnx(self, network: Any, path: Path | str, name: str = "torch") -> None:
        """Write a built network for inference as an ONNX model; weights are named by address."""
        from archlang.backend import onnx_exporter

        onnx_exporter(name).export_onnx(self.graph, network, path)

    def emit(self, name: str = "torch") -> str:
        """The network as readable source code of a backend that needs no archlang."""
        return _backend(name).emit(self.graph, self._notes())

    def _notes(self) -> list[str]:
        chosen = [f"{address} = {show_pick(pick)}" for address, pick in self.choices.items()]
        return [f"A program of {self.space.name}.", *chosen]


def _digest(*parts: Any) -> str:
    return blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=16).hexdigest()


def _backend(name: str) -> Backend:
    from archlang.backend import backend

    return backend(name)
