"""Whole spaces in compiled form: drawing, moving, counting, pricing, and drawing within budgets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import archlang as al
from benchmarks.measure import Figure, compared, timed

# The spaces A, B and D that peers are compared on: 20 choices of 8; the cell of NAS-Bench-201;
# 50 layers of 6 candidates with 3 nested choices each.
CANDIDATE = "(choose [1, 2, 3], choose [1, 2, 3], choose [1, 2, 3])"
SPACES = {
    "A": "space a { [choose 0..7 for i in 0..<20] }",
    "B": "space b { [choose { none: 0, skip: 1, conv1: 2, conv3: 3, pool3: 4 } for i in 0..<6] }",
    "D": "space d {\n  [choose {\n"
    + "".join(f"    {label}: {CANDIDATE}\n" for label in "abcdef")
    + "  } for i in 0..<50]\n}",
}
PLANTED = sorted((Path(__file__).parent.parent / "tests" / "space" / "planted").glob("*.arch"))
MANY = 200  # draws that are timed together: one alone is shorter than the clock can tell


def _drawn_by_hand() -> dict[str, Callable[[Random], dict[str, Any]]]:
    """Plain Python that draws the same numbers into a dictionary."""
    flat = [f"x[{i}]" for i in range(20)]
    edges = [f"e[{i}]" for i in range(6)]
    labels = ["none", "skip", "conv1", "conv3", "pool3"]
    layers = [(f"l[{i}]", {c: [f"l[{i}]:{c}.{k}" for k in range(3)] for c in "abcdef"}) for i in range(50)]

    def nested(random: Random) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, inner in layers:
            found[name] = "abcdef"[random.randrange(6)]
            for address in inner[found[name]]:
                found[address] = 1 + random.randrange(3)
        return found

    return {
        "A": lambda random: {name: random.randrange(8) for name in flat},
        "B": lambda random: {name: labels[random.randrange(5)] for name in edges},
        "D": nested,
    }


def _often(action: Callable[[], Any]) -> None:
    for _ in range(MANY):
        action()


def compiled(repetitions: int) -> Iterator[Figure]:
    """Draws and mutations beside plain Python that draws the same numbers; batches."""
    by_hand = _drawn_by_hand()
    for name, text in SPACES.items():
        space = al.loads(text)
        random = Random(0)
        choices = space.draw(random)
        plain = partial(_often, partial(by_hand[name], random))
        moves = {
            "draw": partial(space.draw, random),
            "draw evenly": partial(space.draw, random, evenly=True),
            "mutate": partial(space.mutate, choices, random),
        }
        for what, move in moves.items():
            yield compared(f"{MANY} x {what} {name}", partial(_often, move), plain, repetitions, aim=5)
    space = al.loads(SPACES["A"])
    yield timed("sample_many 100,000 of A", lambda: space.sample_many(100_000), repetitions, aim=500)


def budgets(repetitions: int) -> Iterator[Figure]:
    """Large library spaces: counts after checking, costs of many programs, draws within a budget."""
    for name in ("ofa_mobilenetv3", "proxylessnas"):
        space = al.load(f"std.spaces.{name}")
        yield timed(f"count {name}", space.count, repetitions, aim=100)
    mobile = al.load("std.spaces.mobile")
    batch = mobile.sample_many(20_000)
    listed = list(batch)
    yield timed("costs of 20,000 mobile programs, a batch", lambda: mobile.costs(batch), repetitions, aim=200)
    yield timed("costs of 20,000 mobile programs, a list", lambda: mobile.costs(listed), repetitions, aim=200)

    def rare() -> al.Space:
        return mobile.narrowed("macs <= 140M and params <= 4M")

    share = rare().count().high / mobile.count().high
    note = f"one program in {1 / share:.1e}"
    yield timed("1,000 rare mobile programs", lambda: rare().sample_many(1_000), max(1, repetitions // 5), 2_000, note)
    yield timed("count ofa within macs <= 180M", _count_within, max(1, repetitions // 10))


def errors(repetitions: int) -> Iterator[Figure]:
    """From text to diagnostic: each time is that of another space with one planted mistake."""
    times = [timed(path.stem, partial(_refused, path), max(3, repetitions // 3)).median for path in PLANTED]
    yield Figure("a planted mistake told", tuple(times), aim=200, note=f"{len(times)} spaces, one time each")


def distinct(repetitions: int) -> Iterator[Figure]:
    """Counts of different networks, after checking."""
    for name in ("nasbench201", "ofa_mobilenetv3", "proxylessnas"):
        space = al.load(f"std.spaces.{name}")
        yield timed(f"count --distinct {name}", space.distinct, max(1, repetitions // 5))


def _refused(path: Path) -> None:
    try:
        al.load(str(path))
    except al.ArchError:
        return
    raise AssertionError(f"{path} is to hold a mistake")


def _count_within() -> object:
    return al.load("std.spaces.ofa_mobilenetv3").narrowed("macs <= 180M").count()
