"""A graph built op by op, typed by the declarations of the standard library.

A frontend says `add("conv2d", x, at=place, out=64, kernel=7)`; attributes that it leaves out have
their defaults, and shapes, weights and costs follow. Addresses are given in the end, when it is known
what stands beside an op in its module.
"""

from __future__ import annotations

import keyword
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs
import numpy as np

from archlang.conversion.captured import Array, Captured, Opaque
from archlang.diagnostics import Source
from archlang.ir.graph import Graph, Input, Node, Operation, Output
from archlang.ir.types import SymbolicDim, TensorType
from archlang.ir.verify import verify
from archlang.semantics.modules import Loader, ModuleScope
from archlang.semantics.typed import typed_operation
from archlang.syntax import ast
from archlang.syntax.tokens import ITEM_WORDS, RESERVED

BATCH = SymbolicDim("n")


@attrs.frozen
class Frame:
    """One application of a module: its address, and what its block is called."""

    address: str
    block: str


Place = tuple[Frame, ...]  # the modules around an op, outermost first; () is the model itself


@attrs.define(eq=False)
class _Draft:
    """An op before its address is known. `keys` name the model's parameters that its weights are."""

    operation: Operation
    inputs: tuple[int, ...]
    at: Place
    weights: Mapping[str, Array]
    keys: tuple[object, ...]


class GraphBuilder:
    """Collects inputs and ops. Values are numbers, as in `Graph`; inputs come before ops."""

    def __init__(self, name: str):
        named = identifier(name)
        self.inputs: list[Input] = []
        self.notes: list[str] = []
        self._drafts: list[_Draft] = []
        self._loader = Loader()
        self._library = self._loader.load_library("std.nn")
        self.name = f"{named}_model" if named in self._library.names() else named
        self._opaque: dict[str, tuple[ModuleScope, Opaque]] = {}

    @property
    def taken(self) -> set[str]:
        """The names that an op of one's own may not have."""
        return {self.name, *self._library.names()}

    def input(self, name: str, dtype: str, shape: Sequence[int]) -> int:
        """An input of these sizes for each sample; its value."""
        assert not self._drafts, "inputs come before ops"
        taken = {BATCH.name, *(given.name for given in self.inputs)}
        free = identifier(name)
        while free in taken:
            free += "_"
        self.inputs.append(Input(free, TensorType(dtype, (BATCH, *shape))))
        return len(self.inputs) - 1

    def type(self, value: int) -> TensorType:
        count = len(self.inputs)
        return self.inputs[value].type if value < count else self._drafts[value - count].operation.output

    def sizes(self, value: int) -> tuple[int, ...]:
        """The sizes of a value behind its batch."""
        return tuple([size for size in self.type(value).shape[1:] if isinstance(size, int)])

    def made_by(self, value: int) -> tuple[Operation, tuple[int, ...]] | None:
        """The operation that makes a value, and what of; None for an input."""
        draft = self._drafts[value - len(self.inputs)] if value >= len(self.inputs) else None
        return None if draft is None else (draft.operation, draft.inputs)

    def add(
        self,
        op: str,
        *inputs: int,
        at: Place = (),
        weights: Mapping[str, Array] | None = None,
        keys: Sequence[object] = (),
        **attributes: Any,
    ) -> int:
        """Apply an op; its value.

        `weights` holds its weights and states; ops whose `keys` (one for each weight, telling the
        model's parameters) are the same have their weights in common. Raises ArchError where the op's
        declaration refuses the inputs or attributes, ValueError where weights do not fit.
        """
        made = self._operation(op, inputs, attributes)
        given = {name: np.ascontiguousarray(array) for name, array in (weights or {}).items()}
        expected = {weight.name: weight.shape for weight in made.weights}
        if {name: array.shape for name, array in given.items()} != expected:
            found = {name: array.shape for name, array in given.items()}
            raise ValueError(f"op `{op}` has the weights {expected}, and is given {found}")
        return self._added(_Draft(made, inputs, at, given, tuple(keys)))

    def extern(self, opaque: Opaque, *inputs: int, at: Place = ()) -> int:
        """Apply an opaque part by the declaration of its op."""
        if opaque.name not in self._opaque:
            module = self._loader.load_source(f"<{opaque.name}>", Source(f"<{opaque.name}>", opaque.declaration))
            self._opaque[opaque.name] = module, opaque
        module, _ = self._opaque[opaque.name]
        return self._added(_Draft(self._operation(opaque.name, inputs, {}, module), inputs, at, {}, ()))

    def _added(self, draft: _Draft) -> int:
        self._drafts.append(draft)
        return len(self.inputs) + len(self._drafts) - 1

    def _operation(
        self, name: str, inputs: Iterable[int], attributes: Mapping[str, Any], module: ModuleScope | None = None
    ) -> Operation:
        module = module or self._library
        declaration = module.declaration(name)
        assert isinstance(declaration, ast.Op), name
        types = tuple([self.type(value) for value in inputs])
        return typed_operation(declaration, module, attributes, types)

    # -------------------------------------------------------------- the graph

    def captured(self, outputs: Sequence[tuple[str, int]]) -> Captured:
        """The graph of what the outputs (names and values) need, with its weights."""
        order = self._needed([value for _, value in outputs])
        first = len(self.inputs)
        number = {value: first + position for position, value in enumerate(order)} | {i: i for i in range(first)}
        drafts = [self._drafts[value - first] for value in order]
        addresses, blocks = _addresses(drafts)
        weights: dict[str, Array] = {}
        homes: dict[tuple[object, ...], str] = {}
        nodes = []
        for draft, address in zip(drafts, addresses, strict=True):
            home = address
            if draft.weights:
                key = (tuple(draft.weights), draft.keys) if draft.keys else address
                home = homes.setdefault((key, _specs(draft.operation)), address)
                weights |= {f"{home}.{name}": array for name, array in draft.weights.items()}
            nodes.append(Node(address, draft.operation, tuple([number[value] for value in draft.inputs]), home))
        used = {node.operation.name for node in nodes}
        graph = Graph(
            self.name,
            tuple(self.inputs),
            tuple(nodes),
            tuple([Output(name, number[value]) for name, value in outputs]),
            blocks,
        )
        opaque = [found for name, (_, found) in self._opaque.items() if name in used]
        notes = tuple(dict.fromkeys(self.notes))
        return Captured(verify(graph), weights, opaque=tuple(opaque), notes=notes)

    def _needed(self, outputs: Sequence[int]) -> list[int]:
        """The values of the ops that the outputs need, in order."""
        first = len(self.inputs)
        needed: set[int] = set()
        pending = list(outputs)
        while pending:
            value = pending.pop()
            if value >= first and value not in needed:
                needed.add(value)
                pending += self._drafts[value - first].inputs
        return sorted(needed)


def _specs(made: Operation) -> tuple[object, ...]:
    return tuple([(weight.name, weight.shape, weight.init, weight.trained) for weight in made.weights])


def _addresses(drafts: Sequence[_Draft]) -> tuple[list[str], dict[str, str]]:
    """The address of each op, and the blocks: a module that holds one op is no block, but the op."""
    held = Counter(frame.address for draft in drafts for frame in draft.at)
    taken = {address for address, count in held.items() if count > 1}
    blocks: dict[str, str] = {}
    found: list[str] = []
    for draft in drafts:
        for frame in draft.at:
            if held[frame.address] > 1:
                blocks[frame.address] = frame.block
        around = draft.at[-1].address if draft.at else ""
        if draft.at and held[around] == 1:
            address = around
        else:
            address = f"{around}/{draft.operation.name}" if around else draft.operation.name
        free, count = address, 1
        while free in taken:
            count += 1
            free = f"{address}#{count}"
        taken.add(free)
        found.append(free)
    return found, blocks


def identifier(name: str) -> str:
    """A name of the language from any text, in snake_case: `BasicBlock` is `basic_block`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|\W+", "_", name)
    plain = re.sub(r"_+", "_", words).strip("_").lower() or "model"
    if plain[0].isdigit():
        plain = f"m{plain}"
    return f"{plain}_" if plain in RESERVED | ITEM_WORDS or keyword.iskeyword(plain) else plain
