"""What a searcher is: a function of (space, seed, history) with `ask` and `tell`.

The n-th proposal depends on the space, the settings, the seed, n, and on what was asked and told
before it, in that order, and on nothing else. So nothing of a searcher is stored: a new one that is
given the same asks and tells goes on exactly as the first would have.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar, final

import attrs

from archlang.searchers.objectives import NO_CONSTRAINTS, Constraints, Objective, Scores
from archlang.settings import read_settings

if TYPE_CHECKING:
    from archlang.space import Choices, SearchSpace


Told = tuple["Choices", Scores]  # an evaluated program


class Exhausted(Exception):
    """The searcher has nothing left to propose."""


@attrs.frozen(kw_only=True)
class NoSettings:
    """For searchers without settings."""


class Searcher(ABC):
    """The base of all searchers: a subclass says what to propose next.

    Any number of proposals may be in flight, and they may be told in any order. A subclass draws
    random numbers only from the generator that `propose` is given, which the seed and the number of
    the proposal fix; it must not let its proposals hang on the order of a set, on `hash` or on time.
    """

    name: ClassVar[str]
    Settings: ClassVar[type[Any]] = NoSettings

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[Objective],
        seed: int = 0,
        constraints: Constraints = NO_CONSTRAINTS,
        **settings: Any,
    ) -> None:
        """A searcher that has not asked yet; ArchError for settings that it does not have or that do
        not fit."""
        self.space = space
        self.objectives = tuple(objectives)
        self.seed = seed
        self.constraints = constraints
        self._judge = constraints.judge()
        self.settings: Any = read_settings(self.Settings, settings, f"the searcher `{self.name}`")
        self.asked = 0

    @final
    def ask(self) -> Choices:
        """The next program to evaluate, by its `fidelity`; `Exhausted` when nothing is left.

        An ask that raises counts as none: it changes nothing of what is asked later.
        """
        choices = self.propose(Random(f"{self.seed}/{self.asked}"))
        self.asked += 1
        return choices

    @final
    def tell(self, choices: Choices, metrics: Mapping[str, float] | None) -> None:
        """Take what the evaluation of a program, by the `fidelity` of the choices, gave; None says that
        it failed."""
        self.observe(choices, self._judge.scores(metrics, self.objectives))

    @abstractmethod
    def propose(self, random: Random) -> Choices:
        """The next program, drawn with `random`; raises `Exhausted` before anything is changed."""

    def observe(self, choices: Choices, scores: Scores | None) -> None:  # noqa: B027 - some have nothing to learn
        """Learn from an evaluated program: one score an objective, larger is better (under constraints
        changed by them: see `Constraints`); None: it failed."""
