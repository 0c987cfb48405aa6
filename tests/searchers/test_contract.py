"""The contract of searchers finds what is wrong with these."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from archlang.searchers import Exhausted, Scores, Searcher
from archlang.searchers.random import RandomSearch
from archlang.space import Choices
from archlang.testing.searcher import ONE, SearcherContract


class ByGlobalState(RandomSearch):
    name = "by-global-state"

    def propose(self, random_: random.Random) -> Choices:
        return self.space.draw(random.Random(random.random()))


class ByHash(Searcher):
    name = "by-hash"

    def propose(self, random_: random.Random) -> Choices:
        return self.space.draw(random.Random(hash("seed") + self.asked))


class CountsElsewhere(Searcher):
    """Cannot be replayed: its state is not its own."""

    name = "counts-elsewhere"
    made = 0

    def propose(self, random_: random.Random) -> Choices:
        CountsElsewhere.made += 1
        return self.space.draw(random.Random(CountsElsewhere.made))


class BreaksRequirements(Searcher):
    name = "breaks-requirements"

    def propose(self, random_: random.Random) -> Choices:
        picks = {decision.address: decision.domain.draw(random_) for decision in self.space.all_decisions()}
        return Choices(picks)


class Repeats(RandomSearch):
    name = "repeats"

    def propose(self, random_: random.Random) -> Choices:
        return self.space.draw(random_)


class ChangesBeforeItRaises(RandomSearch):
    name = "changes-before-it-raises"
    tries = 0

    def propose(self, random_: random.Random) -> Choices:
        self.tries += 1
        if self.asked == 6 and self.tries < 9:
            raise Exhausted
        return self.space.draw(random_)


class NoFailures(RandomSearch):
    name = "no-failures"

    def observe(self, choices: Choices, scores: Scores | None) -> None:
        assert scores is not None
        super().observe(choices, scores)


class OnlyItsOwn(RandomSearch):
    name = "only-its-own"

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.flying: set[Choices] = set()

    def propose(self, random_: random.Random) -> Choices:
        found = super().propose(random_)
        self.flying.add(found)
        return found

    def observe(self, choices: Choices, scores: Scores | None) -> None:
        self.flying.remove(choices)


class OneAtATime(OnlyItsOwn):
    name = "one-at-a-time"

    def propose(self, random_: random.Random) -> Choices:
        if self.flying:
            raise Exhausted
        return super().propose(random_)


class NoFidelity(RandomSearch):
    name = "no-fidelity"

    def propose(self, random_: random.Random) -> Choices:
        return super().propose(random_).at(0.0)


class OneObjective(RandomSearch):
    name = "one-objective"

    def observe(self, choices: Choices, scores: Scores | None) -> None:
        if scores is not None:
            (_,) = scores


class Divides(RandomSearch):
    name = "divides"
    low, high = float("inf"), float("-inf")

    def observe(self, choices: Choices, scores: Scores | None) -> None:
        if scores is not None:
            before, self.low, self.high = self.low, min(self.low, scores[0]), max(self.high, scores[0])
            _ = (scores[0] - self.low) / (self.high - self.low) if before < float("inf") else 0.0


class Encodes(RandomSearch):
    name = "encodes"

    def observe(self, choices: Choices, scores: Scores | None) -> None:
        self.space.encode(choices)


Test = Callable[[SearcherContract], None]


@pytest.mark.parametrize(
    ("kind", "test"),
    [
        (ByGlobalState, lambda contract: contract.test_same_seed_gives_same_proposals("flat")),
        (ByGlobalState, lambda contract: contract.test_global_random_state_plays_no_part("flat")),
        (ByHash, lambda contract: contract.test_second_process_gives_same_proposals()),
        (CountsElsewhere, lambda contract: contract.test_replay_leads_to_the_same_place("flat", 1)),
        (CountsElsewhere, lambda contract: contract.test_random_spaces("2")),
        (BreaksRequirements, lambda contract: contract.test_requirements_and_budgets_are_kept("constrained")),
        (BreaksRequirements, lambda contract: contract.test_proposals_are_choices_of_the_space("conditional")),
        (BreaksRequirements, lambda contract: contract.test_random_spaces("2")),
        (Repeats, lambda contract: contract.test_finite_space_is_used_up("small")),
        (ChangesBeforeItRaises, lambda contract: contract.test_asks_that_find_nothing_change_nothing()),
        (NoFailures, lambda contract: contract.test_all_trials_may_fail("flat")),
        (NoFailures, lambda contract: contract.test_metrics_that_are_not_finite_count_as_failed("flat")),
        (OnlyItsOwn, lambda contract: contract.test_programs_that_were_never_asked_may_be_told("flat")),
        (OneAtATime, lambda contract: contract.test_many_in_flight("flat")),
        (OneAtATime, lambda contract: contract.test_asks_may_be_lost("flat")),
        (NoFidelity, lambda contract: contract.test_fidelities_are_shares("flat")),
        (OneObjective, lambda contract: contract.test_three_objectives("flat")),
        (OneObjective, lambda contract: contract.test_limits_on_metrics("penalty", "cost <= 5")),
        (Divides, lambda contract: contract.test_all_programs_may_be_as_good("flat", ONE)),
        (Encodes, lambda contract: contract.test_space_that_is_not_evaluated_as_a_whole()),
        (
            RandomSearch,
            lambda contract: type("Same", (type(contract),), {"seeded": False})().test_other_seed_gives_other_proposals(
                "flat"
            ),
        ),
    ],
)
def test_what_is_wrong_is_found(kind: type[Searcher], test: Test) -> None:
    contract = type("Contract", (SearcherContract,), {"searcher": kind, "spaces": ("flat",)})()
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever a searcher does wrong
        test(contract)
