"""Telling how the training of a supernet goes while it runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from archlang.relax.history import Epoch

if TYPE_CHECKING:
    from rich.console import Console


class Listener(Protocol):
    """Is told what happens in a training."""

    def begin(self, method: str, space: str, epochs: int, history: Sequence[Epoch]) -> None:
        """A run begins; `history` is there from before."""

    def stepped(self, step: int, steps: int, loss: float) -> None:
        """A step of an epoch is done."""

    def told(self, epoch: Epoch) -> None:
        """An epoch is done."""

    def selecting(self, done: str) -> None:
        """Programs are being taken from the supernet; so much is done."""

    def end(self) -> None:
        """The run is over, in whatever way."""


class Silent:
    """A listener that does nothing; the base of others."""

    def begin(self, method: str, space: str, epochs: int, history: Sequence[Epoch]) -> None:
        pass

    def stepped(self, step: int, steps: int, loss: float) -> None:
        pass

    def told(self, epoch: Epoch) -> None:
        pass

    def selecting(self, done: str) -> None:
        pass

    def end(self) -> None:
        pass


class ProgressBar(Silent):
    """A line of rich text: epochs and steps done, the loss, the time. Where the output is no terminal, one plain
    line an epoch."""

    def __init__(self, console: Console | None = None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._console = console or Console(stderr=True)
        self._bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[now]}"),
            console=self._console,
            disable=not self._console.is_terminal,
        )

    def begin(self, method: str, space: str, epochs: int, history: Sequence[Epoch]) -> None:
        self._task = self._bar.add_task(f"{method} on {space}", total=epochs, completed=len(history), now="")
        self._bar.start()

    def stepped(self, step: int, steps: int, loss: float) -> None:
        self._bar.update(self._task, now=f"step {step}/{steps} loss {loss:.3f}")

    def told(self, epoch: Epoch) -> None:
        shown = shown_epoch(epoch)
        self._bar.update(self._task, advance=1, now=shown)
        if not self._console.is_terminal:
            self._console.print(f"epoch {epoch.number + 1}: {shown}", highlight=False, soft_wrap=True)

    def selecting(self, done: str) -> None:
        self._bar.update(self._task, now=f"selecting: {done}")

    def end(self) -> None:
        self._bar.stop()


def shown_epoch(epoch: Epoch) -> str:
    """An epoch in one line."""
    parts = [f"loss {epoch.loss:.3f}", *(f"{name} {value:.3f}" for name, value in epoch.metrics.items())]
    if epoch.entropy is not None:
        parts.append(f"entropy {epoch.entropy:.2f}")
    return ", ".join([*parts, f"{epoch.seconds:.1f} s"])
