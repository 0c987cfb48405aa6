"""Which elements of a network's axes are one channel.

Every axis of every value of a graph is an array of channel numbers. An op makes new channels (`out` of
`conv2d`), hands on those of its inputs, or says that two are one (a sum). What is left are the classes that can
only come, go and be copied together: DepGraph's groups (Fang et al. 2023), element by element, so that
concatenations, shuffles, slices and groups need no rule of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archlang.ir.graph import Graph, Node
from archlang.morphism.roles import BROADCAST, groups_of, rest_places
from archlang.syntax import ast

Ids = NDArray[np.int64]
Axes = list[Ids | None]  # of one value; None for the batch


class Channels:
    """The channels of a graph.

    `axes[value][axis]` holds the class of each element, `count` says how many classes there are, and `parts` of
    what others a class is put together (the elements of a flattened axis are of a channel and a place each).
    """

    def __init__(self, graph: Graph, declared: Callable[[Node], ast.Op | None]):
        self._graph = graph
        self._declared = declared
        self._parents: list[int] = []
        self._composites: dict[tuple[Hashable, ...], int] = {}
        self._sets: dict[int, frozenset[int]] = {}  # the members of composites that are sets
        self._same: list[tuple[Ids, Ids]] = []
        self.axes: list[Axes] = [self._fresh(given.type.shape) for given in graph.inputs]
        for node in graph.nodes:
            self.axes.append(self._outputs(node, [self.axes[value] for value in node.inputs]))
        self._settle()

    # -------------------------------------------------------------- classes

    def _new(self, count: int) -> Ids:
        first = len(self._parents)
        self._parents.extend(range(first, first + count))
        return np.arange(first, first + count)

    def _fresh(self, shape: Sequence[Any]) -> Axes:
        return [self._new(size) if isinstance(size, int) else None for size in shape]

    def _composite(self, key: tuple[Hashable, ...]) -> int:
        found = self._composites.get(key)
        if found is None:
            found = self._composites[key] = int(self._new(1)[0])
        return found

    def _root(self, number: int) -> int:
        while self._parents[number] != number:
            self._parents[number] = number = self._parents[self._parents[number]]
        return number

    def _join(self, one: int, other: int) -> bool:
        one, other = self._root(one), self._root(other)
        if one != other:
            self._parents[max(one, other)] = min(one, other)
        return one != other

    def _unify(self, one: Ids | None, other: Ids | None) -> None:
        if one is not None and other is not None and one is not other and len(one) == len(other):
            self._same.append((one, other))

    def _settle(self) -> None:
        """Classes by their least number; composites of the same parts are one."""
        for one, other in self._same:
            for a, b in zip(one.tolist(), other.tolist(), strict=True):
                if a != b:
                    self._join(a, b)
        changed = bool(self._composites)
        while changed:
            changed = False
            met: dict[tuple[Hashable, ...], int] = {}
            for key, number in self._composites.items():
                changed |= self._join(number, met.setdefault(self._key(key), number))
        roots = np.array([self._root(number) for number in range(len(self._parents))], dtype=np.int64)
        self.axes = [[None if ids is None else roots[ids] for ids in axes] for axes in self.axes]
        atoms = set(range(len(roots))) - set(self._composites.values())
        whole = {int(roots[number]) for number in atoms}
        self.count = len(roots)
        self._atoms: dict[int, Ids] = {}
        self.parts: dict[int, tuple[Hashable, ...]] = {
            int(roots[number]): self._key(key)
            for key, number in self._composites.items()
            if int(roots[number]) not in whole
        }

    def atoms(self, ids: Ids) -> Ids:
        """The classes of some channels, with those that they are put together of."""
        found = np.unique(ids)
        several = [number for number in found.tolist() if number in self.parts]
        return np.unique(np.concatenate([found, *(self._parts_of(number) for number in several)])) if several else found

    def _parts_of(self, number: int) -> Ids:
        known = self._atoms.get(number)
        if known is None:
            parts = np.array([part for part in self.parts[number] if isinstance(part, int)], dtype=np.int64)
            known = self._atoms[number] = self.atoms(parts)
        return known

    def _key(self, key: tuple[Hashable, ...]) -> tuple[Hashable, ...]:
        return tuple([self._root(part) if isinstance(part, int) else part for part in key])

    # ------------------------------------------------------------------ ops

    def _outputs(self, node: Node, given: list[Axes]) -> Axes:
        operation = node.operation
        shape = operation.output.shape
        handler = _HANDLERS.get(operation.name)
        if operation.name in BROADCAST:
            return self._broadcast(given, shape)
        if handler is not None:
            found = handler(self, node, given, shape)
            if found is not None:
                return found
            return self._fresh(shape)
        return self._by_declaration(node, given, shape)

    def _broadcast(self, given: list[Axes], shape: Sequence[Any]) -> Axes:
        found: Axes = []
        for axis in range(len(shape)):
            there = [axes[axis - len(shape) + len(axes)] for axes in given if axis - len(shape) + len(axes) >= 0]
            wide = [ids for ids in there if ids is not None and len(ids) == shape[axis]]
            for ids in wide[1:]:
                self._unify(wide[0], ids)
            found.append(wide[0] if wide else None)
        return found

    def _concat(self, node: Node, given: list[Axes], shape: Sequence[Any]) -> Axes:
        at = node.operation.attribute("axis") % len(shape)
        found = list(given[0])
        for axes in given[1:]:
            for axis in range(len(shape)):
                if axis != at:
                    self._unify(found[axis], axes[axis])
        parts = [ids for axes in given if (ids := axes[at]) is not None]
        found[at] = np.concatenate(parts) if len(parts) == len(given) else None  # batches have no channels
        return found

    def _permute(self, node: Node, given: list[Axes], shape: Sequence[Any]) -> Axes:
        return [given[0][axis] for axis in node.operation.attribute("order")]

    def _transpose(self, node: Node, given: list[Axes], shape: Sequence[Any]) -> Axes:
        found = list(given[0])
        one, other = (node.operation.attribute(end) % len(found) for end in ("a", "b"))
        found[one], found[other] = found[other], found[one]
        return found

    def _flatten(self, node: Node, given: list[Axes], shape: Sequence[Any]) -> Axes | None:
        start = node.operation.attribute("start")
        made = self._product(given[0][start:])
        return None if made is None else [*given[0][:start], made]

    def _product(self, axes: Sequence[Ids | None]) -> Ids | None:
        """The channels of several axes made one."""
        wide = [ids for ids in axes if ids is None or len(ids) > 1]
        if len(wide) == 1:
            return wide[0]
        if not wide or any(ids is None for ids in wide):
            return None if wide else axes[0]
        grid = np.stack(np.meshgrid(*[ids for ids in wide if ids is not None], indexing="ij"), axis=-1)
        rows = grid.reshape(-1, len(wide)).tolist()
        return np.array([self._met(row) for row in rows], dtype=np.int64)

    def _met(self, row: list[int]) -> int:
        """The channel that blocks and places of it in them meet in, or one put together of several."""
        known = [self._sets.get(part) for part in row]
        if len(row) > 1 and all(each is not None for each in known):
            shared = set.intersection(*[set(each) for each in known if each is not None])
            if len(shared) == 1:
                return shared.pop()
        return self._composite(tuple(row))

    def _reshape(self, node: Node, given: list[Axes], shape: Sequence[Any]) -> Axes | None:
        """Runs of axes made one, one axis cut into several, and what stays."""
        old, new = given[0][1:], list(shape[1:])
        found: Axes = [given[0][0]]
        sizes = [0 if ids is None else len(ids) for ids in old]
        if not all(sizes) or not all(isinstance(size, int) for size in new):
            return None
        at = to = 0
        while at < len(sizes) or to < len(new):
            start, first = at, to
            have, want = 1, 1
            at, have = at + (at < len(sizes)), sizes[at] if at < len(sizes) else 1
            to, want = to + (to < len(new)), new[to] if to < len(new) else 1
            while have != want:
                if have < want:
                    have, at = have * sizes[at], at + 1
                else:
                    want, to = want * new[to], to + 1
            flat = self._product(old[start:at]) if at > start else self._new(1)
            if flat is None:
                return None
            found += self._cut(flat, new[first:to])
        return found

    def _cut(self, ids: Ids, sizes: Sequence[int]) -> Axes:
        """An axis cut into several: each of their channels is the set of those that it runs through."""
        if sum(size > 1 for size in sizes) <= 1:
            return [ids if size > 1 or len(ids) == 1 else self._new(1) for size in sizes]
        grid = ids.reshape(tuple(sizes))
        found: Axes = []
        for axis, size in enumerate(sizes):
            rows = np.moveaxis(grid, axis, 0).reshape(size, -1).tolist()
            found.append(np.array([self._set(("set", *row)) for row in rows], dtype=np.int64))
        return found

    def _set(self, key: tuple[Hashable, ...]) -> int:
        number = self._composite(key)
        self._sets[number] = frozenset([part for part in key if isinstance(part, int)])
        return number

    def _slice(self, node: Node, given: list[Axes], shape: Sequence[Any]) -> Axes:
        operation, found = node.operation, list(given[0])
        at = operation.attribute("axis") % len(found)
        ids = found[at]
        if ids is not None:
            first, last = (operation.attribute(end) for end in ("start", "stop"))
            first, last = first + (first < 0) * len(ids), last + (last < 0) * len(ids)
            found[at] = ids[first : last : operation.attribute("step")]
        return found

    def _roll(self, node: Node, given: list[Axes], shape: Sequence[Any]) -> Axes:
        found = list(given[0])
        at = node.operation.attribute("axis") % len(found)
        ids = found[at]
        found[at] = None if ids is None else np.roll(ids, node.operation.attribute("amount"))
        return found

    def _pad(self, node: Node, given: list[Axes], shape: Sequence[Any]) -> Axes:
        found = list(given[0])
        amount = node.operation.attribute("amount")
        for place in range(len(amount) // 2):
            before, after = amount[2 * place : 2 * place + 2]
            ids = found[-1 - place]
            if ids is not None:
                found[-1 - place] = np.concatenate([self._new(before), ids, self._new(after)])
        return found

    def _reduced(self, node: Node, given: list[Axes], shape: Sequence[Any]) -> Axes:
        found = list(given[0])
        at = node.operation.attribute("axis") % len(found)
        if node.operation.attribute("keep"):
            found[at] = self._new(1)
        else:
            del found[at]
        return found

    def _shuffled(self, node: Node, given: list[Axes], shape: Sequence[Any]) -> Axes:
        found = list(given[0])
        if found[1] is not None:
            found[1] = found[1].reshape(node.operation.attribute("groups"), -1).T.reshape(-1)
        return found

    def _attention(self, node: Node, given: list[Axes], shape: Sequence[Any]) -> Axes | None:
        """Queries and keys of a head meet element by element; the results are the heads' values."""
        query, key, value = given
        heads, served = (node.operation.attribute(name) for name in ("heads", "kv_heads"))
        if query[2] is None or key[2] is None or value[2] is None:
            return None
        self._unify(key[1], value[1])
        each = heads // served
        self._unify(query[2], np.repeat(key[2].reshape(served, -1), each, axis=0).reshape(-1))
        if each == 1:
            return [query[0], query[1], value[2]]
        rows = value[2].reshape(served, -1).tolist()
        made = [self._composite((number, f"of query {q}")) for row in rows for q in range(each) for number in row]
        return [query[0], query[1], np.array(made, dtype=np.int64)]

    def _matmul(self, node: Node, given: list[Axes], shape: Sequence[Any]) -> Axes:
        one, other = given
        transposed = node.operation.attribute("transpose_b")
        self._unify(one[-1], other[-1 if transposed else -2])
        lead = self._broadcast([one[:-2], other[:-2]], shape[:-2])
        return [*lead, one[-2], other[-2 if transposed else -1]]

    def _by_declaration(self, node: Node, given: list[Axes], shape: Sequence[Any]) -> Axes:
        """What the names in an op's declaration say: equal names are equal channels."""
        declaration = self._declared(node)
        if declaration is None or len(declaration.inputs) != len(given):
            return self._fresh(shape)
        names: dict[str, list[Ids | None]] = {}
        for parameter, axes in zip(declaration.inputs, given, strict=True):
            assert isinstance(parameter.type, ast.TensorTypeExpr)
            for dim, places in rest_places(parameter.type, len(axes)):
                if isinstance(dim, ast.Name | ast.RestDims) and dim.name:
                    there = [axes[place] for place in places]
                    if dim.name in names:
                        for known, other in zip(names[dim.name], there, strict=False):
                            self._unify(known, other)
                    names.setdefault(dim.name, there)
        found: Axes = []
        for dim, places in rest_places(declaration.result, len(shape)):
            dim = dim.value if isinstance(dim, ast.SpliceDims) else dim
            same = names.get(dim.name or "") if isinstance(dim, ast.Name | ast.RestDims) else None
            for order, place in enumerate(places):
                found.append(self._made(node, place, given, shape[place]) if same is None else same[order])
        return found

    def _made(self, node: Node, place: int, given: list[Axes], size: Any) -> Ids | None:
        """Channels of an op's own; those of a convolution of each channel by itself are its input's."""
        if not isinstance(size, int):
            return None
        source = given[0][1] if place == 1 and len(given[0]) > 1 else None
        if source is not None and size % len(source) == 0:
            name, groups = node.operation.name, groups_of(node)
            if name == "depthwise_conv2d" or (groups == len(source) and "out" in dict(node.operation.attributes)):
                times = size // len(source)
                if times == 1:
                    return source
                rows = [self._composite((number, f"{turn}")) for number in source.tolist() for turn in range(times)]
                return np.array(rows, dtype=np.int64)
        return self._new(size)


_Handler = Callable[[Channels, Node, list[Axes], Sequence[Any]], Axes | None]
_HANDLERS: dict[str, _Handler] = {
    "concat": Channels._concat,
    "permute": Channels._permute,
    "transpose": Channels._transpose,
    "flatten": Channels._flatten,
    "reshape": Channels._reshape,
    "slice": Channels._slice,
    "roll": Channels._roll,
    "pad": Channels._pad,
    "mean": Channels._reduced,
    "max_reduce": Channels._reduced,
    "min_reduce": Channels._reduced,
    "channel_shuffle": Channels._shuffled,
    "attention": Channels._attention,
    "matmul": Channels._matmul,
}
