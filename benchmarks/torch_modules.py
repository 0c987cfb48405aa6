"""The PyTorch backend: modules that it builds against the same modules written by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import archlang as al
from benchmarks.genes import EDGES
from benchmarks.measure import Figure, compared, timed


def torch_modules(repetitions: int) -> Iterator[Figure]:
    """Building, emitting and running; one thread, so that the figures hold on any machine."""
    import torch

    from archlang.ir.raising import raise_blocks
    from benchmarks.by_hand import DartsV2, NasBench201

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        space = al.load("std.spaces.nasbench201")
        bench = space.program({f"shared/edge#{k}": edge for k, edge in enumerate(EDGES, 1)})
        darts = al.load("std.models.darts:darts_cifar").program()
        yield compared("build nasbench201", bench.build, lambda: NasBench201(EDGES), 2 * repetitions, aim=1.10)
        yield compared("build DARTS V2", darts.build, DartsV2, repetitions, aim=1.10)
        yield timed("raise blocks", lambda: raise_blocks(bench.graph), repetitions, note="part of emit")
        yield timed("emit", bench.emit, repetitions)
        built, hand = bench.build().eval(), NasBench201(EDGES).eval()
        assert _weights(built) == _weights(hand) == bench.cost().params
        assert _weights(darts.build()) == _weights(DartsV2()) == darts.cost().params
        image, batch = torch.randn(1, 3, 32, 32), torch.randn(16, 3, 32, 32)
        with torch.no_grad():
            yield compared("forward, one image", lambda: built(image), lambda: hand(image), 20 * repetitions, aim=1.02)
        built.train()
        hand.train()
        yield compared(
            "training step, 16 images",
            lambda: built(batch).sum().backward(),
            lambda: hand(batch).sum().backward(),
            5 * repetitions,
            aim=1.02,
        )
    finally:
        torch.set_num_threads(threads)


def _weights(network: Any) -> int:
    return sum(weight.numel() for weight in network.parameters())
