"""What all mixtures have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import attrs
import numpy as np
from attrs.validators import in_

from archlang.backend import Array
from archlang.relax.engine import Batch, Draw, Moment, Tensor, Tensors
from archlang.relax.questions import Question

if TYPE_CHECKING:
    from archlang.relax.session import Session


@attrs.frozen(kw_only=True)
class Mixture:
    """Weights for the alternatives of each decision, from a logit for each.

    `null` gives decisions between named alternatives one more, which is nothing (the `none` of DARTS), unless
    they have one. `edges` says how much the summands of a chosen subset count: "all" fully, or by a "softmax"
    over logits of their own (the edge normalisation of PC-DARTS). `spread` is the standard deviation of the
    first logits.
    """

    null: bool = False
    edges: str = attrs.field(default="all", validator=in_(("all", "softmax")))
    spread: float = 1e-3

    # ------------------------------------------------- what a kind of mixture says

    def weigh(self, logits: Tensor, tensors: Tensors, moment: Moment) -> tuple[Tensor, Sequence[int] | None]:
        """A weight for each logit of a decision, and the logits whose alternatives are computed (None: all)."""
        raise NotImplementedError

    def probabilities(self, logits: Tensor, tensors: Tensors) -> Tensor:
        """How likely each alternative is by what has been learnt."""
        return tensors.softmax(logits)

    @property
    def ghosts(self) -> bool:
        """See `Draw`."""
        return False

    def step_parameters(self, session: Session) -> None:
        """A step of the parameters' optimizer, with what the mixture does to them besides."""
        session.engine.step_parameters()

    # ------------------------------------------------------------------------------

    def parameters(self, questions: Sequence[Question], random: np.random.Generator) -> dict[str, Array]:
        """The first parameters by name: of picks at the question's name, of elements at `NAME:elements`."""
        found = {}
        for question in questions:
            if question.by_pick:
                found[question.name] = self._first(len(question.open) + self.has_null(question), random)
            if question.by_element and self.edges == "softmax":
                found[f"{question.name}:elements"] = self._first(question.domain.of, random)  # type: ignore[union-attr]
        return found

    def add_weight_gradients(self, session: Session, batch: Batch) -> float:
        """Add the gradients of the weights for one draw; the loss."""
        return session.engine.add_gradients(session.loss(batch), weights=True)

    def _first(self, size: int, random: np.random.Generator) -> Array:
        return (self.spread * random.standard_normal(size)).astype(np.float32)

    def has_null(self, question: Question) -> bool:
        """Whether a decision has an alternative more, the first of its logits."""
        return self.null and question.is_named and not question.has_zero

    def draw(
        self, parameters: Mapping[str, Tensor], questions: Sequence[Question], tensors: Tensors, moment: Moment
    ) -> Draw:
        """Weights for one forward pass."""
        weights: dict[tuple[int, bool], Tensor | None] = {}
        active: dict[int, Sequence[int]] = {}
        for question in questions:
            if question.by_element:
                weights[question.variable, True] = self.of_elements(question, parameters, tensors)
            if question.by_pick:
                found, drawn = self.weigh(parameters[question.name], tensors, moment)
                first = int(self.has_null(question))
                weights[question.variable, False] = self._of_picks(found[first:], question.open, question, tensors)
                if drawn is not None:
                    picks = [question.open[logit - first] for logit in drawn if logit >= first]
                    # Where only the null is drawn, something is computed to be multiplied by zero.
                    active[question.variable] = picks or question.open[:1]
        return Draw(weights, active, self.ghosts)

    def _of_picks(self, found: Tensor, picks: Sequence[int], question: Question, tensors: Tensors) -> Tensor:
        """Entries for all picks from those for some: zero for the others."""
        if len(picks) == question.picks:
            return found
        places = {pick: place for place, pick in enumerate(picks)}
        nothing = tensors.constant(0.0)
        return tensors.stack([found[places[p]] if p in places else nothing for p in range(question.picks)])

    def of_elements(self, question: Question, parameters: Mapping[str, Tensor], tensors: Tensors) -> Tensor | None:
        """How much each element of a decision for a subset counts; None for ones."""
        return tensors.softmax(parameters[f"{question.name}:elements"]) if self.edges == "softmax" else None

    def likelihoods(
        self, parameters: Mapping[str, Tensor], question: Question, tensors: Tensors, among: Sequence[int] = ()
    ) -> Tensor | None:
        """How likely each pick of a decision is, that of the null left out, or were if only some were `among` the
        alternatives; None where nothing is learnt of picks."""
        if not question.by_pick:
            return None
        logits, first = parameters[question.name], int(self.has_null(question))
        if among:
            logits = tensors.stack([logits[question.open.index(pick) + first] for pick in among])
            return self._of_picks(self.probabilities(logits, tensors), among, question, tensors)
        return self._of_picks(self.probabilities(logits, tensors)[first:], question.open, question, tensors)
