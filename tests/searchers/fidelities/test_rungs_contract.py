"""Searchers by several fidelities keep the contract, where a proposal is a program at a fidelity."""

from typing import ClassVar

import pytest

from archlang.searchers import Exhausted
from archlang.searchers.fidelities.asha import ASHA
from archlang.searchers.fidelities.hyperband import BOHB, Hyperband, SuccessiveHalving
from archlang.testing.searcher import SIZES, SearcherContract, drive, make_space
from tests.searchers.fidelities.test_hyperband import all_of


class RungsContract(SearcherContract):
    @pytest.mark.parametrize("name", ["small", "constrained", "conditional"])
    def test_finite_space_is_used_up(self, name: str) -> None:
        searcher = self.make(make_space(name))
        events = drive(searcher, 8 * SIZES[name], seed=1, parallel=3)
        asked = [(event.ask, event.fidelity) for event in events if event.ask is not None]
        assert len(asked) == len(set(asked))
        assert len({text for text, _ in asked}) == SIZES[name], "every program is evaluated, by some fidelity"
        assert max(fidelity for _, fidelity in asked) == 1
        for _ in range(2):
            with pytest.raises(Exhausted):
                searcher.ask()

    def test_space_of_one_program(self) -> None:
        found = all_of(self.make(make_space("single")))
        assert [choices.fidelity for choices in found] == [1 / 9, 1 / 3, 1]


class TestSuccessiveHalving(RungsContract):
    searcher = SuccessiveHalving


class TestHyperband(RungsContract):
    searcher = Hyperband
    settings: ClassVar = {"searcher": "evolution(population=5, sample=2)"}


class TestASHA(RungsContract):
    searcher = ASHA


class TestBOHB(RungsContract):
    searcher = BOHB
    settings: ClassVar = {"searcher": "tpe(startup=3, explore=0.3)"}
