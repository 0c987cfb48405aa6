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
        """The weights of the alternatives of one decision, and which are computed (None: all)."""
        raise NotImplementedError

    def probabilities(self, logits: Tensor, tensors: Tensors) -> Tensor:
        """How likely each alternative is by what has been learnt."""
        return tensors.softmax(logits)

    ghosts = False  # see `Draw`

    # ------------------------------------------------------------------------------

    def parameters(self, questions: Sequence[Question], random: np.random.Generator) -> dict[str, Array]:
        """The first parameters by name: of picks at the question's name, of elements at `NAME:elements`."""
        found = {}
        for question in questions:
            if question.by_pick:
                found[question.name] = self._first(question.picks + self.has_null(question), random)
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
                found, positions = self.weigh(parameters[question.name], tensors, moment)
                weights[question.variable, False] = found[1:] if self.has_null(question) else found
                if positions is not None:
                    active[question.variable] = positions
        return Draw(weights, active, self.ghosts)

    def of_elements(self, question: Question, parameters: Mapping[str, Tensor], tensors: Tensors) -> Tensor | None:
        """How much each element of a decision for a subset counts; None for ones."""
        return tensors.softmax(parameters[f"{question.name}:elements"]) if self.edges == "softmax" else None

    def likelihoods(self, parameters: Mapping[str, Tensor], question: Question, tensors: Tensors) -> Tensor | None:
        """How likely each pick of a decision is, that of the null left out; None where nothing is learnt of picks."""
        if not question.by_pick:
            return None
        found = self.probabilities(parameters[question.name], tensors)
        return found[1:] if self.has_null(question) else found
