"""Selection by what hurts when it is taken away."""

from __future__ import annotations

import math
from random import Random
from typing import TYPE_CHECKING

import attrs
from attrs.validators import ge

from archlang.relax.engine import Draw, Tensor
from archlang.relax.outcome import Found
from archlang.relax.questions import Question
from archlang.relax.selections.argmax import LEAST, allowed, likelihoods, strongest
from archlang.relax.selections.likeliest import Likelihoods, likeliest
from archlang.relax.varied import Varied
from archlang.semantics.decision import Pick, Subsets

if TYPE_CHECKING:
    from archlang.relax.session import Session


@attrs.frozen(kw_only=True)
class Perturbation:
    """Perturbation-based selection (Wang et al. 2021, "Rethinking architecture selection in differentiable NAS",
    algorithms 1 and 2).

    One decision after the other, at random, is decided, and from then on has its pick alone: the one without
    which, its weight set to zero and all others as they were, the mixture does worst on the validation data
    (of equals the first). Then, at random too, the decisions for subsets whose elements are summed: they keep
    the elements that it does worst without, of equals the first; where a decision leaves open how many, beyond
    its least number those alone that it does worse without. Batch norms go by the batch meanwhile. Picks named
    in `exclude` are not taken where there are others.

    `at_once` decisions are decided in a round (the authors decide one of either cell), and between rounds the
    supernet is trained for `interval` epochs, with a new optimizer, at rates from `share` of the method's on
    along one cosine. Decisions that no program makes any more are left out. Where requirements rule the
    program out, it is one that differs from it in the fewest decisions; see `likeliest`. A selection that was
    interrupted goes on after the last decision.
    """

    interval: int = attrs.field(default=10, validator=ge(0))
    at_once: int = attrs.field(default=1, validator=ge(1))
    share: float = attrs.field(default=0.1, converter=float, validator=ge(0))
    exclude: tuple[str, ...] = ()

    def select(self, session: Session) -> list[Found]:
        varied: Varied = session.engine.supernet.varied
        random = Random(f"{session.feeding.seed}/perturbation")
        by_pick = [question for question in session.questions if question.by_pick]
        by_element = [question for question in session.questions if not question.by_pick and question.picks > 1]
        random.shuffle(by_pick)
        random.shuffle(by_element)
        waiting = [*by_pick, *by_element]
        epochs = self.interval * (math.ceil(len(waiting) / self.at_once) - 1) + 1
        decided: dict[str, int] = session.notes.setdefault("decided", {})
        session.decided |= {asked.variable: decided[asked.name] for asked in waiting if asked.name in decided}
        if not decided:
            session.engine.restart_optimizer()
        for question in waiting:
            positions = {variable: (position,) for variable, position in session.decided.items()}
            if question.variable in positions or not varied.is_made(question.variable, positions):
                continue
            rounds, rest = divmod(len(positions), self.at_once)
            if rounds and not rest:
                self._train_on(session, (rounds - 1) * self.interval, epochs)
            decide = self._of_picks if question.by_pick else self._of_elements
            pick = decide(session, question)
            session.decided[question.variable] = decided[question.name] = question.domain.index(pick)
            session.selecting(f"{len(decided)} of {len(waiting)} decisions")
        return [Found.of(session.derived, likeliest(session.derived, self._likelihoods(session, varied)))]

    def _train_on(self, session: Session, done: int, epochs: int) -> None:
        method = session.method
        settings = attrs.evolve(method.weights, lr=method.weights.lr * self.share)
        for epoch in range(done, done + self.interval):
            session.train_epoch(method.epochs + epoch, rate=settings.rate(epoch / epochs))

    def _of_picks(self, session: Session, question: Question) -> Pick:
        """The pick that is missed most."""
        picks = [question.domain.pick(position) for position in range(question.picks)]
        left = {pick: _without(session, question, picks.index(pick)) for pick in allowed(picks, self.exclude)}
        return min(left, key=left.__getitem__)

    def _of_elements(self, session: Session, question: Question) -> Pick:
        """The elements that are missed most."""
        domain = question.domain
        assert isinstance(domain, Subsets)
        left = [_without(session, question, element) for element in range(domain.of)]
        if domain.low == domain.high:
            return strongest(domain, [-value for value in left])
        whole = _quality(session, _mean(session))
        missed = [whole - value for value in left]
        return strongest(domain, missed, threshold=math.ulp(0.0))  # the least number above 0

    def _likelihoods(self, session: Session, varied: Varied) -> Likelihoods:
        """The picks that are decided are almost sure."""
        found = dict(likelihoods(session, self.exclude))
        for question in session.questions:
            position = session.decided.get(question.variable)
            if position is not None:
                picks = [question.domain.pick(number) for number in range(question.picks)]
                sure = {pick: 0.0 if number == position else math.log(LEAST) for number, pick in enumerate(picks)}
                found[varied.decisions[question.variable].address, question.domain] = sure
        return found


def _mean(session: Session) -> Draw:
    """The mixture with each alternative as likely as has been learnt."""
    weights: dict[tuple[int, bool], Tensor | None] = {}
    mixture, engine = session.mixture, session.engine
    for question in session.questions:
        if question.by_pick:
            weights[question.variable, False] = mixture.likelihoods(engine.parameters, question, engine.tensors)
        if question.by_element:
            weights[question.variable, True] = mixture.of_elements(question, engine.parameters, engine.tensors)
    return session.settled(Draw(weights))


def _without(session: Session, question: Question, entry: int) -> float:
    """How good the mixture is without one of its picks or, where these are summed, of its elements."""
    draw = _mean(session)
    key = question.variable, not question.by_pick
    weights = draw.weights[key]
    if weights is None:
        assert isinstance(question.domain, Subsets)
        numbers = [1.0] * question.domain.of
    else:
        numbers = session.engine.tensors.numbers(weights)
    numbers[entry] = 0.0
    changed = attrs.evolve(draw, weights={**draw.weights, key: session.engine.tensors.constant(numbers)})
    return _quality(session, changed)


def _quality(session: Session, draw: Draw) -> float:
    """How good a mixture is, larger is better: its accuracy or, where there is none, by its loss."""
    found = session.engine.measure(session.feeding.measuring(), draw, by_batch=True)
    return found.get("accuracy", -found["loss"])
