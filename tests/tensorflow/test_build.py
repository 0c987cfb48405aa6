"""Built Keras models: names, layouts, ties, files, and what TensorFlow can do with them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from archlang_tensorflow import backend, build

import archlang as al
from archlang.diagnostics import ArchError
from archlang.ir.graph import Graph
from tests.graphs import Sketch
from tests.tensorflow.running import both
from tests.torch.test_build import tied

EDGES = ("conv3", "conv1", "skip", "pool3", "none", "conv3")


def small() -> Graph:
    space = al.load("std.spaces.nasbench201", channels=4, repeats=2)
    return space.program({f"shared/edge#{k}": edge for k, edge in enumerate(EDGES, 1)}).graph


def images(samples: int = 2) -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).normal(size=(samples, 3, 32, 32)).astype(np.float32)


def transposes(model: keras.Model) -> int:
    return sum(type(operation).__name__ == "Transpose" for operation in model.operations)


def test_a_model_is_plain_and_its_layers_are_named_by_address() -> None:
    model = build(small())
    assert type(model).__name__ == "Functional"
    assert {type(layer).__module__.partition(".")[0] for layer in model.layers} == {"keras"}
    assert model.get_layer("shared_1.0.edge_1.conv3.conv2d").kernel.shape == (3, 3, 4, 4)
    assert (model.input_shape, model.output_shape) == ((None, 3, 32, 32), (None, 10))
    assert model.input.name == "image"


def test_initial_weights_are_those_of_the_other_backend() -> None:
    graph = small()
    weights = backend.weights(graph, build(graph, seed=4))
    others = both(graph, seed=4)
    from archlang_torch import backend as pytorch

    drawn = pytorch.weights(graph, pytorch.build(graph, seed=4))
    assert list(weights) == list(graph.weights) == list(others.weights)
    assert all(np.array_equal(weights[address], drawn[address]) for address in weights)


def test_the_layout_changes_once() -> None:
    assert transposes(build(small())) == 1
    last = build(small(), data_format="channels_last")
    assert (last.input_shape, transposes(last)) == ((None, 32, 32, 3), 0)
    first = build(small())
    np.testing.assert_allclose(
        last(images().transpose(0, 2, 3, 1), training=False), first(images(), training=False), rtol=1e-5, atol=1e-6
    )


TEXT = """
use std.nn
space net({inputs}) {{ {body} }}
"""


def graph_of(inputs: str, body: str) -> Graph:
    return al.loads(TEXT.format(inputs=inputs, body=body)).program({}).graph


@pytest.mark.parametrize(
    ("body", "changes"),
    [
        ("x |> conv2d(5) >> flatten >> linear(4)", 2),
        ("x |> conv2d(5) >> flatten(2) >> transpose(1, 2) >> linear(4)", 1),
        ("x |> conv2d(6) >> permute([0, 2, 3, 1]) >> layer_norm >> permute([0, 3, 1, 2]) >> conv2d(3)", 2),
        ("x |> conv2d(6) >> concat(axis=2) >> softmax(axis=1) >> slice(1, 0, 3) >> relu", 2),
        ("x |> conv2d(6) >> pad([0, 1, 2, 0, 1, 1], value=2.0) >> mean(1)", 1),
        ("x |> conv2d(6) >> mean(-1) >> batch_norm", 2),
        ("x |> conv2d(6) >> max_reduce(2, keep=true) >> conv2d(2, kernel=1)", 2),
        ("(x |> conv2d(6)) * (x |> global_avg_pool >> linear(6) >> reshape([6, 1, 1]))", 3),
        ("x |> permute([0, 2, 3, 1]) >> linear(4)", 1),
        ("x |> permute([0, 3, 1, 2]) >> conv2d(2)", 1),
        ("x |> conv2d(6) >> upsample(2) >> channel_shuffle(3) >> slice(2, 0, 4)", 2),
    ],
)
def test_layouts_are_followed_through_ops_with_axes(body: str, changes: int) -> None:
    made = both(graph_of("x: f32[n, 4, 7, 5]", body))
    made.assert_equal()
    assert transposes(made.model) == changes
    last = build(made.graph, data_format="channels_last")
    backend.set_weights(made.graph, last, made.weights)
    order = [i if i is None else int(i) for i in last.input_shape]
    given = made.inputs[0] if order[1:] == [4, 7, 5] else made.inputs[0].transpose(0, 2, 3, 1)
    found, (expected, _) = backend.run(last, given), made.results()
    if found.shape != expected[""].shape:
        found = np.moveaxis(found, -1, 1)
    np.testing.assert_allclose(found, expected[""], rtol=1e-5, atol=1e-5)


def test_tied_blocks_are_one_layer() -> None:
    made = both(tied(3))
    assert len(made.model.trainable_weights) == 3
    made.assert_equal()


def test_ties_between_different_attributes_are_refused() -> None:
    sketch = Sketch()
    x = sketch.input("x", 4, 8, 8)
    a = sketch.conv2d(x, 4, site="a")
    with sketch.block("again", "unit", home=""):
        b = sketch.conv2d(x, 4, stride=2, site="a")
    with pytest.raises(ArchError) as caught:
        build(sketch.graph(a=a, b=b))
    assert caught.value.diagnostics[0].message == (
        "the tensorflow backend cannot tie weights between operations with different attributes, which `again/a` needs"
    )


def test_unsupported_ops_are_reported_together() -> None:
    sketch = Sketch()
    x = sketch.input("x", 4)
    x = sketch.apply("fourier", x, output=sketch.shape(x))
    x = sketch.apply("relu", x, output=sketch.shape(x), site="r", threshold=3)
    graph = sketch.graph(x)
    assert backend.unsupported(graph) == ("fourier", "relu")
    with pytest.raises(ArchError) as caught:
        build(graph)
    assert [found.message for found in caught.value.diagnostics] == [
        "the tensorflow backend has no lowering for op `fourier`, which `fourier#1` needs",
        "the tensorflow backend does not know `threshold` of op `relu`, which `r` needs",
    ]


def test_several_inputs_and_named_outputs() -> None:
    sketch = Sketch()
    a, b = sketch.input("a", 4), sketch.input("b", 4)
    sketch.input("unused", 2)
    graph = sketch.graph(**{"sum": sketch.add(a, b), "inner.first": a})
    x, y = np.ones((2, 4), np.float32), np.full((2, 4), 3.0, np.float32)
    found = backend.run(build(graph), x, y, np.zeros((2, 2), np.float32))
    assert list(found) == ["sum", "inner.first"]
    np.testing.assert_array_equal(found["sum"], x + y)
    np.testing.assert_array_equal(found["inner.first"], x)


@pytest.mark.parametrize(("dtype", "name"), [("f16", "float16"), ("bf16", "bfloat16"), ("f64", "float64")])
def test_other_types(dtype: str, name: str) -> None:
    body = "x |> conv2d(4) >> batch_norm >> hswish >> global_avg_pool >> linear(3)"
    model, single = (build(graph_of(f"x: {kind}[n, 4, 6, 6]", body)) for kind in (dtype, "f32"))
    assert {str(weight.dtype) for weight in model.weights} == {name}
    x = np.random.default_rng(0).normal(size=(2, 4, 6, 6)).astype(np.float32)
    found = model(x, training=False)
    assert found.dtype.name == name
    tolerance = 1e-6 if dtype == "f64" else 3e-2
    np.testing.assert_allclose(tf.cast(found, tf.float32), single(x, training=False), rtol=0, atol=tolerance)


@pytest.fixture(scope="module")
def everyday() -> Any:
    return both(small())


def test_files_load_without_archlang(everyday: Any, tmp_path: Path) -> None:
    path, given, expected = tmp_path / "net.keras", tmp_path / "x.npy", tmp_path / "y.npy"
    everyday.model.save(path)
    np.save(given, everyday.inputs[0])
    np.save(expected, everyday.model(everyday.inputs[0], training=False))
    code = (
        "import sys; sys.modules['archlang'] = sys.modules['archlang_tensorflow'] = None\n"
        "import keras, numpy as np\n"
        f"model = keras.saving.load_model({str(path)!r})\n"
        f"found = model(np.load({str(given)!r}), training=False)\n"
        f"np.testing.assert_allclose(found, np.load({str(expected)!r}), rtol=1e-5, atol=1e-6)"
    )
    ran = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    loaded = keras.saving.load_model(path)
    weights = backend.weights(everyday.graph, loaded)
    assert all(np.array_equal(weights[address], everyday.weights[address]) for address in weights)


@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated")
def test_functions_saved_models_and_tflite(everyday: Any, tmp_path: Path) -> None:
    (x,) = everyday.inputs
    expected = everyday.results()[1][""]
    traced = tf.function(lambda given: everyday.model(given, training=False))
    np.testing.assert_allclose(traced(tf.constant(x)), expected, rtol=1e-4, atol=1e-5)
    everyday.model.export(tmp_path / "saved", verbose=False)
    saved = tf.saved_model.load(str(tmp_path / "saved"))
    served = saved.serve(tf.constant(x))
    np.testing.assert_allclose(served, expected, rtol=1e-4, atol=1e-5)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "saved"))
    interpreter = tf.lite.Interpreter(model_content=converter.convert())
    (slot,) = interpreter.get_input_details()
    interpreter.resize_tensor_input(slot["index"], x.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(slot["index"], x)
    interpreter.invoke()
    (result,) = interpreter.get_output_details()
    np.testing.assert_allclose(interpreter.get_tensor(result["index"]), expected, rtol=1e-4, atol=1e-5)


def test_keras_trains_it(everyday: Any) -> None:
    model = build(everyday.graph)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    history = model.fit(images(16), np.arange(16) % 10, epochs=2, verbose=0)
    assert len(history.history["loss"]) == 2


def test_a_wrong_data_format_is_told() -> None:
    with pytest.raises(ArchError, match="the tensorflow backend has no data format `NHWC`"):
        build(small(), data_format="NHWC")


def test_keras_on_another_framework_is_told() -> None:
    code = (
        "import archlang.backend as b\n"
        "try: b.backend('tensorflow')\n"
        "except b.ArchError as error: print(error.diagnostics[0].message)"
    )
    environment = {**os.environ, "KERAS_BACKEND": "torch"}
    command = [sys.executable, "-c", code]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ran.stdout == "the tensorflow backend needs Keras to run on TensorFlow, and it runs on torch\n", ran.stderr


def test_a_vector_goes_through_a_linear_layer() -> None:
    both(graph_of("x: f32[5]", "x |> linear(3) >> relu")).assert_equal()


def test_settings_of_keras_are_kept() -> None:
    """A layout that Keras is set to changes nothing, a mixed precision is taken."""
    keras.config.set_image_data_format("channels_first")
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build(small())
        assert keras.config.image_data_format() == "channels_first"
    finally:
        keras.config.set_image_data_format("channels_last")
        keras.config.set_dtype_policy("float32")
    assert {str(weight.dtype) for weight in model.trainable_weights} == {"float32"}
    found = model(images(), training=False)
    assert found.dtype.name == "bfloat16"
    np.testing.assert_allclose(tf.cast(found, tf.float32), build(small())(images(), training=False), rtol=0, atol=5e-2)
