"""Training supernets from a call or a command to its end: stores, interrupts, reports."""

from pathlib import Path

import attrs
import numpy as np
import pytest
import torch

import archlang as al
from archlang.relax.history import Epoch, warnings
from archlang.relax.page import relaxed_page
from archlang.relax.progress import Silent
from archlang.relax.questions import weightless
from archlang.relax.run import resume

SPACE = """
use std.nn
block edge(x: [n, c, h, w]) -> [n, c, h, w] {
  x |> choose { skip: identity, conv: conv2d(c) >> batch_norm, pool: avg_pool2d(3) }
}
space small(image: f32[n, 1, 8, 8]) {
  x = image |> conv2d(4) >> batch_norm
  sum(choose 2 of [x |> edge, x |> edge, x |> edge] as inputs) |> global_avg_pool >> linear(10)
}
"""


class Stopping(Silent):
    """Interrupts a training at its second epoch."""

    def stepped(self, step: int, steps: int, loss: float) -> None:
        if step == 2 and self.done:
            raise KeyboardInterrupt

    done = 0

    def told(self, epoch: Epoch) -> None:
        self.done += 1


class StoppingSelection(Silent):
    """Interrupts a selection when it has come so far."""

    def selecting(self, done: str) -> None:
        self.said.append(done)
        if done.startswith("3 "):
            raise KeyboardInterrupt

    def __init__(self) -> None:
        self.said: list[str] = []


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("spos", {"selection.trials": 8}),
        ("darts-pt", {"selection.interval": 1, "architecture_from": 0.0}),
    ],
)
def test_an_interrupted_selection_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, settings: dict[str, object]
) -> None:
    monkeypatch.setattr("archlang.relax.run.PAUSE", 0.0)
    space, settings = al.loads(SPACE), {"epochs": 1, "batch_size": 256, **settings}
    whole = al.train_supernet(space, "digits", method=method, settings=settings, seed=1)
    store = tmp_path / "small.supernet"
    stopping = StoppingSelection()
    cut = al.train_supernet(space, "digits", method=method, settings=settings, seed=1, store=store, progress=stopping)
    assert cut.interrupted
    assert cut.best is None
    assert al.read_supernet(store).interrupted
    after = StoppingSelection()
    after.selecting = after.said.append  # type: ignore[method-assign]
    found = resume(store, progress=after)
    assert found.found == whole.found
    assert not {"1 ", "2 ", "3 "} & {told[:2] for told in after.said}  # what was done is not done again
    np.testing.assert_equal(found.supernet.arrays(), whole.supernet.arrays())
    assert al.read_supernet(store).found == whole.found


@pytest.mark.parametrize("method", ["darts", "gdas", "enas", "rarts"])
def test_an_interrupted_training_goes_on_as_if_it_had_never_stopped(tmp_path: Path, method: str) -> None:
    space = al.loads(SPACE)
    settings = {"epochs": 3, "batch_size": 128}
    if method == "enas":
        settings |= {"selection.trials": 4}
    whole = al.train_supernet(space, "digits", method=method, settings=settings, seed=1)
    store = tmp_path / "small.supernet"
    cut = al.train_supernet(space, "digits", method=method, settings=settings, seed=1, store=store, progress=Stopping())
    assert cut.interrupted
    assert len(cut.history) == 1
    assert cut.best is None
    found = resume(store)
    assert not found.interrupted
    assert [attrs.evolve(epoch, seconds=0) for epoch in found.history] == [
        attrs.evolve(epoch, seconds=0) for epoch in whole.history
    ]
    assert found.found == whole.found
    for address, weight in whole.supernet.arrays().items():
        np.testing.assert_array_equal(found.supernet.arrays()[address], weight)
    again = resume(store)
    assert again.found == whole.found


def test_the_program_and_its_weights(tmp_path: Path) -> None:
    settings = {"epochs": 1, "batch_size": 256}
    outcome = al.train_supernet(
        al.loads(SPACE), "digits", method="darts", settings=settings, store=tmp_path / "a.supernet"
    )
    inherited = outcome.inherited
    assert inherited is not None
    image = np.random.default_rng(0).standard_normal((4, 1, 8, 8)).astype(np.float32)
    network = inherited.build("torch").eval()
    with torch.no_grad():
        outcome.supernet.eval()
        torch.testing.assert_close(
            network(torch.from_numpy(image)), outcome.supernet.path(inherited.choices, torch.from_numpy(image))
        )
    page = relaxed_page(outcome)
    assert "darts on small" in page
    assert "<script" not in page


def test_what_looks_wrong_is_said() -> None:
    free = {"a": [True, False], "b": [True, False], "c": [False, True]}
    even = {name: [0.5, 0.5] for name in free}
    collapsed = {"a": [0.9, 0.1], "b": [0.9, 0.1], "c": [0.1, 0.9]}
    good = {"a": [0.1, 0.9], "b": [0.1, 0.9], "c": [0.9, 0.1]}

    def said(likelihoods: dict[str, list[float]], loss: float = 1.0, steps: int = 20) -> str:
        return " ".join(warnings([Epoch(n, loss, {}, likelihoods, 1.0) for n in range(2)], free, 0.0, steps))

    assert "nearly even" in said(even)
    assert "3 of 3 decisions prefer operations without weights" in said(collapsed)
    assert said(good) == ""
    assert "not finite" in said(good, float("nan"))
    assert "an epoch has a step: the method is meant for more data" in said(good, steps=1)


def test_which_alternatives_have_weights() -> None:
    varied = al.loads(SPACE).supernet("torch").varied
    assert weightless(varied) == {f"edge#{n}": [True, False, True] for n in (1, 2, 3)}
