"""Methods: combinations of parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import attrs
import numpy as np
from attrs.validators import and_, ge, gt, le

from archlang.backend import Array
from archlang.relax.engine import Batch
from archlang.relax.penalties.penalty import Penalty
from archlang.relax.questions import Question
from archlang.relax.settings import ArchitectureSettings, WeightSettings
from archlang.relax.updates.alternating import Alternating
from archlang.relax.updates.update import Update

if TYPE_CHECKING:
    from archlang.relax.outcome import Found
    from archlang.relax.session import Session


class Sampler(Protocol):
    """What runs through the supernet: a mixture, or paths."""

    def parameters(self, questions: Sequence[Question], random: np.random.Generator) -> dict[str, Array]:
        """The first values of what is learnt of the questions, by name."""
        ...

    def add_weight_gradients(self, session: Session, batch: Batch) -> float:
        """Add the gradients for one step of the weights; the loss."""
        ...


class Selection(Protocol):
    """How programs are taken from a trained supernet."""

    def select(self, session: Session) -> list[Found]:
        """The best programs, the best first."""
        ...


@attrs.frozen(kw_only=True)
class Method:
    """How a supernet is trained and a program taken from it.

    `epochs` of batches of `batch_size`; the share `train_share` of the training samples is for the weights, the
    rest for the architecture, which is trained from the share `architecture_from` of the epochs on. `partial`:
    one in so many channels goes through the alternatives (PC-DARTS). `apart` and
    `kernel_transform` say how ops of several forms share weights: see `Space.supernet`.
    """

    sampler: Any
    update: Update = attrs.field(factory=Alternating)
    penalties: tuple[Penalty, ...] = ()
    selection: Any = None
    weights: WeightSettings = attrs.field(factory=WeightSettings)
    architecture: ArchitectureSettings = attrs.field(factory=ArchitectureSettings)
    epochs: int = attrs.field(default=50, validator=ge(1))
    batch_size: int = attrs.field(default=64, validator=ge(1))
    train_share: float = attrs.field(default=0.5, validator=and_(gt(0), le(1)))
    architecture_from: float = attrs.field(default=0.0, validator=and_(ge(0), le(1)))
    partial: int = attrs.field(default=1, validator=ge(1))
    apart: bool = False
    kernel_transform: bool = False

    @property
    def share_of_weights(self) -> float:
        """The share of the training samples that the weights are trained on: all, where nothing else needs any."""
        return self.train_share if self.update.uses_validation else 1.0
