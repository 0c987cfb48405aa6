"""Asynchronous successive halving."""

from __future__ import annotations

from typing import Any

from archlang.searchers.fidelities.rungs import ByRungs, Entry, Rung


class ASHA(ByRungs):
    """Asynchronous successive halving (Li et al. 2020, "A system for massively parallel hyperparameter tuning").

    Whenever a program is asked for, the best of a rung that is among its first 1/eta, and was not
    promoted, goes on to the next rung, from the highest rung down; where there is none, a new program
    begins on the lowest. Nothing waits for anything. Failed programs count among the last of their rung.
    When a finite space is used up, at least the best of each rung goes on.
    """

    name = "asha"

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._rungs = [Rung(fidelity) for fidelity in self.fidelities]

    def _promotion(self, is_closed: bool) -> tuple[Entry, Rung] | None:
        for rung, above in reversed(list(zip(self._rungs, self._rungs[1:], strict=False))):
            entry = rung.promotable(max(rung.told // self.settings.eta, int(is_closed)))
            if entry is not None:
                return entry, above
        return None

    def _entrance(self) -> Rung:
        return self._rungs[0]
