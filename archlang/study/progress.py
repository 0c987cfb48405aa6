"""Telling how a search goes while it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from archlang.searchers import Objective, scores_of
from archlang.study.record import FAILED, Trial

if TYPE_CHECKING:
    from rich.console import Console


class Listener(Protocol):
    """Is told what happens in a study."""

    def begin(self, name: str, objectives: Sequence[Objective], trials: Sequence[Trial], wanted: int) -> None:
        """A run begins; `trials` are there from before."""

    def asked(self, trial: Trial) -> None:
        """The evaluation of a trial begins."""

    def reported(self, number: int, metrics: Mapping[str, float]) -> None:
        """The evaluation of a trial gave intermediate metrics."""

    def told(self, trial: Trial) -> None:
        """A trial is done."""

    def end(self) -> None:
        """The run is over, in whatever way."""


class Silent:
    """A listener that does nothing; the base of others."""

    def begin(self, name: str, objectives: Sequence[Objective], trials: Sequence[Trial], wanted: int) -> None:
        pass

    def asked(self, trial: Trial) -> None:
        pass

    def reported(self, number: int, metrics: Mapping[str, float]) -> None:
        pass

    def told(self, trial: Trial) -> None:
        pass

    def end(self) -> None:
        pass


class ProgressBar(Silent):
    """A line of rich text: trials done, the best so far, the epoch, the time. Failures are printed as
    they come. Where the output is no terminal, one plain line a trial."""

    def __init__(self, console: Console | None = None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._console = console or Console(stderr=True)
        self._bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[best]}"),
            TextColumn("[dim]{task.fields[now]}"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._best: Trial | None = None
        self._objectives: Sequence[Objective] = ()

    def begin(self, name: str, objectives: Sequence[Objective], trials: Sequence[Trial], wanted: int) -> None:
        self._objectives = objectives
        for trial in trials:
            self._consider(trial)
        done = sum(trial.told is not None for trial in trials)
        self._task = self._bar.add_task(_escaped(name), total=wanted, completed=done, best=self._shown_best(), now="")
        self._bar.start()

    def asked(self, trial: Trial) -> None:
        self._bar.update(self._task, now=f"trial {trial.number}")

    def reported(self, number: int, metrics: Mapping[str, float]) -> None:
        epoch = f" epoch {metrics['epoch']:g}" if "epoch" in metrics else ""
        name = self._objectives[0].metric
        value = f" {name} {metrics[name]:.4g}" if name in metrics else ""
        self._bar.update(self._task, now=f"trial {number}{epoch}{value}")

    def told(self, trial: Trial) -> None:
        self._consider(trial)
        self._bar.update(self._task, advance=1, best=self._shown_best(), now="")
        if trial.state == FAILED:
            reason = trial.error.strip().splitlines()[-1 if trial.error.startswith("Traceback") else 0]
            self._console.print(f"[red]trial {trial.number} failed[/]: {_escaped(reason)}", highlight=False)
        elif not self._console.is_terminal:
            state = " (measured before)" if trial.state == "cached" else ""
            self._console.print(
                f"trial {trial.number}{state}: {_escaped(self._shown(trial))}  {trial.seconds:.1f} s",
                highlight=False,
                soft_wrap=True,
            )

    def end(self) -> None:
        self._bar.stop()

    def _consider(self, trial: Trial) -> None:
        scores = scores_of(trial.metrics, self._objectives) if trial.is_measured else None
        best = scores_of(self._best.metrics, self._objectives) if self._best is not None else None
        if scores is not None and (
            self._best is None or best is None or (trial.fidelity, scores) > (self._best.fidelity, best)
        ):
            self._best = trial

    def _shown_best(self) -> str:
        return "" if self._best is None else f"best {_escaped(self._shown(self._best))} (trial {self._best.number})"

    def _shown(self, trial: Trial) -> str:
        values = [(objective.metric, trial.metrics[objective.metric]) for objective in self._objectives]
        shown = ", ".join(f"{name} {value:,.0f}" if value >= 1e5 else f"{name} {value:,.6g}" for name, value in values)
        return shown if trial.fidelity == 1 else f"{shown} at fidelity {trial.fidelity:.3g}"


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)
