"""What a penalty may do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from archlang.relax.engine import Tensor

if TYPE_CHECKING:
    from archlang.relax.session import Session


@attrs.frozen(kw_only=True)
class Penalty:
    """What the architecture is trained by besides the loss: something added to it, or done after each step."""

    def add(self, loss: Tensor, session: Session) -> Tensor:
        """The loss with the penalty."""
        return loss

    def after_step(self, session: Session) -> None:
        """Called after each step of the parameters."""
