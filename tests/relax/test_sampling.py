"""Which programs samplers of single paths draw."""

import math
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

import archlang as al
from archlang.relax.method import Method
from archlang.relax.paths.controlled import Controlled
from archlang.relax.paths.fair import Fair
from archlang.relax.paths.paths import Paths
from archlang.relax.paths.sandwich import Sandwich
from archlang.relax.paths.shrinking import Phase, Shrinking
from archlang.relax.paths.uniform import Uniform
from archlang.relax.session import Session
from archlang.space import Space
from tests.relax.spaces import SPACES

CONSTRAINED = """
use std.nn
space constrained(x: f32[n, 8]) {
  first = choose [4, 8, 12] as first
  second = choose [4, 8, 12] as second
  require first <= second, "must not become narrower"
  x |> linear(first) >> relu >> linear(second) >> relu >> linear(5)
}
"""

SAMPLERS: dict[str, Paths] = {
    "uniform": Uniform(),
    "uniform over programs": Uniform(draws="programs"),
    "fair": Fair(),
    "sandwich": Sandwich(),
    "shrinking": Shrinking(phases=(Phase(0.2, "*depth"), Phase(0.4, "*", largest=2, programs=2), Phase(0.6, "*"))),
    "controlled": Controlled(),
    "controlled by evolution": Controlled(searcher="evolution"),
}


def spaces() -> dict[str, Space]:
    """All that is difficult: choices within choices, recursion, a requirement, a budget, a type that is chosen."""
    found = {name: al.loads(text) for name, text in {**SPACES, "constrained": CONSTRAINED}.items()}
    found["budget"] = found["elastic"].narrowed("macs <= 60_000 and params <= 2000")
    found["typed"] = al.loads("use std.nn\nspace s(x: f32[n, 4]) { x |> linear(choose [2, 3] as width) }")
    return found


def session(sampler: Paths, space: Space | str, seed: int = 0) -> Session:
    """A session for draws alone, which need no engine."""
    made = al.loads(space) if isinstance(space, str) else space
    no_engine: Any = None
    no_feeding: Any = None
    return Session(Method(sampler=sampler), made, no_engine, (), Random(seed), no_feeding)


def drawn(sampler: Paths, space: Space | str, steps: int, seed: int = 0) -> list[Sequence[al.Choices]]:
    """The programs of each step of a training of so many."""
    made = session(sampler, space, seed)
    found = []
    for step in range(steps):
        made.progress = step / steps
        found.append(sampler.programs(made))
    return found


def chi_square(counts: Counter[al.Choices], expected: dict[al.Choices, float]) -> float:
    assert counts.keys() <= expected.keys()
    return sum((counts[program] - mean) ** 2 / mean for program, mean in expected.items())


def limit_of(freedom: int) -> float:
    """What a chi-square variable exceeds once in a thousand times (Wilson and Hilferty 1931)."""
    return freedom * (1 - 2 / (9 * freedom) + 3.0902 * math.sqrt(2 / (9 * freedom))) ** 3


# ---------------------------------------------------------------------- all of them


@pytest.mark.parametrize("name", SAMPLERS)
def test_draws_are_programs_of_the_space(name: str) -> None:
    for space in spaces().values():
        programs = [choices for step in drawn(SAMPLERS[name], space, 10) for choices in step]
        assert [space.choices(choices) for choices in programs] == programs
    budget = spaces()["budget"]
    costs = [budget.program(choices).cost() for step in drawn(SAMPLERS[name], budget, 30) for choices in step]
    assert max(cost.macs for cost in costs) <= 60_000
    assert max(cost.params for cost in costs) <= 2000


@pytest.mark.parametrize("name", SAMPLERS)
def test_draws_follow_the_random_numbers_of_the_session(name: str) -> None:
    sampler, space = SAMPLERS[name], al.loads(SPACES["transformer"])
    first = drawn(sampler, space, 10)
    assert drawn(sampler, space, 10) == first
    assert drawn(sampler, space, 10, seed=1) != first


def test_draws_do_not_hang_on_the_order_of_hashes() -> None:
    script = """
from tests.relax.test_sampling import SAMPLERS, drawn, spaces
for name, sampler in SAMPLERS.items():
    for space in spaces().values():
        print(name, [[choices.to_json() for choices in step] for step in drawn(sampler, space, 6)])
"""
    root = Path(__file__).parents[2]
    paths = os.pathsep.join([str(root), *filter(None, sys.path)])
    texts = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": paths},
            cwd=root,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(texts) == 1
    assert len(texts.pop().splitlines()) == len(SAMPLERS) * len(spaces())


# -------------------------------------------------------------------------- uniform


@pytest.mark.parametrize("name", ["nested", "recursive", "elastic", "subsets", "constrained"])
def test_draws_are_even_over_the_picks_of_each_decision(name: str) -> None:
    space = spaces()[name]
    chances = {
        choices: math.prod(1 / decision.domain.size for decision in space.decisions(choices))
        for choices in space.enumerate()
    }
    count = 20 * len(chances) + 2000
    expected = {choices: count * chance / sum(chances.values()) for choices, chance in chances.items()}
    counts = Counter(choices for (choices,) in drawn(Uniform(), space, count))
    assert chi_square(counts, expected) < limit_of(len(expected) - 1)


@pytest.mark.parametrize("name", ["nested", "recursive", "elastic", "subsets", "constrained", "budget"])
def test_draws_are_even_over_programs(name: str) -> None:
    space = spaces()[name]
    programs = list(space.enumerate())
    count = 20 * len(programs)
    counts = Counter(choices for (choices,) in drawn(Uniform(draws="programs"), space, count))
    assert chi_square(counts, dict.fromkeys(programs, 20.0)) < limit_of(len(programs) - 1)


def test_the_two_ways_to_be_even_differ_where_a_pick_opens_decisions() -> None:
    """One of three alternatives has two forms: half of the programs, a third of the draws by decisions."""
    shares = []
    for draws in ("decisions", "programs"):
        steps = drawn(Uniform(draws=draws), SPACES["nested"], 2000)
        shares.append(sum(choices["cell"] == "conv" for (choices,) in steps) / 2000)
    assert shares == [pytest.approx(1 / 3, abs=0.04), pytest.approx(1 / 2, abs=0.04)]


# ----------------------------------------------------------------------------- fair


def uses(steps: Sequence[Sequence[al.Choices]], address: str) -> Counter[Any]:
    return Counter(choices[address] for step in steps for choices in step if address in choices)


def test_a_step_takes_every_alternative_once() -> None:
    for step in drawn(Fair(), SPACES["subsets"], 25):
        assert len(step) == 3
        for address in ("edge#1[0]", "edge#1[1]", "edge#1[2]", "edge#2"):
            counts = uses([step], address)
            assert set(counts.values()) <= {1}  # not all programs make all decisions
    for step in drawn(Fair(), SPACES["transformer"], 25):
        assert uses([step], "depth") == {1: 1, 2: 1, 3: 1}
        assert uses([step], "layer[0]/mixer") == {"attend": 1, "average": 1, "nothing": 1}
        assert uses([step], "layer[0].ratio") == {1: 1, 2: 1, 3: 1}


def test_the_orders_of_a_step_are_even_and_independent() -> None:
    steps = drawn(Fair(), al.load("std.spaces.nasbench201"), 1500)
    first, second = "shared/edge#1", "shared/edge#2"
    orders = Counter(tuple(choices[first] for choices in step) for step in steps)
    assert len(orders) == 120
    assert sum((count - 12.5) ** 2 / 12.5 for count in orders.values()) < limit_of(119)
    pairs = Counter((choices[first], choices[second]) for step in steps for choices in step)
    # Each alternative is in one program of a step, so that counts vary less than those of independent draws.
    assert len(pairs) == 25
    assert sum((count - 300) ** 2 / 300 for count in pairs.values()) < limit_of(24)


def test_decisions_with_fewer_alternatives_take_them_as_often_as_can_be() -> None:
    steps = drawn(Fair(), SPACES["elastic"], 31)
    assert {len(step) for step in steps} == {3}
    for step in steps:
        assert sorted(uses([step], "width").values()) == [1, 2]
        assert uses([step], "depth") == {0: 1, 1: 1, 2: 1}
    assert sorted(uses(steps, "width").values()) == [46, 47]


def test_decisions_that_few_programs_make_take_all_their_picks_in_turn() -> None:
    steps = drawn(Fair(), SPACES["nested"], 30)
    assert uses(steps, "cell") == {"skip": 30, "conv": 30, "pool": 30}
    for end in range(2, 31, 2):  # one program in each step has a kernel
        assert uses(steps[:end], "cell:conv.kernel") == {1: end // 2, 3: end // 2}
    deep = drawn(Fair(), SPACES["transformer"], 40)
    for address in ("layer[2]/mixer", "layer[2].ratio", "layer[1]/mixer:attend.heads"):
        counts = uses(deep, address)
        assert len(counts) == 3
        assert max(counts.values()) - min(counts.values()) <= 1


def test_more_picks_than_programs_come_in_turn_over_several_steps() -> None:
    steps = drawn(Fair(paths=2), SPACES["subsets"], 30)
    assert {len(step) for step in steps} == {2}
    for end in range(3, 31, 3):
        assert set(uses(steps[end - 3 : end], "joined").values()) == {1}
    assert set(uses(steps, "joined").values()) == {10}


def test_a_requirement_is_met_before_all_is_fair() -> None:
    steps = drawn(Fair(), CONSTRAINED, 300)
    assert all(choices["first"] <= choices["second"] for step in steps for choices in step)
    assert uses(steps, "first") == {4: 300, 8: 300, 12: 300}
    # After 12 there is 12 alone, which the others make up for.
    second = uses(steps, "second")
    assert max(second.values()) - min(second.values()) <= 2


def test_fairness_goes_on_where_it_was() -> None:
    sampler = Fair(paths=2)
    first = session(sampler, SPACES["subsets"])
    sampler.programs(first)
    second = session(sampler, SPACES["subsets"])
    second.notes, second.random = first.notes, first.random
    made = [*drawn(sampler, SPACES["subsets"], 1), sampler.programs(second), sampler.programs(second)]
    assert set(uses(made, "joined").values()) == {1}


# ------------------------------------------------------------------------- sandwich


@pytest.mark.parametrize("name", [*SPACES, "constrained", "budget"])
def test_the_sandwich_has_the_extremes_of_the_space(name: str) -> None:
    space = spaces()[name]
    programs = list(space.enumerate())
    costs = space.costs(programs)
    sizes = dict(zip(programs, zip(costs["macs"].tolist(), costs["params"].tolist(), strict=True), strict=True))
    for largest, one, other, smallest in drawn(Sandwich(), space, 3):
        assert sizes[largest] == max(sizes.values())
        assert sizes[smallest] == min(sizes.values())
        assert {one, other} <= sizes.keys()


def test_programs_of_equal_work_are_told_apart_by_their_parameters() -> None:
    text = """
use std.nn
space tied(x: f32[n, 8]) {
  x |> choose { plain: linear(8, bias=false), biased: linear(8) } as one |> relu
    |> choose { biased: linear(8), plain: linear(8, bias=false) } as other
}
"""
    space = al.loads(text)
    ((largest, smallest),) = drawn(Sandwich(random=0), space, 1)
    assert largest.as_dict() == {"one": "biased", "other": "biased"}
    assert smallest.as_dict() == {"one": "plain", "other": "plain"}
    ((largest, smallest),) = drawn(Sandwich(random=0), space.narrowed("params <= 136"), 1)
    assert list(largest.values()).count("biased") == 1
    assert smallest.as_dict() == {"one": "plain", "other": "plain"}


def test_work_counts_before_parameters() -> None:
    text = """
use std.nn
space heavy(image: f32[n, 4, 8, 8]) {
  image |> choose { work: conv2d(8) >> global_avg_pool, weights: global_avg_pool >> linear(64) >> linear(8) } as way
    |> linear(5)
}
"""
    space = al.loads(text)
    work, weights = (space.program({"way": way}).cost() for way in ("work", "weights"))
    assert work.macs > weights.macs
    assert work.params < weights.params
    for limited in (space, space.narrowed("params <= 10_000"), space.narrowed("depth <= 5")):
        ((largest, smallest),) = drawn(Sandwich(random=0), limited, 1)
        assert (largest["way"], smallest["way"]) == ("work", "weights")


def test_the_middle_of_the_sandwich_is_drawn_evenly() -> None:
    steps = drawn(Sandwich(random=3), SPACES["recursive"], 1000)
    assert {len(step) for step in steps} == {5}
    middle = Counter(choices["tree"] for step in steps for choices in step[1:-1])
    shares = [middle[pick] / 3000 for pick in ("leaf", "conv", "split")]
    assert shares == [pytest.approx(share, abs=0.04) for share in (9 / 22, 9 / 22, 4 / 22)]


# ------------------------------------------------------------------------ shrinking


def picks(made: Session, progress: float, steps: int = 60) -> dict[str, set[Any]]:
    """What the decisions take at a time of the training."""
    made.progress = progress
    found: dict[str, set[Any]] = {}
    for _ in range(steps):
        for choices in made.method.sampler.programs(made):
            for address, pick in choices.items():
                found.setdefault(address, set()).add(pick)
    return found


GROWING = Shrinking(
    phases=(
        Phase(0.2, "*size"),
        Phase(0.4, "depth", largest=2, programs=2),
        Phase(0.6, "*", programs=4),
    )
)


def test_phases_open_one_decision_after_the_other() -> None:
    made = session(GROWING, SPACES["elastic"])
    full = {"depth": {2}, "width": {8}} | {
        f"layer[{i}].{a}": {b} for i in (0, 1) for a, b in (("inner", 12), ("size", 5))
    }
    sizes = {f"layer[{i}].size": {1, 3, 5} for i in (0, 1)}
    assert picks(made, 0.0) == full
    assert picks(made, 0.199) == full
    assert picks(made, 0.2) == full | sizes
    assert picks(made, 0.5) == full | sizes | {"depth": {1, 2}}
    everything = {"depth": {0, 1, 2}, "width": {4, 8}} | {f"layer[{i}].inner": {6, 9, 12} for i in (0, 1)} | sizes
    assert picks(made, 0.6) == everything
    numbers = []
    for progress in (0.1, 0.3, 0.5, 0.99):
        made.progress = progress
        numbers.append(len(GROWING.programs(made)))
    assert numbers == [1, 1, 2, 4]


def test_the_phases_of_once_for_all() -> None:
    made = session(Shrinking(), al.load("std.spaces.ofa_mobilenetv3"))
    seen = []
    for progress in (0.0, 0.31, 0.52, 0.56, 0.76, 0.8):
        found = picks(made, progress, 40)
        kinds: dict[str, set[Any]] = {}
        for address, values in found.items():
            kinds.setdefault(address.rpartition(".")[2], set()).update(values)
        seen.append([sorted(kinds[kind]) for kind in ("kernel", "depth", "expand")])
    assert seen == [
        [[7], [4], [6]],
        [[3, 5, 7], [4], [6]],
        [[3, 5, 7], [3, 4], [6]],
        [[3, 5, 7], [2, 3, 4], [6]],
        [[3, 5, 7], [2, 3, 4], [4, 6]],
        [[3, 5, 7], [2, 3, 4], [3, 4, 6]],
    ]


def test_what_is_large_is_what_costs_more() -> None:
    """A stride is largest at one; alternatives that the largest program has not take what they have."""
    text = """
use std.nn
space strided(image: f32[n, 3, 8, 8]) {
  image |> conv2d(4, kernel=3, stride=choose [1, 2, 4] as stride)
    |> choose { cheap: conv2d(4, kernel=choose [1, 3] as small), dear: conv2d(4, kernel=5), nothing: identity } as way
    |> global_avg_pool >> linear(5)
}
"""
    assert picks(session(GROWING, text), 0.0) == {"stride": {1}, "way": {"dear"}}
    two = Shrinking(phases=[Phase(0.0, "stride", largest=2), Phase(0.0, "way")])
    found = picks(session(two, text), 0.0)
    assert found["stride"] == {1, 2}
    assert found["way"] == {"cheap", "dear", "nothing"}
    assert [values for address, values in found.items() if address.endswith("small")] == [{3}]


def test_phases_keep_to_a_budget() -> None:
    space = spaces()["budget"]
    made = session(GROWING, space)
    for made.progress in (0.0, 0.3, 0.5, 0.7):
        costs = [space.program(choices).cost() for _ in range(20) for choices in GROWING.programs(made)]
        assert max(cost.macs for cost in costs) <= 60_000
        assert max(cost.params for cost in costs) <= 2000


def test_phases_are_in_order() -> None:
    with pytest.raises(ValueError, match="in the order in which they start"):
        Shrinking(phases=[Phase(0.5, "*"), Phase(0.2, "*kernel")])
    assert Phase(0.0, "stage[0]*.kernel").matches("stage[0]/layer[1].kernel")
    assert not Phase(0.0, "stage[0]*.kernel").matches("stage0/layer[1].kernel")
    assert not Phase(0.0, "depth").matches("stage[0].depth")
