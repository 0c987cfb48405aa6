"""Problems of costs alone: the least of one cost where another is high enough. The optimum is proven by the
bounds of the space that is narrowed so, which a searcher of it does not look at."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import attrs

from archlang.bench.problems.problem import Answers, BestOf
from archlang.bench.problems.tables import Folder, Makers
from archlang.searchers import Objective
from archlang.space.loading import load

if TYPE_CHECKING:
    from archlang.space import Choices, Space


@attrs.frozen
class Least:
    """The least `cost` over the programs of a library space that meet `condition`."""

    space: str
    cost: str
    condition: str


LEAST = {
    "cost-ofa-params": Least("ofa_mobilenetv3", "params", "macs >= 300M"),
    "cost-proxyless-macs": Least("proxylessnas", "macs", "params >= 5M"),
    "cost-sss-macs": Least("nats_sss", "macs", "params >= 200k"),
}


def least(name: str, folder: Folder = None) -> BestOf:
    """The problem of a name; it needs no files."""
    asked = LEAST[name]
    opened: list[Space] = []

    def space() -> Space:
        if not opened:
            opened.append(load(f"std.spaces.{asked.space}").narrowed(asked.condition))
        return opened[0]

    def cost(choices: Choices) -> float:
        return float(space().costs([choices])[asked.cost][0])

    def made() -> Answers:
        extreme = space().bounds(asked.cost).least
        return Answers(
            told=lambda choices, share: {asked.cost: cost(choices)},
            scored=cost,
            best_told=extreme.value,
            best_scored=extreme.value,
            proven=extreme.exact,
        )

    return BestOf(
        name=name,
        title=f"the least {asked.cost} in std.spaces.{asked.space} with {asked.condition}",
        objectives=(Objective(asked.cost, maximize=False),),
        make_space=space,
        make_answers=made,
    )


PROBLEMS: Makers = {name: partial(least, name) for name in LEAST}
