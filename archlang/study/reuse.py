"""Which evaluations a study saves, because the result is known from an earlier trial."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from archlang.diagnostics import ArchError, did_you_mean, error
from archlang.evaluate import costs
from archlang.study.record import Trial

if TYPE_CHECKING:
    from archlang.space import SearchSpace

FUNCTION, CHOICES, OUTPUTS, NONE = MODES = ("function", "choices", "outputs", "none")


def reuse_mode(given: bool | str) -> str:
    """One of `MODES`; ArchError (E0903) for what is none."""
    mode = {True: FUNCTION, False: NONE}.get(given, given) if isinstance(given, bool) else given
    if mode not in MODES:
        hints = did_you_mean(str(mode), MODES) or (f"it is one of {', '.join(MODES)}",)
        raise ArchError(error("E0903", f"a study cannot reuse results by `{mode}`", hints=hints))
    return str(mode)


class Known:
    """The measured trials of a study, by their choices and by what their programs are in a mode.

    What cannot be worked out for a program (an op that numpy has not, say) costs an evaluation and ends nothing.
    """

    def __init__(self, space: SearchSpace, mode: str) -> None:
        self._space = space
        self._mode = mode
        self._trials: dict[tuple[str, float], Trial] = {}  # by what is the same, and the fidelity

    def add(self, trial: Trial) -> None:
        """Keep a measured trial; of several alike the first stays."""
        self._trials.setdefault((trial.choices_json, trial.fidelity), trial)
        if trial.identity:
            self._trials.setdefault((trial.identity, trial.fidelity), trial)

    def by_choices(self, trial: Trial) -> Trial | None:
        """The trial of the same choices."""
        return None if self._mode == NONE else self._trials.get((trial.choices_json, trial.fidelity))

    def by_identity(self, trial: Trial) -> tuple[Trial, dict[str, float]] | None:
        """The trial of a program with the same identity, and its metrics as those of this one: metrics that are
        the costs of the program are its own."""
        known = self._trials.get((trial.identity, trial.fidelity)) if trial.identity else None
        if known is None:
            return None
        try:
            own, its = (costs(self._space.program(one.choices)) for one in (trial, known))
        except Exception:
            return None
        return known, {
            name: own[name] if name in own and its[name] == value else value for name, value in known.metrics.items()
        }

    def identity(self, choices: Mapping[str, Any]) -> str:
        """What programs share of which one evaluation is enough; "" where the choices alone say it."""
        if self._mode in (NONE, CHOICES):
            return ""
        try:
            program = self._space.program(choices)
            return program.functional_hash if self._mode == FUNCTION else program.output_hash()
        except Exception:
            return ""
