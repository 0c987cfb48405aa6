"""Programs of the library: Keras and PyTorch give the same gradients and training. Outputs: tests/backends."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from archlang_tensorflow import backend as tensorflow
from archlang_torch import backend as pytorch
from hypothesis import given, settings
from hypothesis import strategies as st

import archlang as al
from archlang.backend import TrainingSettings
from archlang.space import Space, load
from tests.tensorflow.running import Both, both

SPACES: dict[str, dict[str, Any]] = {
    "std.spaces.nasbench201": {"channels": 4, "repeats": 1},
    "std.spaces.nasbench101": {"channels": 8, "repeats": 1},
    "std.spaces.darts": {"channels": 4, "layers": 4},
    "std.spaces.mobile": {"width": 0.25, "classes": 10},
    "std.spaces.ofa_mobilenetv3": {"classes": 10, "size": 64},
    "std.spaces.proxylessnas": {"classes": 10, "size": 64},
    "std.spaces.nasbench_macro": {},
    "std.spaces.nats_sss": {},
    "std.models.bert:bert_mini": {"length": 12},
    "std.models.convnext:convnext_tiny": {"classes": 7, "size": 32},
    "std.models.densenet:densenet121": {"classes": 7, "size": 32},
    "std.models.shufflenet_v2:shufflenet_v2_x0_5": {"classes": 7, "size": 32},
    "std.models.vit:vit_ti_16": {"classes": 5, "size": 32},
}


@cache
def space(name: str) -> Space:
    return load(name, SPACES[name])


def check(made: Both) -> None:
    """Outputs and gradients in evaluation mode."""
    made.assert_equal()
    made.assert_equal_gradients(2e-3)


@pytest.mark.parametrize("name", ["std.spaces.nasbench101", "std.spaces.ofa_mobilenetv3", "std.models.bert:bert_mini"])
def test_both_agree(name: str) -> None:
    check(both(space(name).sample(seed=0).graph))


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("seed", range(3))
def test_both_agree_on_all(name: str, seed: int) -> None:
    check(both(space(name).sample(seed=seed).graph, seed))


@given(st.integers(0, 10**6))
@settings(max_examples=4, deadline=None, derandomize=True)
def test_any_nasbench201_program(seed: int) -> None:
    check(both(space("std.spaces.nasbench201").sample(seed=seed).graph, seed))


def trained_together(made: Both, optimizer: str, dtype: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """One epoch on both frameworks; the metrics of both."""
    shape = [int(dim) for dim in made.model.input_shape[1:]]
    draw = np.random.default_rng(0)
    images, labels = draw.normal(size=(200, *shape)).astype(dtype), draw.integers(0, 10, 200)
    train, held = (images[:160], labels[:160]), (images[160:], labels[160:])
    rate = 0.05 if optimizer == "sgd" else 1e-3
    smooth = {"nesterov": True, "clip": 5.0, "label_smoothing": 0.1}
    chosen = TrainingSettings(epochs=1, batch_size=32, optimizer=optimizer, lr=rate, **smooth)
    ours = tensorflow.fit(made.model, train, held, chosen)
    theirs = pytorch.fit(made.module, train, held, chosen)
    assert ours.keys() == theirs.keys()
    return ours, theirs


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_an_epoch_of_training_stays_together(optimizer: str) -> None:
    """Without rounding all weights do. PyTorch's running variances are unbiased, Keras's are not."""
    text = """
    use std.nn
    space net(x: f64[n, 3, 8, 8]) {
      y = x |> conv2d(8) >> batch_norm >> relu >> depthwise_conv2d(stride=2) >> batch_norm >> hswish
      y |> global_avg_pool >> linear(10)
    }
    """
    made = both(al.loads(text).program({}).graph)
    ours, theirs = trained_together(made, optimizer, "float64")
    assert ours["train_loss"] == pytest.approx(theirs["train_loss"], rel=1e-6)
    one, other = tensorflow.weights(made.graph, made.model), pytorch.weights(made.graph, made.module)
    for address, value in one.items():
        tolerance = 2e-3 if address.endswith("variance") else 1e-6
        np.testing.assert_allclose(value, other[address], rtol=tolerance, atol=tolerance, err_msg=address)


@pytest.mark.parametrize("seed", [0, 1])
def test_an_epoch_of_training_in_single_precision(seed: int) -> None:
    made = both(space("std.spaces.nasbench201").sample(seed=seed).graph)
    ours, theirs = trained_together(made, "sgd", "float32")
    for name in ("loss", "train_loss"):
        assert ours[name] == pytest.approx(theirs[name], rel=1e-3)
