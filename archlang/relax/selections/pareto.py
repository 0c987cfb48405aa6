"""Selection under several budgets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from archlang.relax.outcome import Found
from archlang.relax.selections.searching import Searching, measuring

if TYPE_CHECKING:
    from archlang.relax.session import Session


@attrs.frozen(kw_only=True)
class Pareto(Searching):
    """The best program under each of some budgets, constraints such as `macs <= 300M`, in their order (Cai et
    al. 2020, "Once-for-All", section 3.4); without any, the front of one search for accuracy (or loss) and the
    cost `against`. Each budget is a search of its own, with what the constraints say besides; a program that
    several of them ask for is measured once."""

    searcher: str = "nsga2"
    budgets: tuple[str, ...] = ()
    against: str = "macs"

    def select(self, session: Session) -> list[Found]:
        measure = measuring(session, self.recalibration)
        if not self.budgets:
            return self.search(session, measure, (self.against,))
        within = [attrs.evolve(self, constraints=(*self.constraints, budget)) for budget in self.budgets]
        return [search.search(session, measure)[0] for search in within]
