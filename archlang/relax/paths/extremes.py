"""The programs at both ends of a space."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archlang.space.choices import Choices
from archlang.space.space import Space

if TYPE_CHECKING:
    from archlang.relax.session import Session


def extremes(session: Session) -> tuple[Choices, Choices]:
    """The smallest and the largest program: by multiply-adds, of equal ones by parameters. ArchError where
    the bounds of these cannot be worked out."""
    if "extremes" not in session.known:
        space = session.space
        session.known["extremes"] = _within_limits(space) if _is_limited(space) else _anywhere(space)
    found: tuple[Choices, Choices] = session.known["extremes"]
    return found


def _is_limited(space: Space) -> bool:
    programs = space.analysis.programs
    return programs is None or any(region.limits for region in programs.regions)


def _anywhere(space: Space) -> tuple[Choices, Choices]:
    # One multiply-add counts more than all parameters together.
    goal = {"macs": space.bounds("params").most.value + 1, "params": 1}
    return space.optimum(minimize=goal).choices, space.optimum(maximize=goal).choices


def _within_limits(space: Space) -> tuple[Choices, Choices]:
    # Far slower where nothing is limited; but there the best of a sum takes a solver, and long.
    macs = space.bounds("macs")
    least, most = (space.narrowed(f"macs == {int(end.value)}").bounds("params") for end in (macs.least, macs.most))
    return least.least.choices, most.most.choices
