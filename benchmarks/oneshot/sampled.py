"""One architecture of NAS-Bench-201 as the network that a single-path search trains in a step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from benchmarks.by_hand import BenchCell, NasBench201
from benchmarks.oneshot.gdas import SearchCell, SearchNetwork


class SampledNetwork(NasBench201):
    """Six candidates by name, in the order of edges, and nothing of the others.

    With `affine` it is the network that NAS-Bench-201 evaluates; without, the path through its search network.
    """

    def __init__(
        self, ops: Sequence[str], channels: int = 16, repeats: int = 5, classes: int = 10, affine: bool = False
    ) -> None:
        super().__init__(ops, channels, repeats, classes, affine)
        self.ops = tuple(ops)

    def copied(self, search: SearchNetwork) -> Self:
        """This network, with weights and statistics copied from a search network of its size."""
        for name, part in self.named_children():
            if name != "body":
                part.load_state_dict(search.get_submodule(name).state_dict())
        for own, part in zip(self.body, search.body, strict=True):
            if isinstance(own, BenchCell) and isinstance(part, SearchCell):
                for op, edge, candidates in zip(self.ops, own.edges, part.edges, strict=True):
                    edge.load_state_dict(candidates.get_submodule(op).state_dict())
            else:
                own.load_state_dict(part.state_dict())
        return self
