"""Raising: from the flat graph of a program back to the tree of blocks that it was written in.

`raise_blocks` gives every kept frame of the graph as a `BlockInstance`. A frame is not kept, and
its nodes stand in the frame around it, when it

* holds a single operation without weights,
* shares weights (`tie`) with code outside it in a way that one module called twice cannot express,
* cannot be called as one unit, because a path leaves it and comes back, or gives no result.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

import attrs

from archlang.ir.graph import Graph, Node

TOP = ""


@attrs.frozen(eq=False)
class Step:
    """One operation or block applied in a body.

    `inputs` are local value numbers of the body: first the block's inputs, then the results of
    its steps in order. `results` counts the values that the step adds.
    """

    item: Node | BlockInstance
    inputs: tuple[int, ...]
    results: int


@attrs.frozen(eq=False)
class BlockInstance:
    """One frame: the block `name` applied at `address`, with its weights below `home`.

    `home` is the address itself unless the weights are tied: calls with one home are calls of one
    module, and agree in everything but their inputs. `values` are the graph's numbers of the
    local values; `outputs` are local. `address` and `home` are "" for the whole program.
    """

    address: str
    home: str
    name: str
    inputs: int
    body: tuple[Step, ...]
    outputs: tuple[int, ...]
    values: tuple[int, ...]

    def walk(self) -> Iterator[BlockInstance]:
        """Every instance below this one and then this one, children first."""
        for step in self.body:
            if isinstance(step.item, BlockInstance):
                yield from step.item.walk()
        yield self


def relative(address: str, base: str) -> str:
    """The part of an address below a base; starts with `/`, `[` or `:` unless the base is ""."""
    return address[len(base) :]


def tokens(address: str) -> tuple[str, ...]:
    """An address (or a relative one) as its steps: `("stage", "[2]", "edge#2", ":conv3")`."""
    found: list[str] = []
    start = 0
    for position, char in enumerate(address):
        if char in "/[:":
            if position > start:
                found.append(address[start:position])
            start = position + 1 if char == "/" else position
    if start < len(address):
        found.append(address[start:])
    return tuple(found)


def raise_blocks(graph: Graph) -> BlockInstance:
    """The graph's blocks as a tree; the root stands for the whole program.

    Steps are in a topological order that stays as near to the graph's as calls of blocks allow.
    """
    frames = _Frames(graph)
    while True:
        homes = frames.homes()
        refused = _assembled(graph, frames, homes)
        if isinstance(refused, BlockInstance):
            return refused
        frames.dropped |= refused


def _cut(address: str) -> str:
    """The address around an address."""
    return address[: max(address.rfind("/"), address.rfind("["), address.rfind(":"), 0)]


def _below(address: str, frame: str) -> bool:
    return not frame or (address.startswith(frame) and address[len(frame) : len(frame) + 1] in ("/", "[", ":"))


class _Frames:
    """The frames of a graph, and which of them can be kept as blocks."""

    def __init__(self, graph: Graph) -> None:
        self._blocks = graph.blocks
        self._enclosing: dict[str, str] = {TOP: TOP}
        self.owners = [self._frame_of(_cut(node.address)) for node in graph.nodes]
        self.parents: dict[str, str] = {}
        self._tied: list[tuple[int, Node]] = []
        sizes: dict[str, int] = defaultdict(int)
        for index, (node, owner) in enumerate(zip(graph.nodes, self.owners, strict=True)):
            weighted = bool(node.operation.weights)
            sizes[owner] += 2 if weighted else 1
            if weighted and node.weights_at != node.address:
                self._tied.append((index, node))
        pending = list(sizes)
        for frame in pending:
            if frame != TOP and frame not in self.parents:
                self.parents[frame] = self._frame_of(_cut(frame))
                pending.append(self.parents[frame])
        # A frame is longer than the one around it, so one pass adds everything up.
        for frame in sorted(self.parents, key=len, reverse=True):
            sizes[self.parents[frame]] += sizes[frame]
        self.dropped = {frame for frame in self.parents if sizes[frame] <= 1}
        self._weighted = [
            (node, owner) for node, owner in zip(graph.nodes, self.owners, strict=True) if node.operation.weights
        ]

    def _frame_of(self, prefix: str) -> str:
        """The innermost frame that the prefix is or lies in."""
        found = self._enclosing.get(prefix)
        if found is None:
            found = prefix if prefix in self._blocks else self._frame_of(_cut(prefix))
            self._enclosing[prefix] = found
        return found

    def homes(self) -> dict[str, str]:
        """The kept frames, outer ones first, each with the address below which its weights are."""
        if not self._tied:
            return {frame: frame for frame in sorted(self.parents, key=len) if frame not in self.dropped}
        while True:
            homes = self._possible_homes()
            intruded = self._intruded(homes)
            if not intruded:
                return homes
            self.dropped |= intruded

    def chain(self, frame: str, homes: dict[str, str]) -> tuple[str, ...]:
        """The kept frames from the outside to the given one, "" first."""
        found = []
        while frame != TOP:
            if frame in homes:
                found.append(frame)
            frame = self.parents[frame]
        return (TOP, *reversed(found))

    def _possible_homes(self) -> dict[str, str]:
        below: dict[str, list[Node]] = defaultdict(list)
        for node, owner in self._weighted:
            frame = owner
            while frame != TOP:
                below[frame].append(node)
                frame = self.parents[frame]
        homes: dict[str, str] = {}
        for frame in sorted(self.parents, key=len):
            if frame in self.dropped:
                continue
            home = _home(frame, below[frame])
            parent = self.chain(frame, homes)[-1]
            around = homes.get(parent, TOP)
            if home is None or home == around or not _below(home, around):
                self.dropped.add(frame)
            else:
                homes[frame] = home
        return homes

    def _intruded(self, homes: dict[str, str]) -> set[str]:
        """The kept frames with weights that code outside them uses too."""
        frames_at: dict[str, set[str]] = defaultdict(set)
        for frame, home in homes.items():
            frames_at[home].add(frame)
        found: set[str] = set()
        for node, owner in self._weighted:
            own = {homes[frame] for frame in self.chain(owner, homes) if frame != TOP}
            prefix = _cut(node.weights_at)
            while prefix:
                if prefix in frames_at and prefix not in own:
                    found |= frames_at[prefix]
                prefix = _cut(prefix)
        return found


def _home(frame: str, nodes: list[Node]) -> str | None:
    """The address that the frame's weights lie below in the way its nodes lie below the frame."""
    if all(_below(node.weights_at, frame) for node in nodes):
        return frame
    homes = set()
    for node in nodes:
        rest = relative(node.address, frame)
        if not node.weights_at.endswith(rest):
            return None
        homes.add(node.weights_at[: len(node.weights_at) - len(rest)])
    return homes.pop() if len(homes) == 1 else None


def _assembled(graph: Graph, frames: _Frames, homes: dict[str, str]) -> BlockInstance | set[str]:
    """The tree for the kept frames, or the frames that must be given up first."""
    offset = len(graph.inputs)
    chains: dict[str, tuple[str, ...]] = {}
    for owner in frames.owners:
        if owner not in chains:
            chains[owner] = frames.chain(owner, homes)
    chain_of: list[tuple[str, ...]] = [(TOP,)] * offset + [chains[owner] for owner in frames.owners]
    inputs: dict[str, dict[int, None]] = defaultdict(dict)
    outputs: dict[str, dict[int, None]] = defaultdict(dict)
    # What stands in each frame, as the graph's value numbers and frame addresses, by first node.
    members: dict[str, dict[int | str, list[int | str]]] = {TOP: {}, **{frame: {} for frame in homes}}
    for index, node in enumerate(graph.nodes):
        value = offset + index
        chain = chain_of[value]
        for outer, inner in pairwise(chain):
            members[outer].setdefault(inner, [])
        needs = members[chain[-1]].setdefault(value, [])
        for source in node.inputs:
            origin = chain_of[source]
            if origin is chain or origin == chain:
                if source >= offset:
                    needs.append(source)
                continue
            level = next(
                (i for i, (one, other) in enumerate(zip(chain, origin, strict=False)) if one != other),
                min(len(chain), len(origin)),
            )
            for frame in chain[level:]:
                inputs[frame][source] = None
            for frame in origin[level:]:
                outputs[frame][source] = None
            if source >= offset:
                user = chain[level] if level < len(chain) else value
                used = origin[level] if level < len(origin) else source
                members[chain[level - 1]][user].append(used)
    for output in graph.outputs:
        for frame in chain_of[output.value][1:]:
            outputs[frame][output.value] = None

    unused = {frame for frame in homes if not outputs[frame]}
    if unused:
        return unused
    built: dict[str, BlockInstance] = {}
    for frame in [*reversed(homes), TOP]:
        order = _ordered(members[frame])
        if isinstance(order, str):
            return {order}
        if frame == TOP:
            given, taken = list(range(offset)), [output.value for output in graph.outputs]
        else:
            given, taken = list(inputs[frame]), sorted(outputs[frame])
        built[frame] = _instance(graph, frame, homes.get(frame, TOP), order, given, taken, built)
    return _disagreeing(built[TOP], homes) or built[TOP]


def _ordered(members: dict[int | str, list[int | str]]) -> list[int | str] | str:
    """The members in a topological order; a block to give up when they depend on each other."""
    done: dict[int | str, None] = {}
    for first in members:
        stack = [first]
        open_: set[int | str] = set()
        while stack:
            member = stack[-1]
            if member in done:
                stack.pop()
                continue
            open_.add(member)
            missing = [need for need in members[member] if need not in done]
            if not missing:
                done[member] = None
                stack.pop()
                continue
            if any(need in open_ for need in missing):
                return next(member for member in reversed(stack) if isinstance(member, str))
            stack.append(missing[0])
    return list(done)


def _instance(
    graph: Graph,
    frame: str,
    home: str,
    order: list[int | str],
    inputs: list[int],
    outputs: list[int],
    built: dict[str, BlockInstance],
) -> BlockInstance:
    values = list(inputs)
    local = {value: position for position, value in enumerate(inputs)}
    body = []
    for member in order:
        item: Node | BlockInstance
        if isinstance(member, str):
            item = built[member]
            given, results = item.values[: item.inputs], [item.values[position] for position in item.outputs]
        else:
            item = graph.nodes[member - len(graph.inputs)]
            given, results = item.inputs, [member]
        body.append(Step(item, tuple([local[value] for value in given]), len(results)))
        for value in results:
            local[value] = len(values)
            values.append(value)
    return BlockInstance(
        address=frame,
        home=home,
        name=graph.blocks[frame] if frame else graph.name,
        inputs=len(inputs),
        body=tuple(body),
        outputs=tuple([local[value] for value in outputs]),
        values=tuple(values),
    )


def _disagreeing(top: BlockInstance, homes: dict[str, str]) -> set[str]:
    """The frames that have a home in common but do not do the same there."""
    if len(set(homes.values())) == len(homes):
        return set()
    done: dict[str, object] = {}
    found: set[str] = set()
    for instance in top.walk():
        doing = _doing(instance)
        if done.setdefault(instance.home, doing) != doing:
            found |= {frame for frame, home in homes.items() if home == instance.home}
    return found


def _doing(instance: BlockInstance) -> object:
    steps: list[object] = []
    for step in instance.body:
        item = step.item
        if isinstance(item, Node):
            operation = item.operation
            at = relative(item.weights_at, instance.home) if operation.weights else ""
            what: object = (operation.name, repr(operation.attributes), operation.weights, at)
        else:
            what = (relative(item.home, instance.home), _doing(item))
        steps.append((what, step.inputs))
    return instance.inputs, instance.outputs, tuple(steps)
