"""Sequential model-based optimisation over programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import numpy as np
from attrs.validators import ge, in_

from archlang.searchers.base import Searcher
from archlang.searchers.objectives import Scores
from archlang.searchers.ranking import best_first
from archlang.searchers.smbo import pruning
from archlang.searchers.smbo.acquisitions import ACQUISITIONS
from archlang.searchers.smbo.boosting import Boosting
from archlang.searchers.smbo.candidates import Effort, candidates
from archlang.searchers.smbo.features import CHOICES, ENCODINGS, Features
from archlang.searchers.smbo.meanings import function
from archlang.searchers.smbo.model import Model
from archlang.searchers.smbo.surrogates import SURROGATES
from archlang.searchers.smbo.targets import Ranked
from archlang.searchers.unseen import Unseen

if TYPE_CHECKING:
    from archlang.space import Choices

Array = np.ndarray[Any, Any]

HASHED = 64  # draws that are looked at for one that is new as a function
LEAST_TOLD = 3  # programs, before which a surrogate has nothing to learn


@attrs.frozen(kw_only=True)
class SmboSettings:
    """`surrogate`: what predicts scores: gp, forest, boosting or ensemble. `acquisition`: ei, ucb, thompson,
    its, ehvi or mean. `encoding`: what surrogates see: choices, or graph (the neighbourhoods in programs' graphs)
    or both, for the `screened` candidates that promise most by choices alone, as a graph takes milliseconds.
    `initial`: how many programs are drawn to begin with.
    `pool`, `parents`, `children`, `rounds`: the candidates, see `Effort`. `prune`: how many picks are left out
    that boosting finds worst (of several objectives: for each). `same`: which programs are never
    proposed twice: equal in `choices`, or (default) also in `function`; `none`: all may be."""

    surrogate: str = attrs.field(default="gp", validator=in_(tuple(SURROGATES)))
    acquisition: str = attrs.field(default="ei", validator=in_(tuple(ACQUISITIONS)))
    initial: int = attrs.field(default=20, validator=ge(1))
    encoding: str = attrs.field(default="both", validator=in_(ENCODINGS))
    screened: int = attrs.field(default=48, validator=ge(1))
    pool: int = attrs.field(default=200, validator=ge(0))
    parents: int = attrs.field(default=10, validator=ge(0))
    children: int = attrs.field(default=40, validator=ge(0))
    rounds: int = attrs.field(default=1, validator=ge(0))
    prune: int = attrs.field(default=0, validator=ge(0))
    same: str = attrs.field(default="function", validator=in_(("function", "choices", "none")))


class Smbo(Searcher):
    """Fits a surrogate to what was told, and proposes the candidate that an acquisition finds best.

    See `Model` for several objectives and for programs in flight. Failed and infeasible programs count as the
    worst.
    """

    name: ClassVar[str] = "smbo"
    Settings = SmboSettings

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._unseen = Unseen(self.space)
        self._told: list[Choices] = []
        self._scores: list[Scores | None] = []
        self._flying: Counter[Choices] = Counter()
        self._functions: set[str] = set()
        self._model = self._model_of(CHOICES)
        self._second = None if self.settings.encoding == CHOICES else self._model_of(self.settings.encoding)

    def _model_of(self, encoding: str) -> Model:
        return Model(Features(self.space, encoding), self.settings.surrogate, len(self.objectives))

    def propose(self, random: Random) -> Choices:
        choices = self._proposal(random)
        self._flying[choices] += 1
        return choices

    def observe(self, choices: Choices, scores: Scores | None) -> None:
        self._unseen.add(choices)
        if self.settings.same == "function":
            self._functions.add(function(self.space, choices))
        for model in self._models():
            model.features.meet(choices)
        if self._flying[choices] > 1:
            self._flying[choices] -= 1
        else:
            del self._flying[choices]
        self._told.append(choices)
        self._scores.append(scores)

    def _models(self) -> tuple[Model, ...]:
        return (self._model,) if self._second is None else (self._model, self._second)

    # ------------------------------------------------------------------ proposals

    def _proposal(self, random: Random) -> Choices:
        measured = sum(scores is not None for scores in self._scores)
        decisions = self._model.features.encoder.blocks
        # What was told of programs that another searcher asked for counts too.
        begun = max(self.asked, len(self._told)) >= self.settings.initial
        if decisions and begun and measured >= LEAST_TOLD:
            for choices in self._ranked(random):
                if self._is_new(choices):
                    return self._unseen.take(choices)
        return self._drawn(random)

    def _drawn(self, random: Random) -> Choices:
        """A program drawn, new as a function if one is found soon."""
        if self.settings.same == "none":
            return self.space.draw(random)
        for _ in range(HASHED):
            choices = self.space.draw(random)
            if choices not in self._unseen and self._is_new(choices):
                return self._unseen.take(choices)
        return self._unseen.find(lambda: self.space.draw(random), random)

    def _ranked(self, random: Random) -> list[Choices]:
        """Candidates, the most promising first."""
        generator = np.random.default_rng(random.getrandbits(64))
        seed = random.getrandbits(30)  # so large a number suits all libraries
        scores, own = self._table(), self.settings
        self._model.fit(self._told, scores, list(self._flying), seed)
        worst = self._worst_picks(scores)
        acquire, joint = ACQUISITIONS[own.acquisition], own.acquisition == "thompson"

        def draw() -> Choices:
            return pruning.draw(self.space, worst, random) if worst else self.space.draw(random)

        def allowed(choices: Choices) -> bool:
            is_new = own.same == "none" or choices not in self._unseen
            return is_new and not (worst and pruning.is_banned(choices, worst))

        def promise(new: Sequence[Choices]) -> Array:
            return self._model.promise(new, acquire, joint, generator)

        effort = Effort(pool=own.pool, parents=own.parents, children=own.children, rounds=own.rounds)
        found = candidates(self.space, self._best(), draw, allowed, promise, effort, random)
        if self._second is None or not self._second.features.sees_graphs:
            return found
        self._second.fit(self._told, scores, list(self._flying), seed)
        first = found[: own.screened]
        promised = self._second.promise(first, acquire, joint, generator) if first else np.zeros(0)
        return [first[index] for index in np.argsort(-promised, kind="stable")] + found[own.screened :]

    def _best(self) -> list[Choices]:
        """The programs told (and believed), the best first."""
        model = self._model
        scores = [tuple(row) for row in model.known.learnt.tolist()]
        order = best_first(scores, len(scores))
        return list(dict.fromkeys(model.programs[index] for index in order))

    def _worst_picks(self, scores: Array) -> pruning.Banned:
        if not self.settings.prune:
            return {}
        trees = [Boosting() for _ in self.objectives]
        for each, column in zip(trees, scores.T, strict=True):
            each.fit(self._model.features, self._told, Ranked.of(column).learnt(column), 0)
        return pruning.worst_picks(trees, self._model.features, self._told, self.settings.prune)

    def _table(self) -> Array:
        """The scores of the programs told, (programs, objectives); failed ones have the worst."""
        measured = [scores for scores in self._scores if scores is not None]
        worst = tuple(min(column) for column in zip(*measured, strict=True))
        return np.array([worst if scores is None else scores for scores in self._scores])

    def _is_new(self, choices: Choices) -> bool:
        """Whether no program seen so far is the same by function; if so, it is seen now."""
        if self.settings.same != "function":
            return True
        found = function(self.space, choices)
        if found in self._functions:
            return False
        self._functions.add(found)
        return True
