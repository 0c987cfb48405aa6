"""How well supernets of NAS-Bench-201 rank its programs: `python -m benchmarks.ranking`.

Programs drawn at random are trained alone, by a study that goes on where it was stopped; then supernets by several
methods, on the same samples. Both are small: MNIST with 2,000 training samples, one cell a stage, eight channels.
"""

from __future__ import annotations

import os
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

import archlang as al

METHODS = ("spos", "fairnas", "gdas", "darts")


@click.command()
@click.option("--runs", default="runs/ranking", show_default=True, type=Path, help="Where all that is trained is kept.")
@click.option("--programs", default=40, show_default=True)
@click.option("--epochs", default=6, show_default=True, help="Of a program alone.")
@click.option("--shared-epochs", default=60, show_default=True, help="Of a supernet.")
@click.option("--seeds", default=2, show_default=True, help="How many supernets a method trains.")
@click.option("--method", "methods", multiple=True, default=METHODS, show_default=True)
def main(runs: Path, programs: int, epochs: int, shared_epochs: int, seeds: int, methods: tuple[str, ...]) -> None:
    """Rank correlations of accuracies with shared weights and of programs trained alone."""
    space = al.load("std.spaces.nasbench201", channels=8, repeats=1)
    data = _mnist()
    alone = al.train(data, epochs=epochs, batch_size=64, lr=0.1)
    again = al.train(data, epochs=epochs, batch_size=64, lr=0.1, seed=1)
    settings = {"maximize": ["accuracy"], "searcher": "random", "seed": 0, "trials": programs, "progress": True}
    first = al.search(space, alone, store=runs / "alone.db", name="first", **settings)  # type: ignore[arg-type]
    second = al.search(space, again, store=runs / "alone.db", name="second", **settings)  # type: ignore[arg-type]
    from archlang.relax.correlation import correlation

    both = [[trial.metrics["accuracy"] for trial in study.measured] for study in (first, second)]
    click.echo(f"alone, two seeds: {correlation(*both)}; accuracies {min(both[0]):.3f} to {max(both[0]):.3f}")
    for method in methods:
        for seed in range(seeds):
            store = runs / f"{method}-{seed}.supernet"
            if store.exists():
                from archlang.relax.run import resume

                outcome = resume(store, data=data, progress=True)
            else:
                changes = {
                    "epochs": shared_epochs,
                    **({"selection.trials": 50} if method in ("spos", "fairnas") else {}),
                }
                outcome = al.train_supernet(
                    space, data, method=method, settings=changes, seed=seed, store=store, progress=True
                )
            found = outcome.against(first)
            click.echo(f"{method}, seed {seed}: {found.correlation}, the best is number {found.place_of_best}")


def _mnist() -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
    """2,000 samples to train on and 2,000 to measure, as images of three equal channels with a border."""
    arrays = np.load(Path(os.environ["ARCHLANG_DATA"]) / "mnist_first12k.npz")

    def ready(x: NDArray[np.uint8]) -> NDArray[np.float32]:
        padded = np.pad(x.astype(np.float32) / 255, ((0, 0), (2, 2), (2, 2)))
        return np.repeat(padded[:, None], 3, axis=1)

    x, y = arrays["x_train"][:2000], arrays["y_train"][:2000]
    return ready(x), y.astype(np.int64), ready(arrays["x_test"]), arrays["y_test"].astype(np.int64)


if __name__ == "__main__":
    main()
