"""Progressive shrinking."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
from attrs.validators import and_, ge, instance_of, lt, min_len, optional

from archlang.relax.engine import Batch
from archlang.relax.paths.extremes import extremes
from archlang.relax.paths.paths import Paths
from archlang.semantics.decision import Decision, Integers, OneOf, Pick, Reals
from archlang.space.choices import Choices

if TYPE_CHECKING:
    from archlang.relax.session import Session
    from archlang.space.moves import Options


@attrs.frozen
class Phase:
    """From the share `start` of the training on, decisions at addresses like `opens`, in which `*` stands for
    anything, vary: over all their picks, or the `largest` so many. A step has `programs`."""

    start: float = attrs.field(validator=and_(ge(0), lt(1)))
    opens: str = attrs.field(validator=instance_of(str))
    largest: int | None = attrs.field(default=None, validator=optional(ge(1)), kw_only=True)
    programs: int = attrs.field(default=1, validator=ge(1), kw_only=True)

    def matches(self, address: str) -> bool:
        """Whether it opens the decision at an address."""
        pattern = ".*".join(map(re.escape, self.opens.split("*")))
        return re.fullmatch(pattern, address) is not None


# The epochs of the paper: the largest network alone, kernels, depths in two stages, and so expansions;
# with these whatever else a space has to decide.
_EPOCHS = 590
PHASES = (
    Phase(180 / _EPOCHS, "*kernel"),
    Phase(300 / _EPOCHS, "*depth", largest=2, programs=2),
    Phase(325 / _EPOCHS, "*depth", programs=2),
    Phase(445 / _EPOCHS, "*expand", largest=2, programs=4),
    Phase(470 / _EPOCHS, "*", programs=4),
)


def _in_order(instance: Any, attribute: Any, phases: Sequence[Phase]) -> None:
    starts = [phase.start for phase in phases]
    if starts != sorted(starts):
        raise ValueError("phases must be in the order in which they start")


@attrs.frozen(kw_only=True)
class Shrinking(Paths):
    """First the largest program alone, then also smaller ones (Cai et al. 2020, "Once-for-all", section 3.3).

    Each of the `phases` opens more decisions: the last one so far that matches says what a decision may pick,
    and the last one so far how many programs a step has. What no phase opens is as in the largest program (by
    multiply-adds); what that does not decide takes its largest number, or its first alternative. Open decisions
    are drawn evenly over the picks that requirements leave; their largest picks are those nearest to that of the
    largest program.

    Programs are trained by the outputs of the largest one and, with the weight `labels`, by the labels; the
    weights take one step with the sum of the gradients. The largest one teaches as it is now, where the
    paper keeps a copy of it from before.
    """

    phases: tuple[Phase, ...] = attrs.field(default=PHASES, validator=(min_len(1), _in_order))
    labels: float = attrs.field(default=1.0, validator=ge(0))

    def programs(self, session: Session) -> Sequence[Choices]:
        begun = self._begun(session)
        if not begun:
            return [extremes(session)[1]]
        choose = self._chooser(session, begun)
        return [session.space.walk(choose, session.random) for _ in range(begun[-1].programs)]

    def add_weight_gradients(self, session: Session, batch: Batch) -> float:
        """Add the gradients of one step; the mean loss of its programs."""
        if not self._begun(session):
            return super().add_weight_gradients(session, batch)
        engine = session.engine
        teacher = engine.outputs(batch, extremes(session)[1])
        losses = [
            engine.add_gradients(partial(engine.loss, batch, choices, teacher, self.labels), weights=True)
            for choices in self.programs(session)
        ]
        return sum(losses) / len(losses)

    def _begun(self, session: Session) -> list[Phase]:
        return [phase for phase in self.phases if phase.start <= session.progress]

    def _chooser(self, session: Session, begun: Sequence[Phase]) -> Callable[[Decision, Options | None], Pick]:
        largest = extremes(session)[1]
        random = session.random

        def choose(decision: Decision, options: Options | None) -> Pick:
            phase = next((phase for phase in reversed(begun) if phase.matches(decision.address)), None)
            if phase is not None and phase.largest is None:
                return decision.domain.draw(random) if options is None else random.choice(options)
            reference = _fitting(decision, largest.get(decision.address))
            if options is None:
                return reference
            nearest = sorted(options, key=lambda pick: _distance(decision, pick, reference))
            return nearest[0] if phase is None else random.choice(nearest[: phase.largest])

        return choose


def _fitting(decision: Decision, pick: Pick | None) -> Pick:
    """A pick of the largest program, if it is one of this decision; else its largest number or first pick."""
    domain = decision.domain
    if pick is not None:
        try:
            return domain.check(pick) if isinstance(domain, Reals) else domain.pick(domain.index(pick))
        except ValueError:  # another decision of that address, with other alternatives
            pass
    if isinstance(domain, Integers | Reals):
        return domain.high
    if isinstance(domain, OneOf) and domain.of_numbers:
        return max(domain.labels)
    return domain.pick(0)


def _distance(decision: Decision, pick: Pick, reference: Pick) -> float:
    domain = decision.domain
    if isinstance(pick, int | float) and isinstance(reference, int | float) and not isinstance(pick, bool):
        return abs(pick - reference)
    return abs(domain.index(pick) - domain.index(reference))
