"""The likeliest program by what a mixture has learnt."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import attrs
from attrs.validators import ge

from archlang.relax.elements import decisions_of_elements
from archlang.relax.outcome import Found
from archlang.relax.selections.likeliest import Likelihoods, likeliest
from archlang.relax.varied import Varied
from archlang.semantics.decision import Domain, Pick, Subsets

if TYPE_CHECKING:
    from archlang.relax.session import Session

LEAST = 1e-30  # a likelihood that stands for none at all


@attrs.frozen(kw_only=True)
class Argmax:
    """Every decision takes its likeliest pick (Liu et al. 2019, section 2.2 and 2.4).

    Picks named in `exclude` are not taken where there are others. A decision for a subset whose elements are
    summed keeps the strongest (of equals the first): an element is as strong as the likeliest pick of its own
    decisions that is not excluded (the operation of its edge) times, where the mixture has `edges="softmax"`,
    its own weight (Xu et al. 2020, section 3.3). As many are kept as the decision allows; but where it leaves
    open how many, none weaker than `threshold` (Chu et al. 2020, "Fair DARTS", take 0.85).

    Where requirements rule that program out, it is the valid one with the greatest product of likelihoods, a
    subset counting by the product of its elements' strengths; see `likeliest`.
    """

    exclude: tuple[str, ...] = ()
    threshold: float = attrs.field(default=0.0, converter=float, validator=ge(0))

    def select(self, session: Session) -> list[Found]:
        choices = likeliest(session.derived, likelihoods(session, self.exclude, self.threshold))
        return [Found.of(session.derived, choices)]


def likelihoods(session: Session, exclude: Collection[str] = (), threshold: float = 0.0) -> Likelihoods:
    """How likely the picks of all mixed decisions are; see `Argmax`."""
    varied: Varied = session.engine.supernet.varied
    by_pick: dict[int, dict[Pick, float]] = {}
    found: dict[tuple[str, Domain], Mapping[Pick, float]] = {}
    mixture, engine = session.mixture, session.engine
    for question in session.questions:
        learnt = mixture.likelihoods(engine.parameters, question, engine.tensors)
        if learnt is not None:
            numbers = engine.tensors.numbers(learnt)
            picks = {question.domain.pick(position): number for position, number in enumerate(numbers)}
            by_pick[question.variable] = {pick: picks[pick] for pick in allowed(picks, exclude)}
            address = varied.decisions[question.variable].address
            found[address, question.domain] = _logarithms(picks, by_pick[question.variable])
    below = decisions_of_elements(varied)
    for question in session.questions:
        if question.by_element and not question.by_pick:
            assert isinstance(question.domain, Subsets)
            of = range(question.domain.of)
            edges = mixture.of_elements(question, engine.parameters, engine.tensors)
            weights = [1.0 for _ in of] if edges is None else engine.tensors.numbers(edges)
            own = [[by_pick[near] for near in below[question.variable].get(e, ()) if near in by_pick] for e in of]
            best = [max((max(picks.values()) for picks in decisions), default=1.0) for decisions in own]
            strengths = [weight * likelihood for weight, likelihood in zip(weights, best, strict=True)]
            address = varied.decisions[question.variable].address
            found[address, question.domain] = of_subsets(question.domain, strengths, threshold)
    return found


def allowed(picks: Collection[Pick], exclude: Collection[str]) -> list[Pick]:
    """The picks that are not excluded; all where each is."""
    return [pick for pick in picks if pick not in exclude] or list(picks)


def _logarithms(picks: Mapping[Pick, float], taken: Collection[Pick]) -> dict[Pick, float]:
    return {pick: math.log(max(number, LEAST) if pick in taken else LEAST) for pick, number in picks.items()}


def strongest(domain: Subsets, strengths: list[float], threshold: float = 0.0) -> Pick:
    """The pick of the strongest elements, of equals the first: as many as the decision allows, but beyond its
    least number none weaker than the threshold."""
    ranked = sorted(range(domain.of), key=lambda element: -strengths[element])
    kept = [
        element
        for place, element in enumerate(ranked[: domain.high])
        if place < domain.low or strengths[element] >= threshold
    ]
    kept += ranked[:1] * (domain.low - len(kept))  # where elements have to be taken more than once
    return tuple(sorted(kept))


def of_subsets(domain: Subsets, strengths: list[float], threshold: float = 0.0) -> dict[Pick, float]:
    """The logarithm of how likely each subset is: the product over its elements of how much stronger than
    the threshold they are. That of the strongest comes first, and none is above it."""
    values = [math.log(max(strength, LEAST) / max(threshold, LEAST)) for strength in strengths]
    likely: dict[Pick, float] = {pick: sum(values[element] for element in pick) for pick in domain.picks()}
    best = strongest(domain, strengths, threshold)
    # Said of the best rather than left to the sums, whose rounding need not keep the order of equals.
    return {best: max(likely.values()), **{pick: value for pick, value in likely.items() if pick != best}}
