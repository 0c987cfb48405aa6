"""What comes of the training of a supernet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from archlang.evaluate.evaluator import costs
from archlang.relax.history import Epoch, warnings
from archlang.relax.questions import weightless
from archlang.relax.session import Session
from archlang.space.choices import Choices

if TYPE_CHECKING:
    from archlang.relax.agreement import Agreement
    from archlang.space import Space
    from archlang.space.program import Program
    from archlang.study import Study


@attrs.frozen
class Found:
    """A program that was selected, with what is known of it (measured with the shared weights)."""

    choices: Choices
    metrics: Mapping[str, float] = attrs.field(factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The program as plain data."""
        return {"choices": self.choices.as_dict(), "metrics": dict(self.metrics)}

    @classmethod
    def of(cls, space: Space, choices: Choices) -> Found:
        """A program of which only the costs are known."""
        return cls(choices, costs(space.program(choices)))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Found:
        return cls(Choices(data["choices"]), data["metrics"])


@attrs.frozen(eq=False)
class Relaxed:
    """A trained supernet: `history` epoch by epoch, `found` the selected programs, the best first (none when
    it was `interrupted`)."""

    space: Space
    session: Session
    record: Mapping[str, Any]
    history: tuple[Epoch, ...]
    found: tuple[Found, ...]
    interrupted: bool

    @property
    def supernet(self) -> Any:
        """The network of the backend: see `Space.supernet`."""
        return self.session.engine.supernet

    @property
    def best(self) -> Program | None:
        """The best program, as a program of the space that was searched; None while there is none."""
        return self.space.program(self.found[0].choices) if self.found else None

    @property
    def inherited(self) -> Program | None:
        """The best program as the supernet has it, with its weights."""
        program: Program | None = self.supernet.program(self.found[0].choices) if self.found else None
        return program

    @property
    def warnings(self) -> list[str]:
        """What looks like a known failure."""
        session = self.session
        free = weightless(session.engine.supernet.varied)
        return warnings(self.history, free, session.method.architecture_from, session.feeding.steps)

    def against(self, study: Study, recalibration: int = 2048) -> Agreement:
        """How well the shared weights rank the programs of a study, which were trained alone: see `agreement`."""
        from archlang.relax.agreement import agreement

        return agreement(self, study, recalibration)

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain data, the weights excepted."""
        return {
            **{name: value for name, value in self.record.items() if name != "space"},
            "space": self.space.name,
            "history": [{**epoch.as_json(), "entropy": epoch.entropy} for epoch in self.history],
            "found": [found.as_json() for found in self.found],
            "warnings": self.warnings,
            "interrupted": self.interrupted,
        }
