"""Training: that it learns, is deterministic, and ends when it should."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from archlang_torch import backend
from torch import nn

from archlang.backend import Progress, TrainingSettings
from archlang.diagnostics import ArchError
from archlang.ir.graph import Graph
from tests.graphs import Sketch

Arrays = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]


def classifier(outputs: int = 3, name: str = "") -> Graph:
    sketch = Sketch("classifier")
    x = sketch.input("x", 4)
    x = sketch.relu(sketch.batch_norm(sketch.linear(x, 16)))
    x = sketch.apply("dropout", x, output=sketch.shape(x), rate=0.1)
    x = sketch.linear(x, outputs)
    return sketch.graph(**{name: x}) if name else sketch.graph(x)


def blobs(samples: int, seed: int) -> Arrays:
    """Three clouds of points in four dimensions."""
    draw = np.random.default_rng(seed)
    centres = np.random.default_rng(0).normal(size=(3, 4)) * 3
    labels = draw.integers(0, 3, samples)
    return (centres[labels] + draw.normal(size=(samples, 4))).astype(np.float32), labels


def trained(settings: TrainingSettings, graph: Graph | None = None, **more: Any) -> dict[str, Any]:
    graph = graph or classifier()
    network = backend.build(graph, seed=settings.seed)
    found = backend.fit(network, blobs(161, 1), blobs(90, 2), settings, **more)
    found.pop("seconds")
    return found


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
@pytest.mark.parametrize("schedule", ["cosine", "none"])
def test_classification(optimizer: str, schedule: str) -> None:
    rate = 0.1 if optimizer == "sgd" else 0.01
    settings = TrainingSettings(epochs=12, batch_size=16, optimizer=optimizer, schedule=schedule, lr=rate)
    found = trained(settings)
    assert set(found) == {"loss", "accuracy", "train_loss", "epochs"}
    assert found["accuracy"] > 0.9
    assert found["epochs"] == 12
    assert found["train_loss"] < 0.5


def test_regression() -> None:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(200, 4)).astype(np.float32)
    y = (x @ np.array([[1.0], [2.0], [0.0], [-1.0]])).astype(np.float32)
    network = backend.build(classifier(1))
    settings = TrainingSettings(epochs=40, loss="mse", optimizer="adam", lr=0.02, weight_decay=0)
    found = backend.fit(network, (x[:150], y[:150, 0]), (x[150:], y[150:]), settings)
    assert "accuracy" not in found
    assert found["loss"] < 1.0 < float((y**2).mean())


def test_the_same_seed_gives_the_same_metrics() -> None:
    settings = TrainingSettings(epochs=2, lr=0.1, seed=3, label_smoothing=0.1, clip=1.0, nesterov=True)
    torch.manual_seed(0)
    first = trained(settings)
    state = torch.get_rng_state()
    assert trained(settings) == first
    assert torch.equal(torch.get_rng_state(), state)
    assert trained(TrainingSettings(epochs=2, lr=0.1, seed=4)) != first


def test_progress_is_told_after_each_epoch_and_can_stop() -> None:
    told: list[Progress] = []
    found = trained(TrainingSettings(epochs=5), on_epoch=told.append, should_stop=lambda: len(told) == 2)
    assert [(progress.epoch, progress.epochs) for progress in told] == [(1, 5), (2, 5)]
    assert found["epochs"] == 2
    assert told[-1].metrics == {"loss": found["loss"], "accuracy": found["accuracy"]}


def test_divergence_ends_training() -> None:
    found = trained(TrainingSettings(epochs=50, lr=1e30, schedule="none"))
    assert found["diverged"] is True
    assert found["epochs"] < 50
    assert not math.isfinite(found["loss"])


def test_no_epochs_only_evaluate() -> None:
    found = trained(TrainingSettings(epochs=0))
    assert found["epochs"] == 0
    assert math.isnan(found["train_loss"])
    assert 0 <= found["accuracy"] <= 1


def test_recipes_name_their_output() -> None:
    assert trained(TrainingSettings(epochs=1), classifier(name="model")) == trained(TrainingSettings(epochs=1))


def test_networks_without_weights_are_evaluated() -> None:
    sketch = Sketch()
    graph = sketch.graph(sketch.relu(sketch.input("x", 4)))
    assert trained(TrainingSettings(epochs=1), graph)["epochs"] == 1


def test_running_on_arrays() -> None:
    network = backend.build(classifier())
    x, _ = blobs(600, 3)
    scores = backend.run(network, x)
    assert scores.shape == (600, 3)
    np.testing.assert_array_equal(backend.run(network, x[256:512]), scores[256:512])
    named = backend.run(backend.build(classifier(name="model")), x)
    assert list(named) == ["model"]
    np.testing.assert_array_equal(named["model"], scores)


@pytest.mark.parametrize("device", ["cuda:99", "nonsense"])
def test_devices_that_are_not_there(device: str) -> None:
    with pytest.raises(ArchError) as caught:
        trained(TrainingSettings(device=device))
    (found,) = caught.value.diagnostics
    assert found.code == "E0805"
    assert found.message.startswith(f"there is no device `{device}`: ")


def test_no_samples() -> None:
    x, y = blobs(0, 1)
    with pytest.raises(ArchError, match="no samples to train on"):
        backend.fit(nn.Identity(), (x, y), (x, y), TrainingSettings())
