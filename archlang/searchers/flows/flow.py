"""What flows have in common: the searchers they are made of, and going back."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable
from random import Random
from typing import TYPE_CHECKING, Any, final

import attrs

from archlang.searchers.base import Exhausted, Searcher
from archlang.searchers.objectives import Scores

if TYPE_CHECKING:
    from archlang.searchers.recipe import Recipe
    from archlang.space import Choices, SearchSpace

Key = tuple[Hashable, float]


class Flow(Searcher):
    """A searcher that asks others. They are told scores by `observe`: only the outermost searcher
    judges constraints.

    A subclass has `suggest` and `learn` for `propose` and `observe`, and asks by `take`. It may raise
    `Exhausted` after it has asked others and told them: then it is put back to where it was, as if
    that ask had never been.
    """

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._history: list[tuple[Choices, Scores | None] | None] = []  # what was told; None: an ask
        self._took = False

    def child(self, recipe: Recipe, name: str, space: SearchSpace | None = None) -> Searcher:
        """A new searcher of the flow; its seed follows from the flow's and its name."""
        seed = Random(f"{self.seed}/{self.name}/{name}").getrandbits(32)
        return recipe.make(space or self.space, self.objectives, seed, self.constraints)

    def take(self, child: Searcher) -> Choices:
        """The next proposal of a searcher of the flow; raises `Exhausted`."""
        choices = child.ask()
        self._took = True
        return choices

    @final
    def propose(self, random: Random) -> Choices:
        self._took = False
        try:
            choices = self.suggest(random)
        except Exhausted:
            if self._took:
                self._go_back()
            raise
        self._history.append(None)
        return choices

    @final
    def observe(self, choices: Choices, scores: Scores | None) -> None:
        self._history.append((choices, scores))
        self.learn(choices, scores)

    @abstractmethod
    def suggest(self, random: Random) -> Choices:
        """The next program; see `Searcher.propose`."""

    @abstractmethod
    def learn(self, choices: Choices, scores: Scores | None) -> None:
        """Learn from an evaluated program; see `Searcher.observe`."""

    def _go_back(self) -> None:
        settings = attrs.asdict(self.settings, recurse=False)
        again = type(self)(self.space, self.objectives, self.seed, self.constraints, **settings)
        for told in self._history:
            if told is None:
                again.ask()
            else:
                again.observe(*told)
        vars(self).update({**vars(again), "_judge": self._judge})


def key_of(choices: Choices) -> Key:
    """What a proposal is known by: a program by another fidelity is another proposal."""
    return choices, choices.fidelity


def as_proposed(proposal: Choices, choices: Choices, space: SearchSpace) -> Choices:
    """A program as the searcher of a part of the space is to be told of it: as its own proposal, which
    it may wait for, if the program has the picks of that part."""
    return proposal.at(choices.fidelity) if space.own(proposal) == space.own(choices) else choices


class Known:
    """Proposals by keys, and what came of them."""

    def __init__(self) -> None:
        self._scores: dict[Hashable, Scores | None] = {}
        self._waiting: dict[Hashable, list[Choices]] = {}

    def is_new(self, key: Hashable, choices: Choices, searcher: Searcher) -> bool:
        """Whether a proposal is the first of its key. If not, its searcher is told what came of the
        first, now or with `learn`."""
        if key in self._scores:
            searcher.observe(choices, self._scores[key])
        elif key in self._waiting:
            self._waiting[key].append(choices)
        else:
            self._waiting[key] = []
            return True
        return False

    def learn(self, key: Hashable, scores: Scores | None) -> list[Choices]:
        """Keep what came of a proposal; the later ones of its key, which are to be told the same."""
        self._scores[key] = scores
        return self._waiting.pop(key, [])
