"""A constraint on the expected cost, by a multiplier."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
from attrs.validators import gt, optional

from archlang.relax.engine import Tensor
from archlang.relax.penalties.penalty import Penalty

if TYPE_CHECKING:
    from archlang.relax.session import Session


@attrs.frozen(kw_only=True)
class Lagrangian(Penalty):
    """The loss plus multiplier * violation, where the violation is E / limit - 1 for the expected value E of a
    cost; after each step the multiplier, which begins at zero and never falls below, grows by rate * violation
    (dual ascent: Arrow, Hurwicz and Uzawa 1958). The limit is, by default, what programs cost on average.
    """

    cost: str = "macs"
    limit: float | None = attrs.field(default=None, validator=optional(gt(0)))
    rate: float = attrs.field(default=0.01, validator=gt(0))

    def add(self, loss: Tensor, session: Session) -> Tensor:
        return loss + self.multiplier(session) * self._violation(session)

    def after_step(self, session: Session) -> None:
        tensors = session.engine.tensors
        (violation,) = tensors.numbers(tensors.stack([self._violation(session)]))
        session.kept[self._name] = max(0.0, self.multiplier(session) + self.rate * violation)

    def multiplier(self, session: Session) -> float:
        """The multiplier now."""
        return session.kept.get(self._name, 0.0)

    @property
    def _name(self) -> str:
        return f"multiplier of {self.cost}"

    def _violation(self, session: Session) -> Tensor:
        limit = self.limit or session.average(self.cost)
        return session.expected(self.cost) / max(limit, 1e-12) - 1
