"""How well supernets of NAS-Bench-201 rank its programs: `python -m benchmarks.ranking`.

Programs drawn at random are trained alone, by a study that goes on where it was stopped; then supernets by several
methods, on the same samples. Both are small: MNIST with 2,000 training samples, one cell a stage, eight channels.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

import archlang as al
from archlang.relax.correlation import correlation
from archlang.relax.outcome import Relaxed
from archlang.relax.run import resume

METHODS = ("spos", "fairnas", "gdas", "darts")


@click.command()
@click.option("--runs", default="runs/ranking", show_default=True, type=Path, help="Where all that is trained is kept.")
@click.option("--programs", default=40, show_default=True)
@click.option("--epochs", default=5, show_default=True, help="Of a program alone.")
@click.option("--shared-epochs", default=50, show_default=True, help="Of a supernet.")
@click.option("--seeds", default=1, show_default=True, help="How many supernets a method trains.")
@click.option("--method", "methods", multiple=True, default=METHODS, show_default=True)
def main(runs: Path, programs: int, epochs: int, shared_epochs: int, seeds: int, methods: tuple[str, ...]) -> None:
    """Rank correlations of accuracies with shared weights and of programs trained alone."""
    space = al.load("std.spaces.nasbench201", channels=8, repeats=1)
    data = _mnist()
    studies = [_alone(space, data, seed, epochs, programs, runs / f"alone-{seed}.db") for seed in range(2)]
    first, second = ([trial.metrics["accuracy"] for trial in study.measured] for study in studies)
    click.echo(f"alone, {min(first):.3f} to {max(first):.3f}; against another seed: {correlation(first, second)}")
    for method in methods:
        for seed in range(seeds):
            outcome = _trained(space, data, method, seed, shared_epochs, runs / f"{method}-{seed}.supernet")
            found = outcome.against(studies[0])
            click.echo(f"{method}, seed {seed}: {found.correlation}, the best is number {found.place_of_best}")


def _alone(space: al.Space, data: Any, seed: int, epochs: int, programs: int, store: Path) -> al.Study:
    """The same programs for every seed, which their first weights hang on, trained alone."""
    evaluator = al.train(data, epochs=epochs, batch_size=64, lr=0.1, seed=seed)
    if store.exists():
        return al.resume(store, evaluator=evaluator, progress=True)
    return al.search(
        space, evaluator, searcher="random", maximize=["accuracy"], trials=programs, store=store, progress=True
    )


def _trained(space: al.Space, data: Any, method: str, seed: int, epochs: int, store: Path) -> Relaxed:
    if store.exists():
        return resume(store, data=data, progress=True)
    changes = {"epochs": epochs, "batch_size": 64, "weights.lr": 0.05}  # those of the presets are for larger data
    if method in ("spos", "fairnas"):
        changes["selection.trials"] = 50
    return al.train_supernet(space, data, method=method, settings=changes, seed=seed, store=store, progress=True)


def _mnist() -> tuple[NDArray[Any], ...]:
    """2,000 samples to train on and 2,000 to measure, as images of three equal channels with a border."""
    arrays = np.load(Path(os.environ["ARCHLANG_DATA"]) / "mnist_first12k.npz")

    def ready(x: NDArray[Any]) -> NDArray[Any]:
        padded = np.pad(x.astype(np.float32) / 255, ((0, 0), (2, 2), (2, 2)))
        return np.repeat(padded[:, None], 3, axis=1)

    x, y = arrays["x_train"][:2000], arrays["y_train"][:2000]
    return ready(x), y.astype(np.int64), ready(arrays["x_test"]), arrays["y_test"].astype(np.int64)


if __name__ == "__main__":
    main()
