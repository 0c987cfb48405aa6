"""Weights of one program for a neighbouring one: what agrees is taken, what is larger is sliced."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import numpy as np

from archlang.ir.graph import Graph, WeightSpec
from archlang.ir.weights import Array

_SHOWN = 3


@attrs.frozen
class WeightReport:
    """Where a network's weights come from, by address.

    Each weight of the network is one of those `kept` as they were in the file, `sliced` out of
    larger ones, or `fresh`: as it was before. `unused` are the file's that nothing was taken from.
    """

    kept: tuple[str, ...] = ()
    sliced: tuple[str, ...] = ()
    fresh: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()

    def __str__(self) -> str:
        groups = attrs.asdict(self, recurse=False)
        width = max(len(str(len(addresses))) for addresses in groups.values())
        lines = []
        for name, addresses in groups.items():
            few = [*addresses[:_SHOWN], *(["…"] if len(addresses) > _SHOWN else [])]
            lines.append(f"{name:<6}  {len(addresses):>{width}}  {', '.join(few)}".rstrip())
        return "\n".join(lines)


def fit_weights(
    graph: Graph, weights: Mapping[str, Array], fresh: Mapping[str, Array]
) -> tuple[dict[str, Array], WeightReport]:
    """The weights for all addresses of the graph, as far as they can be had from another program's.

    A weight of the same address and shape is kept. From one that is as large or larger in every
    dimension a slice is taken as the op declares it (Cai et al. 2020, "Once-for-All"): leading
    entries, and in dimensions marked `@ center` those around the middle. All others, and the types
    of all, are those of `fresh`: the weights that the network has.
    """
    fitted: dict[str, Array] = {}
    kept: list[str] = []
    sliced: list[str] = []
    left: list[str] = []
    for address, spec in graph.weights.items():
        given = weights.get(address)
        if given is None or not _covers(given.shape, spec.shape):
            fitted[address] = fresh[address]
            left.append(address)
            continue
        with np.errstate(over="ignore"):  # infinite, as wherever a number becomes a smaller type
            fitted[address] = given[_window(given.shape, spec)].astype(fresh[address].dtype, copy=False)
        (kept if given.shape == spec.shape else sliced).append(address)
    taken = {*kept, *sliced}
    unused = tuple(address for address in weights if address not in taken)
    return fitted, WeightReport(tuple(kept), tuple(sliced), tuple(left), unused)


def _covers(large: tuple[int, ...], small: tuple[int, ...]) -> bool:
    return len(large) == len(small) and all(have >= want for have, want in zip(large, small, strict=True))


def _window(large: tuple[int, ...], spec: WeightSpec) -> tuple[slice, ...]:
    """The part of a larger weight that stands for a smaller one.

    In a centred dimension the element at (size - 1) // 2 stays the one there. That is the exact
    centre when both sizes are odd or both are even; else it keeps in place the element that lies
    over the output's own position under the padding that convolutions have unless told otherwise.
    """
    centred = spec.centred or (False,) * len(large)
    starts = [
        (have - 1) // 2 - (want - 1) // 2 if middle else 0
        for have, want, middle in zip(large, spec.shape, centred, strict=True)
    ]
    return tuple(slice(start, start + want) for start, want in zip(starts, spec.shape, strict=True))
