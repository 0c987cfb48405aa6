"""Which channels of one network are which of another.

Nodes correspond by address. Channels that are met at the same axes of corresponding nodes form a cell; the cells of
both networks correspond, and within a cell channels by their order, unless there are fewer in the target (the
least important go) or more (they are copies, or new).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Literal

import attrs
import numpy as np
from numpy.typing import NDArray

from archlang.ir.graph import Graph, Node
from archlang.morphism.channels import Channels, Ids
from archlang.morphism.roles import groups_of

Fill = Literal["copy", "fresh"]
Floats = NDArray[np.float64]
Keys = NDArray[np.uint64]
Flags = NDArray[np.bool_]


@attrs.frozen(eq=False)
class Side:
    """A network with its channels."""

    graph: Graph
    channels: Channels

    def ids(self, value: int, axis: int) -> Ids | None:
        return self.channels.axes[value][axis]

    def value(self, node: int) -> int:
        """The number of a node's result."""
        return node + len(self.graph.inputs)


class Alignment:
    """`source_of[c]` is the class of the source that class c of the target stands for, -1 where it is new; `nodes`
    maps positions of the target's nodes to those of the source's; `lost` are the classes of the source that nothing
    stands for. `merged[c]` is the class that class c of the source became one with, which had the same weights.

    `importance` of each class of the source decides which stay, `unread` says which nothing reads; `twins` has the
    same number for classes that are made by equal weights.
    """

    def __init__(self, source: Side, target: Side, importance: Floats, unread: Flags, twins: Ids, fill: Fill):
        self.source, self.target = source, target
        self.nodes = _corresponding(source.graph, target.graph)
        self.source_of = np.full(target.channels.count, -1, dtype=np.int64)
        self.lost: set[int] = set()
        self.merged = np.arange(source.channels.count)
        self._importance = importance.copy()
        self._unread = unread.copy()
        self._twins = twins
        self._fill = fill
        self._values = self._corresponding_values()
        ours, theirs = self._met()
        known, wanted = _cells(ours, source.channels), _cells(theirs, target.channels)
        for key, classes in wanted.items():
            if key in known:
                self.source_of[classes] = self._chosen(known[key], len(classes))
        self._pair_in_order(ours, theirs, known, wanted)
        composites = {_plain(parts): number for number, parts in source.channels.parts.items()}
        for number, parts in source.channels.parts.items():
            self.merged[number] = composites.get(_plain(_renamed(parts, self.merged)), number)
        for number, parts in sorted(target.channels.parts.items()):
            self.source_of[number] = composites.get(_plain(_renamed(parts, self.source_of)), -1)

    def _pair_in_order(self, ours: Keys, theirs: Keys, known: dict[int, Ids], wanted: dict[int, Ids]) -> None:
        """Cells that are met elsewhere too, or not everywhere, since layers are new or gone: they are those that
        stand at their place in an axis. The last axis says it, which is nearest to those that read it."""
        for there, here in reversed(self._values):
            pairs = zip(self.source.channels.axes[there], self.target.channels.axes[here], strict=False)
            for one, other in pairs:
                if one is None or other is None or (self.source_of[other] >= 0).all():
                    continue
                before = [key for key in dict.fromkeys(ours[one].tolist()) if key in known]
                after = [key for key in dict.fromkeys(theirs[other].tolist()) if key in wanted]
                for key, like in zip(after, before, strict=False) if len(before) == len(after) else ():
                    classes = wanted[key]
                    if (self.source_of[classes] == -1).all():
                        self.source_of[classes] = self._chosen(known[like], len(classes))

    def _chosen(self, have: Ids, wanted: int) -> Ids:
        """The channels of a cell that so many of the target stand for."""
        count = len(have)
        if wanted <= count:
            _, first, twin = np.unique(self._twins[have], return_index=True, return_inverse=True)
            alike = have[first[twin]]  # the first of the cell that is made alike
            order = np.argsort(-np.where(alike == have, self._importance[have], -1.0), kind="stable")
            kept, gone = np.sort(have[order[:wanted]]), have[order[wanted:]]
            into = alike[order[wanted:]]
            same = np.isin(into, kept)
            self.merged[gone[same]] = into[same]
            self.lost.update(gone[~same & ~self._unread[gone]].tolist())
            return kept
        copies = have[np.arange(wanted - count) % count]
        return np.concatenate([have, copies if self._fill == "copy" else np.full(wanted - count, -1)])

    # --------------------------------------------------------- where they are met

    def _corresponding_values(self) -> list[tuple[int, int]]:
        """Values of the source with those of the target that correspond to them, in order."""
        inputs = {given.name: value for value, given in enumerate(self.source.graph.inputs)}
        named = enumerate(self.target.graph.inputs)
        found = [(inputs[given.name], value) for value, given in named if given.name in inputs]
        return [*found, *((self.source.value(at), self.target.value(place)) for place, at in self.nodes.items())]

    def _met(self) -> tuple[Keys, Keys]:
        """For each class of the source and of the target a number that says where it is met: the sum of the random
        keys of these places."""
        ours = np.zeros(self.source.channels.count, dtype=np.uint64)
        theirs = np.zeros(self.target.channels.count, dtype=np.uint64)
        random = np.random.default_rng(0)

        def meet(one: Ids | None, other: Ids | None) -> None:
            key = random.integers(1, 2**63, dtype=np.uint64)
            for keys, side, ids in ((ours, self.source, one), (theirs, self.target, other)):
                if ids is not None:
                    keys[side.channels.atoms(ids)] += key  # round 2 ^ 64

        for there, here in self._values:
            for one, other in zip(self.source.channels.axes[there], self.target.channels.axes[here], strict=False):
                meet(one, other)
        for place, at in self.nodes.items():
            node, like = self.target.graph.nodes[place], self.source.graph.nodes[at]
            if node.operation.name == "attention":
                self._meet_heads(like, node, meet)
            elif (
                groups_of(node) > 1 and groups_of(node) == groups_of(like) and node.operation.name != "channel_shuffle"
            ):
                for there, here in (
                    (like.inputs[0], node.inputs[0]),
                    (self.source.value(at), self.target.value(place)),
                ):
                    self._meet_blocks(self.source.ids(there, 1), self.target.ids(here, 1), groups_of(node), meet)
        return ours, theirs

    @staticmethod
    def _meet_blocks(
        one: Ids | None, other: Ids | None, groups: int, meet: Callable[[Ids | None, Ids | None], None]
    ) -> None:
        if one is not None and other is not None:
            for mine, theirs in zip(one.reshape(groups, -1), other.reshape(groups, -1), strict=True):
                meet(mine, theirs)

    def _meet_heads(self, like: Node, node: Node, meet: Callable[[Ids | None, Ids | None], None]) -> None:
        """Heads stay and are each wider or narrower; or they keep their widths and come and go as wholes."""
        before, after = (each.operation.attribute("kv_heads") for each in (like, node))
        if like.operation.attribute("heads") * after != node.operation.attribute("heads") * before:
            return  # heads of queries served by one of keys came or went
        whole = []
        for place in range(3):
            one, other = self.source.ids(like.inputs[place], 2), self.target.ids(node.inputs[place], 2)
            if one is None or other is None:
                continue
            if before == after:
                self._meet_blocks(one, other, before, meet)
            elif len(one) // before == len(other) // after:
                rows, theirs = one.reshape(before, -1), other.reshape(after, -1)
                for offset in range(rows.shape[1]):
                    meet(rows[:, offset], theirs[:, offset])
                whole.append(rows)
        if whole:
            importance = np.sum([self._importance[rows].mean(axis=1) for rows in whole], axis=0)
            unread: Flags = np.asarray(self._unread[whole[-1]].all(axis=1))  # whose values nothing takes
            for rows in whole:
                self._importance[rows] = np.where(unread, 0.0, importance)[:, None]
                self._unread[rows] |= unread[:, None]


def _renamed(parts: tuple[Hashable, ...], names: Ids) -> tuple[Hashable, ...]:
    return tuple([int(names[part]) if isinstance(part, int) else part for part in parts])


def _plain(parts: tuple[Hashable, ...]) -> Hashable:
    """What a class is put together of; of a set, which copies of a channel do not make larger, the members."""
    return frozenset(parts) - {-1} if parts[0] == "set" else parts


def _cells(keys: Keys, channels: Channels) -> dict[int, Ids]:
    """The classes of each key in order, without those that are met nowhere and those put together of others."""
    alone = np.ones(len(keys), dtype=bool)
    alone[list(channels.parts)] = False
    there = np.flatnonzero((keys != 0) & alone)
    order = there[np.argsort(keys[there], kind="stable")]
    values, starts = np.unique(keys[order], return_index=True)
    return {int(key): np.sort(part) for key, part in zip(values, np.split(order, starts[1:]), strict=True)}


def _corresponding(source: Graph, target: Graph) -> dict[int, int]:
    """Nodes of the target with those of the source that have their address and op; of those left, in order, with one
    whose address has a step less or more: what stood alone stands in a row now, or the reverse."""
    known = {(node.address, node.operation.name): place for place, node in enumerate(source.nodes)}
    ours = {(node.address, node.operation.name): place for place, node in enumerate(target.nodes)}
    found = {place: known[key] for key, place in ours.items() if key in known}
    left = {key: place for key, place in known.items() if key not in ours}
    longer = {short: key for key in left for short in _shorter(*key)}
    for key, place in ours.items():
        near = [short for short in (*_shorter(*key), longer.get(key)) if short in left and short is not None]
        if place not in found and near:
            found[place] = left.pop(near[0])
    return dict(sorted(found.items()))


def _shorter(address: str, op: str) -> list[tuple[str, str]]:
    """The addresses without one of their steps."""
    steps = address.split("/")
    return [("/".join(steps[:place] + steps[place + 1 :]), op) for place in range(len(steps) - 1)]
