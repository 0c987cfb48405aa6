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
from archlang.searchers.pareto import best_first
from archlang.searchers.smbo import pruning
from archlang.searchers.smbo.acquisitions import ACQUISITIONS, Known
from archlang.searchers.smbo.boosting import Boosting
from archlang.searchers.smbo.candidates import Effort, candidates
from archlang.searchers.smbo.features import ENCODINGS, Features
from archlang.searchers.smbo.gp import agreement
from archlang.searchers.smbo.surrogate import Surrogate
from archlang.searchers.smbo.surrogates import SURROGATES, surrogate_class
from archlang.searchers.smbo.targets import Plain, Ranked, Scale
from archlang.searchers.unseen import Unseen

if TYPE_CHECKING:
    from archlang.space import Choices

Array = np.ndarray[Any, Any]

HASHED = 64  # candidates that are looked at for one that is new as a function
LEAST_TOLD = 3  # programs, before which a surrogate has nothing to learn


@attrs.frozen(kw_only=True)
class SmboSettings:
    """`surrogate`: what predicts scores: gp, forest, boosting or ensemble. `acquisition`: ei, ucb, thompson,
    its, ehvi or mean. `encoding`: what the surrogate sees: choices, graph (the neighbourhoods in programs'
    graphs; takes milliseconds a candidate) or both. `initial`: how many programs are drawn to begin with.
    `pool`, `parents`, `children`, `rounds`: the candidates, see `Effort`. `prune`: how many picks are left out
    that boosting finds worst. `same`: which programs are never proposed twice: equal in `choices`, or
    (default) also in `function`; `none`: all may be."""

    surrogate: str = attrs.field(default="gp", validator=in_(tuple(SURROGATES)))
    acquisition: str = attrs.field(default="ei", validator=in_(tuple(ACQUISITIONS)))
    initial: int = attrs.field(default=20, validator=ge(1))
    encoding: str = attrs.field(default="choices", validator=in_(ENCODINGS))
    pool: int = attrs.field(default=200, validator=ge(0))
    parents: int = attrs.field(default=10, validator=ge(0))
    children: int = attrs.field(default=40, validator=ge(0))
    rounds: int = attrs.field(default=1, validator=ge(0))
    prune: int = attrs.field(default=0, validator=ge(0))
    same: str = attrs.field(default="function", validator=in_(("function", "choices", "none")))


class Smbo(Searcher):
    """Fits a surrogate to what was told, and proposes the candidate that an acquisition finds best.

    One surrogate an objective. Programs in flight count as told with what the surrogate expects of them
    (Ginsbourger et al. 2010, kriging believer). Failed and infeasible programs count as the worst.
    """

    name: ClassVar[str] = "smbo"
    Settings = SmboSettings

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._unseen = Unseen(self.space)
        self._features = Features(self.space, self.settings.encoding)
        self._told: list[Choices] = []
        self._scores: list[Scores | None] = []
        self._flying: Counter[Choices] = Counter()
        self._functions: dict[Choices, str] = {}
        self._seen_functions: set[str] = set()
        self._plain: dict[
            int, tuple[int, bool]
        ] = {}  # by objective: with so many programs, whether scores stay as they are
        self._surrogates: list[Surrogate] = [self._surrogate() for _ in self.objectives]

    def _surrogate(self) -> Surrogate:
        return surrogate_class(self.settings.surrogate)()

    def propose(self, random: Random) -> Choices:
        choices = self._proposal(random)
        self._flying[choices] += 1
        return choices

    def observe(self, choices: Choices, scores: Scores | None) -> None:
        self._unseen.add(choices)
        self._see(choices)
        self._features.meet(choices)
        if self._flying[choices] > 1:
            self._flying[choices] -= 1
        else:
            del self._flying[choices]
        self._told.append(choices)
        self._scores.append(scores)

    # ------------------------------------------------------------------ proposals

    def _proposal(self, random: Random) -> Choices:
        measured = sum(scores is not None for scores in self._scores)
        if self.asked >= self.settings.initial and measured >= LEAST_TOLD:
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
        targets, scales = self._scales()
        programs = list(self._told)
        generator = np.random.default_rng(random.getrandbits(64))
        seed = random.getrandbits(30)  # so large a number suits all libraries
        self._fit(programs, targets, seed)
        believed = list(self._flying)
        if believed:
            expected = [each.predict(self._features, believed).mean for each in self._surrogates]
            programs += believed
            targets = np.concatenate([targets, np.stack(expected, axis=1)])
            self._fit(programs, targets, seed)
        known = Known(targets, scales)
        acquire = ACQUISITIONS[self.settings.acquisition]
        joint = self.settings.acquisition == "thompson"

        def promise(new: Sequence[Choices]) -> Array:
            return acquire([each.predict(self._features, new, joint) for each in self._surrogates], known, generator)

        best = list(dict.fromkeys(programs[index] for index in best_first([tuple(row) for row in targets.tolist()])))
        worst = self._worst_picks(programs, targets)

        def draw() -> Choices:
            return pruning.draw(self.space, worst, random) if worst else self.space.draw(random)

        def allowed(choices: Choices) -> bool:
            is_new = self.settings.same == "none" or choices not in self._unseen
            return is_new and not (worst and pruning.is_banned(choices, worst))

        own = self.settings
        effort = Effort(pool=own.pool, parents=own.parents, children=own.children, rounds=own.rounds)
        return candidates(self.space, best, draw, allowed, promise, effort, random)

    def _worst_picks(self, programs: Sequence[Choices], targets: Array) -> pruning.Banned:
        if not self.settings.prune:
            return {}
        trees = self._surrogates[0]
        if not isinstance(trees, Boosting):
            trees = Boosting()
            trees.fit(self._features, programs, targets[:, 0], 0)
        return pruning.worst_picks(trees, self._features, programs, self.settings.prune)

    def _fit(self, programs: Sequence[Choices], targets: Array, seed: int) -> None:
        for surrogate, column in zip(self._surrogates, targets.T, strict=True):
            surrogate.fit(self._features, programs, column, seed)

    def _scales(self) -> tuple[Array, tuple[Scale, ...]]:
        """What is learnt of the programs told, (programs, objectives), and how that is scaled."""
        measured = [scores for scores in self._scores if scores is not None]
        worst = tuple(min(column) for column in zip(*measured, strict=True))
        table = np.array([worst if scores is None else scores for scores in self._scores])
        scales = tuple(self._scale(objective, column) for objective, column in enumerate(table.T))
        return np.stack([scale.learnt(column) for scale, column in zip(scales, table.T, strict=True)], axis=1), scales

    def _scale(self, objective: int, scores: Array) -> Scale:
        """By rank; of several objectives, whose sizes count, as they are where that is learnt better (as costs
        are that add up over decisions). Decided anew when there are a tenth more programs than last time."""
        ranked = Ranked.of(scores)
        if len(self.objectives) == 1 or self.settings.surrogate != "gp":
            return ranked
        count, is_plain = self._plain.get(objective, (0, False))
        if not count <= len(scores) < 1.1 * count:
            fits = [agreement(self._features, self._told, scale.learnt(scores)) for scale in (ranked, Plain.of(scores))]
            is_plain = fits[1] > fits[0]
            self._plain[objective] = len(scores), is_plain
        return Plain.of(scores) if is_plain else ranked

    # ------------------------------------------------------------- equal programs

    def _is_new(self, choices: Choices) -> bool:
        """Whether no program seen so far is the same; if so, it is seen now."""
        if self.settings.same != "function":
            return True
        function = self._function(choices)
        if function in self._seen_functions:
            return False
        self._seen_functions.add(function)
        return True

    def _see(self, choices: Choices) -> None:
        if self.settings.same == "function":
            self._seen_functions.add(self._function(choices))

    def _function(self, choices: Choices) -> str:
        known = self._functions.get(choices)
        if known is None:
            known = self._functions[choices] = self.space.program(choices).functional_hash
        return known
