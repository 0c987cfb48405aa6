"""Gumbel-softmax: alternatives drawn by the softmax of the logits, and differentiable."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

import attrs

from archlang.relax.engine import Moment, Tensor, Tensors
from archlang.relax.mixtures.drawing import one_hot
from archlang.relax.mixtures.mixture import Mixture
from archlang.relax.settings import Schedule, as_schedule

# Temperatures over the training: of GDAS (Dong and Yang 2019); of SNAS (Xie et al. 2019: its authors' code has
# these ends); and of FBNet (Wu et al. 2019: times 0.956 in each of 90 epochs).
GDAS = Schedule(10.0, 0.1)
SNAS = Schedule(1.0, 0.03, "exponential")
FBNET = Schedule(5.0, 5.0 * 0.956**90, "exponential")

TRIES = 100  # at a draw that is finite


@attrs.frozen(kw_only=True)
class Gumbel(Mixture):
    """The softmax of (log p + g) / temperature, where p is the softmax of the logits and g Gumbel noise, drawn
    anew for each forward pass (SNAS, Xie et al. 2019; FBNet, Wu et al. 2019).

    `hard` computes only the alternative with the largest weight, which counts fully, while gradients are those
    of the soft weights (GDAS, Dong and Yang 2019): `Draw.ghosts` gives the others theirs.
    """

    temperature: Schedule = attrs.field(default=GDAS, converter=as_schedule)
    hard: bool = False

    @property
    def ghosts(self) -> bool:
        return self.hard

    def weigh(self, logits: Tensor, tensors: Tensors, moment: Moment) -> tuple[Tensor, Sequence[int] | None]:
        soft, numbers = self._draw(logits, tensors, self.temperature.at(moment.progress))
        if not self.hard:
            return soft, None
        chosen = numbers.index(max(numbers))
        return one_hot(chosen, len(numbers), tensors) + (soft - tensors.stop(soft)), [chosen]

    def _draw(
        self, logits: Tensor, tensors: Tensors, temperature: float, tries: int = TRIES
    ) -> tuple[Tensor, list[float]]:
        """Soft weights, as numbers too: drawn again where an exponential draw of zero makes noise infinite.
        Logits that are not finite give what they give."""
        noise = -tensors.log(tensors.exponential(logits.shape[0]))
        soft = tensors.softmax((tensors.log_softmax(logits) + noise) / temperature)
        numbers = tensors.numbers(soft)
        if tries == 1 or all(map(isfinite, numbers)):
            return soft, numbers
        return self._draw(logits, tensors, temperature, tries - 1)
