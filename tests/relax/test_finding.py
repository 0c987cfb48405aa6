"""Every method finds the best program of spaces in which that is known."""

from typing import Any

import attrs
import numpy as np
import pytest

import archlang as al
from archlang.relax import methods
from archlang.relax.methods import METHODS
from archlang.relax.penalties.zero_one import ZeroOne
from archlang.relax.settings import ArchitectureSettings, WeightSettings

# What is to be told is whether |x[2]| is large: of the features only the middle ones say it, and that takes a
# bend.
FEATURES = """
use std.nn
space features(x: f32[n, 6]) {
  seen = x |> choose { left: slice(1, 0, 2), middle: slice(1, 2, 4), right: slice(1, 4, 6) } as seen
  seen |> linear(16) |> choose { straight: identity, bent: relu } as bend |> linear(2)
}
"""
# Where several alternatives may count at once, what is not the best must do harm.
HARMFUL = FEATURES.replace("straight: identity", "blurred: dropout(0.9)")
# Methods that learn from the largest program need one that is good: here one without a hidden layer, or with a
# unit of it alone, cannot tell.
SIZES = """
use std.nn
block layer(width: int)(x: [n, c]) -> [n, 16] { x |> linear(width) >> relu |> linear(16) }
space sizes(x: f32[n, 6]) {
  x |> linear(16) |> repeat(choose 0..1 as depth, layer(choose [1, 8] as width)) |> linear(2)
}
"""
BEST = {
    SIZES: {"depth": 1, "width": 8},
    FEATURES: {"seen": "middle", "bend": "bent"},
    HARMFUL: {"seen": "middle", "bend": "bent"},
}


def data(seed: int) -> tuple[np.ndarray, ...]:
    """Samples for training and validation."""
    random = np.random.default_rng(seed)
    x = random.standard_normal((1536, 6)).astype(np.float32)
    y = (np.abs(x[:, 2]) > 0.67).astype(int)
    return x[:1024], y[:1024], x[1024:], y[1024:]


def short(name: str) -> methods.Method:
    """The method with a training that suits so small a task: the published ones are for long ones."""
    method = METHODS[name]
    weights = attrs.evolve(method.weights, lr=0.1, decay=0.0)
    architecture = attrs.evolve(method.architecture, lr=0.03)
    changed: dict[str, Any] = {"weights": weights, "architecture": architecture, "epochs": 40, "batch_size": 32}
    if method.sampler.parameters.__qualname__.startswith("Mixture"):
        changed["architecture_from"] = 0.5
    if hasattr(method.selection, "trials"):
        changed["selection"] = attrs.evolve(method.selection, trials=30, recalibration=0)
    if name == "darts-pt":
        changed["selection"] = attrs.evolve(method.selection, interval=1)
    if name == "fairdarts":  # which would drive the logits apart before they say anything
        changed["penalties"] = (ZeroOne(weight=0.1),)
    return attrs.evolve(method, **changed)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", METHODS)
def test_the_best_program_is_found(monkeypatch: pytest.MonkeyPatch, name: str, seed: int) -> None:
    text = {"bignas": SIZES, "ofa": SIZES, "fairdarts": HARMFUL}.get(name, FEATURES)
    monkeypatch.setitem(methods.METHODS, name, short(name))
    space = al.loads(text)
    outcome = al.train_supernet(space, data(seed), method=name, seed=seed)
    assert outcome.best is not None
    assert dict(outcome.best.choices) == BEST[text]


def test_the_settings_are_those_of_the_weights_and_the_architecture() -> None:
    assert METHODS["darts"].weights == WeightSettings(lr=0.025, least=0.001, momentum=0.9, decay=3e-4, clip=5.0)
    assert METHODS["darts"].architecture == ArchitectureSettings(lr=3e-4, betas=(0.5, 0.999), decay=1e-3)
