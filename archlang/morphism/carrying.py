"""The weights of a trained network for another one, such that it computes the same where that can be.

Widths, kernels and depth may differ, branches and layers be new or gone. Of more channels the further ones are copies
whose readers share what the one before read (Net2WiderNet, Chen et al. 2016), or new ones that nothing reads yet;
new layers are the identity; of fewer channels the least important go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from archlang.ir.graph import Graph, Node, WeightSpec
from archlang.lowering.initial import Drawing
from archlang.morphism.alignment import Alignment, Fill, Floats, Side
from archlang.morphism.channels import Channels, Ids
from archlang.morphism.differing import differences
from archlang.morphism.importance import Score, channel_importance, twins
from archlang.morphism.passing import Passing
from archlang.morphism.roles import Kind, Role, groups_of, weight_roles
from archlang.syntax import ast

Array = NDArray[Any]
Maps = Mapping[tuple[int, int], Ids | None]  # by the input of a node and its axis: `_Carrying._places`
Declared = Callable[[Node], ast.Op | None]


@attrs.frozen(eq=False)
class Carried:
    """Weights for a network, by address, and why it may compute something else than the one they come from: nothing
    in `changes` where it does not. `new` are the addresses of nodes that were not there."""

    weights: Mapping[str, Array]
    changes: tuple[str, ...]
    new: tuple[str, ...]


def carry(
    source: Graph,
    weights: Mapping[str, Array],
    target: Graph,
    declared: Declared,
    *,
    fill: Fill = "copy",
    score: Score = "l2",
    seed: int = 0,
) -> Carried:
    """The weights of `source` for `target`.

    Nodes correspond by address. `declared` gives the declaration of a node's op. `score` says which channels stay
    where there are fewer (`channel_importance`). With `fill="copy"` further channels are copies; what each copy is
    read with is drawn, so that copies learn apart. With "fresh" they have initial values and are not read.
    """
    return _Carrying(source, weights, target, declared, fill, score, seed).run()


class _Carrying:
    def __init__(
        self,
        source: Graph,
        weights: Mapping[str, Array],
        target: Graph,
        declared: Declared,
        fill: Fill,
        score: Score,
        seed: int,
    ):
        self._weights = weights
        self._declared = declared
        self._source = Side(source, Channels(source, declared))
        self._target = Side(target, Channels(target, declared))

        def roles(at: int) -> Mapping[str, tuple[Role, ...]]:
            return self._roles(source.nodes[at])

        importance, unread = channel_importance(self._source, weights, roles, score, seed)
        same = twins(self._source, weights, roles)
        self._alignment = Alignment(self._source, self._target, importance, unread, same, fill)
        self._passing = Passing(self._alignment)
        self._drawing = Drawing(seed + 1)  # other numbers than the network may have begun with
        # What a copy is read with, beside the others of its channel: apart from one another, so that they learn apart.
        self._shares = np.random.default_rng(seed).uniform(0.5, 1.5, self._target.channels.count)
        self._changes: dict[str, None] = {}
        self._found: dict[str, Array] = {}

    def run(self) -> Carried:
        target = self._target.graph
        for place in sorted(self._alignment.nodes):
            self._inputs(place, connect=True)
        for ours in target.outputs:
            theirs = next((each for each in self._source.graph.outputs if each.name == ours.name), None)
            if theirs is None or not self._passing.passes(ours.value, theirs.value):
                self._changed("an output comes from elsewhere")
        if self._alignment.lost:
            self._changed(f"{len(self._alignment.lost)} channels are gone")
        for place, node in enumerate(target.nodes):
            at = self._alignment.nodes.get(place)
            if at is None:
                self._start(place, node)
            else:
                self._take(place, node, at)
        new = [node.address for place, node in enumerate(target.nodes) if place not in self._alignment.nodes]
        ordered = {address: self._found[address] for address in target.weights}
        return Carried(ordered, tuple(self._changes), tuple(new))

    def _changed(self, what: str) -> None:
        self._changes.setdefault(what)

    def _roles(self, node: Node) -> Mapping[str, tuple[Role, ...]]:
        declaration = self._declared(node)
        if declaration is None:
            return {weight.name: (Role(Kind.OTHER),) * len(weight.shape) for weight in node.operation.weights}
        return weight_roles(node, declaration)

    def _fresh(self, node: Node, spec: WeightSpec) -> Array:
        return self._drawing.draw(f"{node.weights_at}.{spec.name}", spec)

    # ---------------------------------------------------------------- new nodes

    def _start(self, place: int, node: Node) -> None:
        """Weights of a node that was not there."""
        numbers = self._passing.numbers.get(place, {})
        for spec in node.operation.weights:
            array = self._fresh(node, spec)
            if spec.name in numbers:
                array = np.full(spec.shape, numbers[spec.name], np.float32)
            elif place in self._passing.identities:
                array = self._identity(node, spec, *self._passing.identities[place])
            self._put(node, spec, array)

    def _identity(self, node: Node, spec: WeightSpec, ins: Ids, outs: Ids) -> Array:
        """Each result the sum of the inputs that are its channel's copies, at the kernel's middle."""
        array = np.zeros(spec.shape, np.float32)
        if spec.name != "kernel":
            return array
        middle = np.moveaxis(array, (0, 1), (-2, -1))[tuple([(size - 1) // 2 for size in spec.shape[2:]])]
        if groups_of(node) > 1 or (len(spec.shape) > 2 and spec.shape[1] == 1 and len(ins) > 1):
            middle[:, 0] = 1.0
            return array
        source_of = self._alignment.source_of
        same = source_of[outs][:, None] == source_of[ins][None, :]
        shares = np.where(same, self._shares[ins][None, :], 0.0)
        total = shares.sum(axis=1, keepdims=True)
        middle[:] = np.divide(shares, total, out=shares, where=total > 0)
        return array

    def _put(self, node: Node, spec: WeightSpec, array: Array) -> None:
        address = f"{node.weights_at}.{spec.name}"
        known = self._found.get(address)
        if known is None:
            self._found[address] = np.ascontiguousarray(array)
        elif not np.array_equal(known, array):
            self._changed(f"`{address}` is shared by ops that would need other weights")

    # ----------------------------------------------------------- nodes that stay

    def _inputs(self, place: int, connect: bool = False) -> list[int | None]:
        """For each input of a node of the target, which value of the source it is to be, None where it is more than
        those; with `connect`, new nodes are made to be it."""
        node, like = self._target.graph.nodes[place], self._source.graph.nodes[self._alignment.nodes[place]]
        if len(node.inputs) == len(like.inputs):
            wanted: list[int | None] = [self._passing.original(value) for value in like.inputs]
        else:
            left = [self._passing.original(value) for value in like.inputs]
            wanted = []
            for value in node.inputs:
                known = self._passing.value_of.get(value)
                wanted.append(known if known in left else None)
                if known in left:
                    left.remove(known)
            if left and connect:
                self._changed(f"`{node.address}` no longer takes all that it took")
        if connect:
            for value, want in zip(node.inputs, wanted, strict=True):
                if want is None:
                    if node.operation.name == "concat" or (node.operation.name == "add" and self._passing.zero(value)):
                        continue
                    self._changed(f"`{node.address}` takes more than it took")
                elif not self._passing.passes(value, want):
                    self._changed(f"what `{node.address}` takes is another value")
        return wanted

    def _take(self, place: int, node: Node, at: int) -> None:
        """The weights of a node from those of the node that it corresponds to."""
        like = self._source.graph.nodes[at]
        wanted = self._inputs(place)
        maps = {
            (position, axis): self._places(value, want, axis)
            for position, (value, want) in enumerate(zip(node.inputs, wanted, strict=True))
            for axis in range(len(node.operation.inputs[position].shape))
        }
        for change in differences(node, like, lambda of, axis: self._classes(place, at, wanted, of, axis)):
            self._changed(change)
        roles = self._roles(node)
        theirs = {spec.name: spec for spec in like.operation.weights}
        for spec in node.operation.weights:
            fresh = self._fresh(node, spec)
            if spec.name in theirs and len(theirs[spec.name].shape) == len(spec.shape):
                array = self._weights[f"{like.weights_at}.{spec.name}"]
                self._put(node, spec, self._taken(place, at, array, fresh, roles[spec.name], maps))
            elif spec.name == "bias":
                self._put(node, spec, np.zeros_like(fresh))
            else:
                self._changed(f"`{node.address}` has another weight `{spec.name}`")
                self._put(node, spec, fresh)
        if {spec.name for spec in node.operation.weights} < set(theirs):
            self._changed(f"`{node.address}` has a weight less")

    def _taken(self, place: int, at: int, array: Array, fresh: Array, roles: tuple[Role, ...], maps: Maps) -> Array:
        """A weight with its dimensions gone through one after another. New rows are drawn, new columns zero."""
        node, like = self._target.graph.nodes[place], self._source.graph.nodes[at]
        result = array.astype(np.float64)
        started, unread = np.zeros(fresh.shape, dtype=bool), np.zeros(fresh.shape, dtype=bool)
        for dim, role in enumerate(roles):
            index, ids = self._index(place, at, role, maps, array.shape[dim], fresh.shape[dim])
            new = _shape(index < 0, dim, array.ndim)
            if ids is None or role.kind not in (Kind.SUMMED, Kind.STATE):
                result = _picked(result, dim, index)
                started |= new & (not role.centred)
                continue
            if role.grouped:
                result = self._grouped(result, dim, index, ids, node, like.inputs[role.of])
                continue
            value = self._source.value(at) if role.kind is Kind.STATE else like.inputs[role.of]
            result = self._folded(result, dim, self._source.ids(value, role.axis))
            self._check_read(node, result, dim, index)
            result = _picked(result, dim, index) * _shape(self._factors(index, ids), dim, result.ndim)
            unread |= new
        return np.where(started & ~unread, fresh, result).astype(array.dtype)

    def _index(self, place: int, at: int, role: Role, maps: Maps, have: int, size: int) -> tuple[Ids, Ids | None]:
        """For each entry of a weight's dimension the one that it was, -1 where it is new; and the channels that the
        dimension runs through, None where these do not say it."""
        index: Ids | None = None
        ids: Ids | None = None
        if role.kind in (Kind.OUTPUT, Kind.STATE):
            value = self._target.value(place)
            index, ids = self._places(value, self._source.value(at), role.axis), self._target.ids(value, role.axis)
            index = None if index is None else _tiled(index, role.gates, have // role.gates)
        elif role.kind is not Kind.OTHER:
            index = maps.get((role.of, role.axis))
            ids = self._target.ids(self._target.graph.nodes[place].inputs[role.of], role.axis)
        if index is None or ids is None:
            return (_middle if role.centred else _leading)(have, size), None
        return index, ids

    def _factors(self, index: Ids, ids: Ids) -> Floats:
        """What each channel is read with: the copies of one share what it was read with."""
        shares = self._shares[ids]
        known = index >= 0
        totals = np.zeros(int(index.max(initial=-1)) + 1)
        np.add.at(totals, index[known], shares[known])
        counts = np.bincount(index[known], minlength=len(totals))
        factors = np.zeros(len(index))
        factors[known] = np.where(counts[index[known]] == 1, 1.0, shares[known] / totals[index[known]])
        return factors

    def _folded(self, array: Floats, dim: int, ids: Ids | None) -> Floats:
        """Where channels become one, what reads it is the sum of what read them."""
        if ids is None or len(ids) != array.shape[dim]:
            return array
        into = self._alignment.merged[ids]
        gone = np.flatnonzero(into != ids)
        if not len(gone):
            return array
        place = {number: at for at, number in enumerate(ids.tolist())}
        found = np.moveaxis(array, dim, 0).copy()
        for at in gone.tolist():
            if int(into[at]) in place:
                found[place[int(into[at])]] += found[at]
                found[at] = 0
        return np.moveaxis(found, 0, dim)

    def _check_read(self, node: Node, array: Floats, dim: int, index: Ids) -> None:
        """Tell where nothing stands for what was read."""
        missing = np.setdiff1d(np.arange(array.shape[dim]), index)
        if len(missing) and not self._alignment.lost and np.take(array, missing, axis=dim).any():
            self._changed(f"`{node.address}` no longer reads all that it read")

    def _grouped(self, array: Floats, dim: int, index: Ids, ids: Ids, node: Node, value: int) -> Floats:
        """The columns of a grouped convolution: each group reads channels of its own."""
        groups = groups_of(node)
        before = array.shape[dim]
        blocks, members = index.reshape(groups, -1), ids.reshape(groups, -1)
        theirs = self._source.ids(value, 1)
        assert theirs is not None
        rows = array.reshape(groups, -1, *array.shape[1:])
        if len(theirs) != groups * before:  # of other groups
            self._changed(f"the groups of `{node.address}` are others")
            return array
        found = []
        for group in range(groups):
            local = np.where(blocks[group] >= 0, blocks[group] - group * before, -1)
            if ((local < -1) | (local >= before)).any():
                self._changed(f"the groups of `{node.address}` are other channels")
                local = _leading(before, len(local))
            folded = self._folded(rows[group], dim, theirs.reshape(groups, -1)[group])
            self._check_read(node, folded, dim, local)
            part = _picked(folded, dim, local)
            found.append(part * _shape(self._factors(local, members[group]), dim, part.ndim))
        return np.concatenate(found)

    def _places(self, value: int, wanted: int | None, axis: int) -> Ids | None:
        """For each element of an axis of the target the place of its channel in that axis of the source's value, -1
        where it is new; None for the batch."""
        ours = self._target.ids(value, axis)
        if ours is None:
            return None
        if wanted is None:
            return np.full(len(ours), -1, dtype=np.int64)
        theirs = self._source.ids(wanted, axis)
        if theirs is None:
            return None
        if self._passing.value_of.get(value) != wanted:
            return _leading(len(theirs), len(ours))
        meant = self._alignment.source_of[ours]
        known: dict[tuple[int, int], int] = {}
        for place, pair in enumerate(_numbered(theirs, theirs)):
            known[pair] = place
        found = np.array([known.get(pair, -1) for pair in _numbered(ours, meant)], dtype=np.int64)
        return _leading(len(theirs), len(ours)) if (found == -1).all() else found

    def _classes(self, place: int, at: int, wanted: list[int | None], of: int, axis: int) -> tuple[Ids, Ids] | None:
        """What the channels of an input are in the source, and those that were there."""
        node = self._target.graph.nodes[place]
        if of >= len(wanted) or wanted[of] is None:
            return None
        ours = self._target.ids(node.inputs[of], axis)
        theirs = self._source.ids(self._source.graph.nodes[at].inputs[of], axis)
        if ours is None or theirs is None or self._passing.value_of.get(node.inputs[of]) != wanted[of]:
            return None
        return self._alignment.source_of[ours], self._alignment.merged[theirs]


# ---------------------------------------------------------------------- arrays


def _numbered(ids: Ids, meant: Ids) -> list[tuple[int, int]]:
    """What each element means, with how often its own channel was there before it."""
    count: dict[int, int] = {}
    found = []
    for number, meaning in zip(ids.tolist(), meant.tolist(), strict=True):
        found.append((meaning, count.get(number, 0)))
        count[number] = found[-1][1] + 1
    return found


def _leading(have: int, want: int) -> Ids:
    return np.where(np.arange(want) < have, np.arange(want), -1)


def _middle(have: int, want: int) -> Ids:
    """Centred as `archlang.ir.fitting` slices: the element at (size - 1) // 2 stays there."""
    index = np.arange(want) - (want - 1) // 2 + (have - 1) // 2
    return np.where((index >= 0) & (index < have), index, -1)


def _tiled(index: Ids, times: int, size: int) -> Ids:
    return np.concatenate([np.where(index >= 0, index + turn * size, -1) for turn in range(times)])


def _picked(array: Floats, dim: int, index: Ids) -> Floats:
    """The entries of an array along a dimension; zeros where the index is negative."""
    found = np.take(array, np.maximum(index, 0), axis=dim)
    return np.where(_shape(index >= 0, dim, array.ndim), found, 0.0)


def _shape(vector: NDArray[Any], dim: int, rank: int) -> NDArray[Any]:
    return vector.reshape([-1 if axis == dim else 1 for axis in range(rank)])
