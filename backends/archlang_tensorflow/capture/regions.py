"""What belongs together in a flat model, by what its calls are."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Any

from keras import layers

_CONVOLUTIONS = (layers.Conv1D, layers.Conv2D, layers.Conv3D, layers.DepthwiseConv2D, layers.SeparableConv2D)
_ACTIVATIONS = (layers.Activation, layers.ReLU)
Region = list[Any]


def branched(nodes: Sequence[Any]) -> Iterator[tuple[Region, Region]]:
    """The parts with one way in and one way out in which the way divides, and that are alike several times;
    with each the first that is like it."""
    found: dict[Hashable, list[Region]] = {}
    for region in _regions(nodes):
        found.setdefault(_outline(region), []).append(region)
    for alike in found.values():
        if len(alike) > 1:
            for region in alike:
                yield region, alike[0]


def _regions(nodes: Sequence[Any]) -> Iterator[Region]:
    last: dict[int, int] = {}
    for position, node in enumerate(nodes):
        for tensor in node.input_tensors:
            last[id(tensor)] = position
    made = {id(tensor) for node in nodes for tensor in node.outputs}
    live = {tensor for tensor in last if tensor not in made}
    parts: list[Region] = [[]]
    for position, node in enumerate(nodes):
        parts[-1].append(node)
        live |= {id(tensor) for tensor in node.outputs}
        live = {tensor for tensor in live if last.get(tensor, len(nodes)) > position}
        if len(live) == 1:
            parts.append([])
    for part, after in zip(parts, [*parts[1:], []], strict=True):
        if len(part) > 1:
            adds = len(part[-1].input_tensors) > 1 and type(part[-1].operation).__name__ != "Concatenate"
            follows = adds and len(after) == 1 and isinstance(after[0].operation, _ACTIVATIONS)
            yield [*part, *after] if follows else part


def _outline(region: Region) -> Hashable:
    """What regions of one structure have in common, apart from numbers."""
    places = {id(tensor): place for place, node in enumerate(region) for tensor in node.outputs}
    return tuple(
        (type(node.operation).__name__, tuple([places.get(id(tensor), -1) for tensor in node.input_tensors]))
        for node in region
    )


def chains(nodes: Sequence[Any]) -> Iterator[Region]:
    """Convolutions with the norm and the activation that follow them."""
    users = users_of(nodes)
    for node in nodes:
        if not isinstance(node.operation, _CONVOLUTIONS):
            continue
        found = [node]
        for kinds in ((layers.BatchNormalization,), _ACTIVATIONS):
            after = users.get(id(found[-1].outputs[0]), [])
            if len(after) != 1 or not isinstance(after[0].operation, kinds):
                break
            found.append(after[0])
        if len(found) > 1:
            yield found


def users_of(nodes: Sequence[Any]) -> dict[int, list[Any]]:
    """The calls that use each tensor, by its id."""
    users: dict[int, list[Any]] = {}
    for node in nodes:
        for tensor in node.input_tensors:
            users.setdefault(id(tensor), []).append(node)
    return users
