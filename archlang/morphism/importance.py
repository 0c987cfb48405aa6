"""How much each channel of a trained network matters: which go first when it is made narrower.

A channel's score is the sum over all weights that belong to it, those that make it and those that read it (the
group criterion of DepGraph, Fang et al. 2023).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archlang.diagnostics import ArchError, did_you_mean, error
from archlang.ir.graph import Node
from archlang.morphism.alignment import Floats, Side
from archlang.morphism.channels import Ids
from archlang.morphism.roles import Kind, Role, groups_of

Roles = Callable[[int], Mapping[str, tuple[Role, ...]]]  # of the weights of a node, by its position
Score = str | Mapping[str, NDArray[Any]]

SCORES = ("l2", "l1", "batch_norm", "random")


def channel_importance(
    side: Side, weights: Mapping[str, NDArray[Any]], roles: Roles, score: Score, seed: int
) -> tuple[Floats, NDArray[np.bool_]]:
    """A number for each class of channels, and whether nothing reads it.

    `score` is `l2` or `l1` (the squares or magnitudes of the weights), `batch_norm` (the magnitudes of the scales of
    batch norms: network slimming, Liu et al. 2017), `random`, or arrays by the addresses of weights whose
    magnitudes count instead of theirs, such as weight times gradient (Molchanov et al. 2019). Channels that nothing
    reads count nothing. ArchError (E0420) for another name.
    """
    if isinstance(score, str) and score not in SCORES:
        raise ArchError(
            error(
                "E0420",
                f"there is no score `{score}`",
                hints=did_you_mean(score, SCORES) or (f"there are {', '.join(SCORES)}",),
            )
        )
    found = np.random.default_rng(seed).random(side.channels.count) * (score == "random")
    sizes = [_sizes(score, node, weights) for node in side.graph.nodes]
    made, read, readers = (np.zeros(side.channels.count) for _ in range(3))
    for position, node in enumerate(side.graph.nodes):
        for spec in node.operation.weights:
            magnitude = np.abs(weights[f"{node.weights_at}.{spec.name}"])
            for dim, role in enumerate(roles(position)[spec.name]):
                ids, totals = along(side, position, magnitude, dim, role)
                if ids is not None and role.kind is Kind.SUMMED:
                    np.add.at(read, ids, totals)
                    np.add.at(readers, ids, 1)
                if spec.name in sizes[position]:
                    ids, totals = along(side, position, sizes[position][spec.name], dim, role)
                    if ids is not None:
                        np.add.at(made, ids, totals)
    for number, parts in side.channels.parts.items():  # what is flattened is read for its channel
        for part in parts:
            if isinstance(part, int):
                for totals in (made, read, readers):
                    totals[part] += totals[number]
    unread = (readers > 0) & (read == 0)
    return np.where(unread, 0.0, found + made), unread


def _sizes(score: Score, node: Node, weights: Mapping[str, NDArray[Any]]) -> dict[str, Floats]:
    """What counts of the weights of a node."""
    if score == "batch_norm" and node.operation.name != "batch_norm":
        return {}
    found = {}
    for spec in node.operation.weights:
        address = f"{node.weights_at}.{spec.name}"
        array = weights[address] if isinstance(score, str) else score.get(address)
        if array is not None and spec.trained and score != "random" and (score != "batch_norm" or spec.name == "scale"):
            found[spec.name] = np.square(array, dtype=np.float64) if score == "l2" else np.abs(array, dtype=np.float64)
    return found


def along(side: Side, position: int, array: Floats, dim: int, role: Role) -> tuple[Ids | None, Floats]:
    """The channels that a dimension of a weight runs through, and for each of them the sum of its part."""
    node = side.graph.nodes[position]
    none = np.zeros(0)
    if role.kind is Kind.OTHER:
        return None, none
    inside = role.kind in (Kind.INPUT, Kind.SUMMED)
    ids = side.ids(node.inputs[role.of] if inside else side.value(position), role.axis)
    if ids is None:
        return None, none
    if role.grouped:  # [out, channels of a group]
        per_group = array.shape[1]
        blocks = array.reshape(len(ids) // per_group, -1, *array.shape[1:])
        totals = blocks.sum(axis=tuple(axis for axis in range(blocks.ndim) if axis not in (0, 2))).reshape(-1)
    else:
        totals = array.sum(axis=tuple(axis for axis in range(array.ndim) if axis != dim))
        totals = totals.reshape(role.gates, -1).sum(axis=0)
    return (ids, totals) if len(totals) == len(ids) else (None, none)


def twins(side: Side, weights: Mapping[str, NDArray[Any]], roles: Roles) -> Ids:
    """For each class of channels a number that it has in common with those made by equal weights."""
    marks = np.zeros(side.channels.count, dtype=np.uint64)
    with np.errstate(over="ignore"):
        for position, node in enumerate(side.graph.nodes):
            for spec in node.operation.weights:
                array = weights[f"{node.weights_at}.{spec.name}"]
                for dim, role in enumerate(roles(position)[spec.name]):
                    if role.kind not in (Kind.OUTPUT, Kind.INPUT):
                        continue
                    ids, _ = along(side, position, array, dim, role)
                    if ids is None:
                        continue
                    groups = max(groups_of(node), 1)
                    rows = np.moveaxis(array, dim, 0).reshape(role.gates, len(ids), -1).swapaxes(0, 1)
                    alone = len(ids) // groups > 1 or groups == 1  # whether a row reads what others of its group read
                    for place, (number, row) in enumerate(zip(ids.tolist(), rows, strict=True)):
                        group = place * groups // len(ids) if alone else 0
                        digest = blake2b(
                            f"{position} {spec.name} {dim} {group} ".encode() + row.tobytes(), digest_size=8
                        )
                        marks[number] += np.uint64(int.from_bytes(digest.digest(), "little"))
    known: dict[int, int] = {0: -1}
    found = np.arange(side.channels.count)
    for number, mark in enumerate(marks.tolist()):
        if mark:
            found[number] = known.setdefault(mark, number)
    return found
