"""One program of a Python function: its choices, and what the function returns for them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from archlang.diagnostics import ArchError, error
from archlang.ir.graph import Graph
from archlang.space.program import Program

if TYPE_CHECKING:
    from archlang.space.traced.space import TracedSpace


class TracedProgram(Program):
    """A Python function with all its decisions made."""

    space: TracedSpace  # type: ignore[assignment]

    @cached_property
    def value(self) -> Any:
        """What the function returns for these choices, made once; it raises what the function raises."""
        return self.space.build(self.choices)

    @property
    def subject(self) -> Any:
        """What functions that evaluate are given: the value."""
        return self.value

    @cached_property
    def _read(self) -> tuple[None, dict[str, Any]]:
        return None, {}

    @property
    def graph(self) -> Graph:
        """ArchError: what Python code makes is not known as a graph."""
        what = f"what `{self.space.name}` makes is Python's, and no graph of archlang"
        hints = ["what the function returned is `program.value`", "a network becomes a graph by conversion"]
        raise ArchError(error("E0409", what, hints=hints))
