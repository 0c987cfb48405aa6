"""Uniform sampling of single paths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs
from attrs.validators import in_

from archlang.relax.paths.paths import Paths
from archlang.space.choices import Choices

if TYPE_CHECKING:
    from archlang.relax.session import Session


@attrs.frozen(kw_only=True)
class Uniform(Paths):
    """One program a step, drawn by chance (Guo et al. 2020, "Single path one-shot neural architecture search
    with uniform sampling").

    `draws`: even over the picks of each decision (`decisions`), or over the programs (`programs`); the two
    differ where a pick opens more decisions than another.
    """

    draws: str = attrs.field(default="decisions", validator=in_(("decisions", "programs")))

    def programs(self, session: Session) -> Sequence[Choices]:
        return [session.space.draw(session.random, evenly=self.draws == "programs")]
