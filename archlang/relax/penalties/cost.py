"""Penalties for what the program is expected to cost."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING

import attrs
from attrs.validators import ge, gt, optional

from archlang.diagnostics import ArchError, error
from archlang.relax.engine import Tensor
from archlang.relax.penalties.penalty import Penalty

if TYPE_CHECKING:
    from archlang.relax.session import Session


@attrs.frozen(kw_only=True)
class AddedCost(Penalty):
    """The loss plus weight * (E / reference - 1), where E is the expected value of a cost: additive, or that of
    a table of the space (`latency`, in its unit).

    ProxylessNAS (Cai et al. 2019, the authors' `add#linear`); SNAS (Xie et al. 2019) and others add E alone,
    whose gradient is the same for another weight. The reference is, by default, what programs cost on average.
    """

    cost: str = "macs"
    weight: float = attrs.field(default=0.2, validator=ge(0))
    reference: float | None = attrs.field(default=None, validator=optional(gt(0)))

    def add(self, loss: Tensor, session: Session) -> Tensor:
        reference = self.reference or session.average(self.cost)
        expected = session.expected(self.cost, session.drawn)
        return loss + self.weight * (expected / max(reference, 1e-12) - 1)


@attrs.frozen(kw_only=True)
class MultipliedCost(Penalty):
    """The loss times scale * (log E / log reference) ^ exponent, where E is the expected value of a cost.

    ProxylessNAS (the authors' `mul#log`); and FBNet (Wu et al. 2019, equation 2: scale 0.2, exponent 0.6), which
    has no reference: the base of the logarithm, e, takes its place. The reference is, by default, what programs
    cost on average. ArchError (E1005) where E or the reference is not above one.
    """

    cost: str = "macs"
    scale: float = attrs.field(default=0.2, validator=gt(0))
    exponent: float = attrs.field(default=0.3, validator=ge(0))
    reference: float | None = attrs.field(
        default=None, validator=optional(lambda penalty, _, value: penalty._above_one(value, "the reference"))
    )

    def add(self, loss: Tensor, session: Session) -> Tensor:
        tensors = session.engine.tensors
        reference = self.reference or session.average(self.cost)
        self._above_one(reference, "the cost of programs, on average,")
        expected = session.expected(self.cost, session.drawn)
        (number,) = tensors.numbers(tensors.stack([expected]))
        self._above_one(number, "the expected cost")
        return self.scale * loss * (tensors.log(expected) / log(reference)) ** self.exponent

    def _above_one(self, value: float, what: str) -> None:
        if value <= 1:
            raise ArchError(
                error(
                    "E1005",
                    f"logarithms are of costs above one, and {what} is {value:g} (`{self.cost}`)",
                    hints=["penalise this cost by a term that is added: `AddedCost`"],
                )
            )
