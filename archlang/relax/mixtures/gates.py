"""Binary gates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs
import numpy as np
from attrs.validators import in_

from archlang.relax.engine import Moment, Tensor, Tensors
from archlang.relax.mixtures.drawing import drawn, one_hot
from archlang.relax.mixtures.mixture import Mixture

if TYPE_CHECKING:
    from archlang.relax.session import Session


@attrs.frozen(kw_only=True)
class Gates(Mixture):
    """One alternative is drawn by the softmax of the logits, and counts alone (ProxylessNAS, Cai et al. 2019,
    section 3.2).

    The weights are trained with nothing else computed. For the architecture the alternatives are computed to
    tell what each gate g_j would change: the gradient of logit i is the sum over j of dL/dg_j p_j (delta_ij -
    p_i) (equation 4). With `compared` "all" these are all; with "two" (section 3.2.1) they are two, drawn
    without replacement, p is their softmax, and after the step both logits are moved so that together they are
    as likely as before. A drawn alternative that is nothing gets its gradient as all others do; the authors'
    code leaves the logits of that decision as they are.
    """

    null: bool = attrs.field(default=False, validator=in_((False,)))
    compared: str = attrs.field(default="two", validator=in_(("all", "two")))

    def weigh(self, logits: Tensor, tensors: Tensors, moment: Moment) -> tuple[Tensor, Sequence[int] | None]:
        size = logits.shape[0]
        likely = tensors.softmax(logits)
        if moment.of_weights:
            (chosen,) = drawn(likely, tensors)
            return one_hot(chosen, size, tensors), [chosen]
        if self.compared == "all" or size < 2:
            return _gates(likely, tensors), None
        pair = sorted(drawn(likely, tensors, 2))
        gates = _gates(tensors.softmax(tensors.stack([logits[position] for position in pair])), tensors)
        closed = tensors.constant(0.0)
        parts = [gates[pair.index(position)] if position in pair else closed for position in range(size)]
        return tensors.stack(parts), pair

    def step_parameters(self, session: Session) -> None:
        engine, tensors = session.engine, session.engine.tensors
        pairs = {
            question.name: [question.open.index(pick) for pick in session.drawn.active[question.variable]]
            for question in session.questions
            if question.variable in session.drawn.active
        }
        before = {name: _mass(tensors.numbers(engine.parameters[name]), pair) for name, pair in pairs.items()}
        super().step_parameters(session)
        moved = {}
        for name, pair in pairs.items():
            logits = tensors.numbers(engine.parameters[name])
            more = _mass(logits, pair) - before[name]
            moved[name] = tensors.constant([logit - more * (p in pair) for p, logit in enumerate(logits)])
        engine.set_parameters(moved)


def _gates(likely: Tensor, tensors: Tensors) -> Tensor:
    """One for an alternative drawn, zero for the others, with the gradients of the probabilities."""
    (chosen,) = drawn(likely, tensors)
    return one_hot(chosen, likely.shape[0], tensors) + (likely - tensors.stop(likely))


def _mass(logits: Sequence[float], pair: list[int]) -> float:
    """The logarithm of what a pair's logits add to the denominator of the softmax."""
    return float(np.logaddexp.reduce([logits[position] for position in pair]))
