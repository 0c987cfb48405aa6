"""Problems of functions that are written down here, one for each kind of decision; smaller is better.

Their optima follow from the formula, or from trying every program. In none does each decision have a best
pick of its own, whatever the others are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache, partial
from itertools import combinations, pairwise, product
from random import Random
from typing import Any

from archlang.bench.problems.problem import Answers, BestOf
from archlang.bench.problems.tables import Folder, Makers
from archlang.searchers import Objective
from archlang.space import Space
from archlang.space.loading import loads

Picks = Mapping[str, Any]
VALUE = Objective("value", maximize=False)

# ------------------------------------------------------------------ floats

FLOAT = "space floats { { x: [choose 0.0..1.0 as x for i in 0..<6] } }"
# Hartmann's function in six dimensions (Dixon & Szegö 1978): weights, widths and centres of four wells.
WELLS = (
    (1.0, (10, 3, 17, 3.5, 1.7, 8), (0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886)),
    (1.2, (0.05, 10, 17, 0.1, 8, 14), (0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991)),
    (3.0, (3, 3.5, 1.7, 10, 17, 8), (0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650)),
    (3.2, (17, 8, 0.05, 10, 0.1, 14), (0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381)),
)
HARTMANN = -3.322368011415515


def floats(picks: Picks) -> float:
    """Hartmann's function; it has several local minima."""
    xs = [picks[f"x[{i}]"] for i in range(6)]
    return -sum(
        weight * math.exp(-sum(a * (x - p) ** 2 for a, x, p in zip(widths, xs, centre, strict=True)))
        for weight, widths, centre in WELLS
    )


# ------------------------------------------------------------------ integers

INTEGER = "space integers { { x: [choose -5..10 as x for i in 0..<6] } }"


def integers(picks: Picks) -> float:
    """The logarithm of 1 + Rosenbrock's function on whole numbers: 0 where all are 1, along a curved valley."""
    xs = [picks[f"x[{i}]"] for i in range(6)]
    return math.log1p(sum(100 * (b - a * a) ** 2 + (1 - a) ** 2 for a, b in pairwise(xs)))


# ------------------------------------------------------------------ subsets

SUBSET = """
space subsets {
  things = [i for i in 0..<12]
  { early: choose 3 of things, late: choose 1..3 of things }
}
"""


@cache
def _affinity() -> tuple[tuple[float, ...], ...]:
    random = Random("affinity")
    return tuple(tuple(random.random() for _ in range(12)) for _ in range(12))


def subsets(picks: Picks) -> float:
    """What pairs of elements cost each other, within a set and between the two, a worth of the late ones,
    and a fine for elements of both."""
    affinity = _affinity()
    early, late = picks["early"], picks["late"]
    within = sum(affinity[a][b] for chosen in (early, late) for a, b in combinations(chosen, 2))
    between = sum(affinity[b][a] - 0.55 for a, b in product(early, late))
    return float(within + between + len(set(early) & set(late)))


# ------------------------------------------------------------------ conditional decisions

CONDITIONAL = """
space conditional {
  depth = choose 1..4
  {
    layers: [
      choose {
        conv: { kernel: choose [1, 3, 5, 7], width: choose [1, 2, 4] }
        pool: { size: choose [2, 3] }
        skip: {}
      } as layer
      for i in 0..<depth
    ]
  }
}
"""


def conditional(picks: Picks) -> float:
    """How far the receptive field of some layers is from 29, with what they cost and how narrow the last
    is: what a kernel adds hangs on the poolings before it, its cost on the width before it."""
    field = stride = width = 1
    cost = 0
    for i in range(picks["depth"]):
        match picks[f"layer[{i}]"]:
            case "conv":
                kernel, wider = picks[f"layer[{i}]:conv.kernel"], picks[f"layer[{i}]:conv.width"]
                field += (kernel - 1) * stride
                cost += kernel * width * wider
                width = wider
            case "pool":
                field += (picks[f"layer[{i}]:pool.size"] - 1) * stride
                stride *= picks[f"layer[{i}]:pool.size"]
    return abs(field - 29) / 4 + cost / 8 + 6 / width


# ------------------------------------------------------------------ mixed decisions

MIXED = """
space mixed {
  {
    optimizer: choose { sgd: { momentum: choose 0.0..1.0 }, adam: {}, rmsprop: {} }
    rate: choose 1e-4..1.0 log
    batch: choose 1..16
    augment: choose 2 of ["crop", "flip", "cutout", "mixup", "jitter"]
  }
}
"""
RATES = {"sgd": -1.5, "adam": -3.0, "rmsprop": -2.5}  # logarithms of the best rate for a batch of 1
WORTH = (0.31, 0.12, 0.23, 0.44, 0.05)


def mixed(picks: Picks) -> float:
    """Squares around the rate and momentum that suit the other picks, and what these are worth."""
    optimizer, batch, augment = picks["optimizer"], picks["batch"], picks["augment"]
    rate = RATES[optimizer] + 0.5 * math.log10(batch)
    lost = (math.log10(picks["rate"]) - rate) ** 2
    if optimizer == "sgd":
        lost += 4 * (picks["optimizer:sgd.momentum"] - (0.95 - 0.03 * batch)) ** 2
    return lost + discrete(optimizer, batch, augment)


def discrete(optimizer: str, batch: int, augment: tuple[int, int]) -> float:
    """The part of `mixed` that the optimizer, the batch and the augmentation make: what is left where rate
    and momentum suit them, which lies within their bounds."""
    best_batch = {"sgd": 11, "adam": 5, "rmsprop": 14}[optimizer]
    clash = 0.4 if augment == (0, 3) else 0.15 * (optimizer == "adam") * (3 in augment)
    handicap = {"sgd": 0.0, "adam": 0.1, "rmsprop": 0.2}[optimizer]
    return 0.02 * abs(batch - best_batch) + handicap + clash - sum(WORTH[place] for place in augment)


def best_mixed() -> float:
    """The least of `mixed`, by trying all discrete picks."""
    return min(
        discrete(optimizer, batch, augment)
        for optimizer, batch, augment in product(RATES, range(1, 17), combinations(range(5), 2))
    )


# ------------------------------------------------------------------ orders

ORDER = """
space orders {
  jobs = [i for i in 0..<6]
  { order: choose 6 of jobs ordered, machine: [choose [0, 1] as machine for job in jobs] }
}
"""


@cache
def _setups() -> tuple[tuple[int, ...], ...]:
    random = Random("setups")
    return tuple(tuple(1 + int(9 * random.random()) for _ in range(6)) for _ in range(6))


def orders(picks: Picks) -> float:
    """The mean time at which six jobs end on two machines, which take them in one order; the second works
    half as fast, and what comes first before a job says how long it is prepared."""
    setups = _setups()
    time, last = [0.0, 0.0], [-1, -1]
    total = 0.0
    for job in picks["order"]:
        machine = picks[f"machine[{job}]"]
        setup = setups[last[machine]][job] if last[machine] >= 0 else 0
        time[machine] += setup + (3 + 2 * job) * (1 + machine)
        last[machine] = job
        total += time[machine]
    return total / 6


# ------------------------------------------------------------------ problems


def by_trying(function: Callable[[Picks], float], text: str) -> float:
    """The least value over all programs of a space."""
    return min(map(function, loads(text).enumerate()))


FUNCTIONS: dict[str, tuple[str, str, Callable[[Picks], float], Callable[[], float]]] = {
    "float": ("Hartmann's function of six floats", FLOAT, floats, lambda: HARTMANN),
    "integer": ("Rosenbrock's valley on six integers, logarithmic", INTEGER, integers, lambda: 0.0),
    "subset": (
        "two subsets whose elements suit each other or not",
        SUBSET,
        subsets,
        partial(by_trying, subsets, SUBSET),
    ),
    "conditional": (
        "one to four layers of three kinds, each with decisions of its own",
        CONDITIONAL,
        conditional,
        partial(by_trying, conditional, CONDITIONAL),
    ),
    "mixed": (
        "a training recipe with floats, an integer, a subset and a conditional decision",
        MIXED,
        mixed,
        best_mixed,
    ),
    "order": ("an order of jobs, and a machine for each", ORDER, orders, partial(by_trying, orders, ORDER)),
}


def synthetic(kind: str, folder: Folder = None) -> BestOf:
    """The problem of a kind of decisions; it needs no files."""
    title, text, function, optimum = FUNCTIONS[kind]

    def made() -> Answers:
        best = optimum()
        return Answers(
            told=lambda choices, share: {"value": function(choices)},
            scored=function,
            best_told=best,
            best_scored=best,
        )

    def space() -> Space:
        return loads(text)

    return BestOf(
        name=f"synthetic-{kind}",
        title=f"synthetic: {title}",
        objectives=(VALUE,),
        make_space=space,
        make_answers=made,
    )


PROBLEMS: Makers = {f"synthetic-{kind}": partial(synthetic, kind) for kind in FUNCTIONS}
