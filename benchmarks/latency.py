"""How well a table measured here predicts what programs take here that it was not fitted to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

import archlang as al
from benchmarks.measure import Figure

UNSEEN = 100
AIM = 0.95  # the least rank correlation


def latency(repetitions: int) -> Iterator[Figure]:
    """NAS-Bench-201 on one thread with PyTorch, one image at a time: the table, then unseen programs.

    The figure is the measured times beside the predicted ones; the note has their rank correlation
    (Spearman) and that of two halves of the measurements, which no prediction can surpass by much.
    """
    from archlang.backend import profiler
    from archlang.evaluate.profiling import Timing, profile, timed

    space = al.load("std.spaces.nasbench201")
    timing = Timing(repeats=max(2, 3 * repetitions), programs=30, seed=0)
    table = profile(space, timing=timing)
    fitted = {space.sample(timing.seed + number).choices for number in range(timing.programs)}
    drawn = (space.sample(seed) for seed in range(10_000, 10_000 + 2 * UNSEEN))
    unseen = list({program.choices: program for program in drawn if program.choices not in fitted}.values())[:UNSEEN]
    with profiler("torch").meter(timing.device, timing.threads, timing.batch) as meter:
        runs = timed(meter, [program.graph for program in unseen], timing.repeats)
    taken = [median(each) / 1e6 for each in runs]
    predicted = [table.predict(program.graph) for program in unseen]
    agreed = rank_correlation(taken, predicted)
    halves = [[median(each[start::2]) for each in runs] for start in (0, 1)]
    note = f"rank correlation {agreed:.3f} (aim >= {AIM}{', MISSED' if agreed < AIM else ''}), "
    note += f"of two halves {rank_correlation(*halves):.3f}, of macs {rank_correlation(taken, macs(unseen)):.3f}"
    yield Figure(f"{UNSEEN} unseen programs", tuple(taken), against=tuple(predicted), note=note)


def macs(programs: Sequence[al.Program]) -> list[int]:
    return [program.cost().macs for program in programs]


def rank_correlation(a: Sequence[float], b: Sequence[float]) -> float:
    """Spearman's coefficient, ties at their mean rank."""
    import numpy as np

    def ranks(values: Sequence[float]) -> np.ndarray:
        _, inverse, counts = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
        return (np.cumsum(counts) - (counts - 1) / 2)[inverse]

    return float(np.corrcoef(ranks(a), ranks(b))[0, 1])
