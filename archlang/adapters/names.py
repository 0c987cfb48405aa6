"""The names that decisions and picks have in other libraries."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from archlang.diagnostics import ArchError
from archlang.semantics.decision import Pick
from archlang.space.choices import show_pick

if TYPE_CHECKING:
    from archlang.semantics.decision import Decision
    from archlang.space import SearchSpace


def texts(picks: Iterable[Pick]) -> dict[str, Pick]:
    """Picks by what they are called: as the language writes them; as JSON, where two would be called the same."""
    listed = list(picks)
    found = {show_pick(pick): pick for pick in listed}
    return found if len(found) == len(listed) else {json.dumps(pick): pick for pick in listed}


class Names:
    """What the decisions of a space are called: by their addresses, and where several decisions have one
    address, by their domains too."""

    def __init__(self, space: SearchSpace):
        try:
            counts = Counter(decision.address for decision in space.all_decisions())
        except ArchError:  # the decisions of a space that is not evaluated as a whole are not known
            counts = Counter()
        self._shared = {address for address, count in counts.items() if count > 1}

    def of(self, decision: Decision) -> str:
        """The name of a decision."""
        address = decision.address
        return f"{address} ({decision.domain})" if address in self._shared else address
