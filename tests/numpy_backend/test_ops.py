"""Every op against PyTorch in double precision, over a grid of its attributes."""

from __future__ import annotations

from itertools import product

import archlang_torch
import numpy as np
import pytest
from archlang_numpy import LOWERINGS, reference

import archlang as al
from archlang.diagnostics import ArchError
from archlang.ir.graph import Graph, Operation
from archlang.ir.types import SymbolicDim, TensorType
from tests.numpy_backend.against_torch import arrays, in_numpy, in_torch, random_weights

IMAGE = "f64[n, 4, 7, 6]"
LINE = "f64[n, 4, 9]"
VOLUME = "f64[n, 4, 5, 4, 6]"
ROWS = "f64[n, 5, 8]"
VECTOR = "f64[n, 8]"


def grid(op: str, **values: tuple[object, ...]) -> list[str]:
    """The op with every combination of the values; None leaves an attribute out."""
    found = []
    for picks in product(*values.values()):
        given = [f"{name}={pick}" for name, pick in zip(values, picks, strict=True) if pick is not None]
        found.append(f"{op}({', '.join(given)})")
    return found


NO_YES = ("false", "true")
CONV = {"out": (6,), "kernel": (1, 2, 3), "stride": (1, 2), "dilation": (1, 2), "groups": (1, 2), "bias": NO_YES}
POOL = {"kernel": (2, 3), "stride": (1, 2, 3), "padding": (0, 1), "ceil": NO_YES}
PAIRS = ("(1, 1)", "(2, 1)", "(1, 2)")
ELEMENTWISE = ["identity", "relu", "relu6", "selu", "silu", "sigmoid", "tanh", "hswish", "hsigmoid", "softplus", "mish"]

# By the type of the input, what is applied to it.
UNARY = {
    IMAGE: [
        *(f"{op}()" for op in (*ELEMENTWISE, "absolute", "square", "prelu", "channel_scale")),
        *(f"{op}()" for op in ("global_avg_pool", "global_max_pool", "instance_norm", "batch_norm")),
        "dropout(rate=0.5)",
        "drop_path(rate=0.3)",
        "prelu(shared=true)",
        "leaky_relu(slope=0.2)",
        "elu(alpha=0.5)",
        "hard_tanh(low=-0.5, high=0.75)",
        "scale(factor=2.5)",
        *grid("gelu", approximate=NO_YES),
        *grid("softmax", axis=(1, -1)),
        *grid("log_softmax", axis=(1, -1)),
        *grid("zero", stride=(1, 2, 3)),
        *grid("conv2d", **CONV, padding=(None, 0, 2)),
        *grid("conv2d_rect", out=(6,), kernel=("(3, 2)", "(1, 3)"), stride=PAIRS, dilation=PAIRS, groups=(1, 2)),
        "conv2d_rect(out=4, kernel=(2, 3), padding=(2, 0), bias=true)",
        *grid("depthwise_conv2d", kernel=(2, 3), stride=(1, 2), dilation=(1, 2), multiplier=(1, 2), bias=NO_YES),
        *grid("conv_transpose2d", out=(6,), kernel=(2, 3), stride=(2, 3), padding=(0, 1), output_padding=(0, 1),
              groups=(1, 2), bias=NO_YES),
        *grid("batch_norm", eps=("1e-5", "0.1"), affine=NO_YES),
        *grid("group_norm", groups=(1, 2, 4), eps=("1e-5", "0.1"), affine=NO_YES),
        *grid("instance_norm", eps=("1e-5", "0.1"), affine=NO_YES),
        *grid("local_response_norm", size=(1, 2, 3, 5), beta=(0.75, 0.5), k=(1.0, 2.0), alpha=(0.3,)),
        *grid("max_pool2d", **POOL),
        *grid("avg_pool2d", **POOL, count_padding=NO_YES),
        *grid("adaptive_avg_pool2d", out=(1, 2, 3, 5)),
        *grid("mean", axis=(1, -1), keep=NO_YES),
        *grid("max_reduce", axis=(2, -1), keep=NO_YES),
        *grid("min_reduce", axis=(1, -2), keep=NO_YES),
        *grid("flatten", start=(1, 2)),
        "reshape(shape=[6, 28])",
        "permute(order=[0, 3, 1, 2])",
        *grid("transpose", a=(1, -1), b=(2, -2)),
        *grid("slice", axis=(2, -2), start=(0, 1, -5), stop=(5, -1), step=(1, 2)),
        *grid("pad", amount=("[1, 2]", "[0, 1, 2, 0]", "[1, 0, 0, 2, 1, 1]"), value=(0.0, 1.5)),
        *grid("upsample", factor=(2, 3), mode=('"nearest"', '"bilinear"')),
        "pixel_shuffle(factor=2)",
        "channel_shuffle(groups=2)",
    ],
    LINE: [
        *grid("conv1d", **CONV, padding=(None, 0, 2)),
        *grid("max_pool1d", **POOL),
        *grid("avg_pool1d", **POOL, count_padding=NO_YES),
        *(f"{op}()" for op in ("batch_norm", "instance_norm", "global_avg_pool", "global_max_pool", "upsample")),
    ],
    VOLUME: [
        *grid("conv3d", **{**CONV, "bias": ("true",)}, padding=(None, 1)),
        "batch_norm()",
        "instance_norm(affine=true)",
        "global_avg_pool()",
    ],
    ROWS: [
        *grid("linear", out=(6,), bias=NO_YES),
        *grid("layer_norm", eps=("1e-5", "0.1"), affine=NO_YES),
        *grid("rms_norm", eps=("1e-6", "0.1")),
        "feature_scale()",
        "position_embedding(length=7)",
        "class_token()",
        "group_norm(groups=5)",
    ],
    VECTOR: [*grid("linear", out=(6,), bias=NO_YES), "batch_norm()", "layer_norm()", "softmax()"],
    "i64[n, 5]": ["embedding(vocabulary=7, dim=3)"],
}  # fmt: skip
SEVERAL = [
    *((f"a: {IMAGE}, b: f64[n, 4, 1, 6], c: {IMAGE}", f"(a, b, c) |> {op}()") for op in ("add", "mul", "maximum")),
    *((f"a: {IMAGE}, b: f64[n, 4, 1, 6]", f"(a, b) |> {op}()") for op in ("sub", "div")),
    ("a: f64[n, 3, 5, 4], b: f64[n, 1, 4, 6]", "(a, b) |> matmul()"),
    ("a: f64[n, 5, 4], b: f64[n, 6, 4]", "(a, b) |> matmul(transpose_b=true)"),
    (f"a: {IMAGE}, b: f64[n, 2, 7, 6]", "(a, b) |> concat()"),
    (f"a: {IMAGE}, b: f64[n, 4, 7, 1], c: {IMAGE}", "(a, b, c) |> concat(axis=-1)"),
    ("a: f64[n, 5, 8], b: f64[n, 7, 8], c: f64[n, 7, 4]", "(a, b, c) |> attention(heads=2)"),
    *((f"a: {ROWS}, b: {ROWS}, c: {ROWS}", f"(a, b, c) |> attention(heads={h}, causal=true)") for h in (1, 4)),
]
# The op, the inputs, and what is applied to them.
APPLIED = [
    (body.partition("|> ")[2].partition("(")[0], inputs, body)
    for inputs, body in [*((f"x: {kind}", f"x |> {op}") for kind, ops in UNARY.items() for op in ops), *SEVERAL]
]
OPS = {(op, inputs): [body for *key, body in APPLIED if key == [op, inputs]] for op, inputs, _ in APPLIED}
ONE_EACH = {op: (inputs, body) for op, inputs, body in reversed(APPLIED)}


def graph_of(inputs: str, body: str) -> Graph:
    """The program of one op; those without attributes are written without brackets."""
    return al.loads(f"use std.nn\nspace net({inputs}) {{ {body.replace('()', '')} }}").program().graph


@pytest.mark.parametrize(("op", "inputs"), OPS)
def test_op_computes_what_torch_does(op: str, inputs: str) -> None:
    for body in OPS[op, inputs]:
        graph = graph_of(inputs, body)
        weights, xs = random_weights(graph), arrays(graph)
        before = [x.copy() for x in xs]
        (expected,), (found,) = in_torch(graph, weights, *xs), in_numpy(graph, weights, *xs)
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape), body
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12, err_msg=body)
        assert all(np.array_equal(x, old) for x, old in zip(xs, before, strict=True)), body


@pytest.mark.parametrize("op", ONE_EACH)
def test_single_precision_stays(op: str) -> None:
    inputs, body = ONE_EACH[op]
    graph = graph_of(inputs.replace("f64", "f32"), body)
    weights = {address: value.astype(np.float32) for address, value in random_weights(graph).items()}
    xs = arrays(graph)
    (found,) = in_numpy(graph, weights, *xs)
    assert found.dtype == np.float32
    (expected,) = in_torch(graph, weights, *xs)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_every_op_of_the_torch_backend_is_here_and_tested() -> None:
    assert set(LOWERINGS.ops) == set(ONE_EACH)
    assert set(LOWERINGS.ops) == set(archlang_torch.LOWERINGS.ops) - {"swish"}


@pytest.mark.parametrize("op", ["sigmoid", "silu", "softplus", "mish", "elu", "selu", "gelu", "softmax", "log_softmax"])
def test_far_from_zero_nothing_overflows(op: str) -> None:
    """numpy's warnings are errors here."""
    graph = graph_of("x: f64[n, 3]", f"x |> {op}()")
    x = np.array([[-1e4, -30.0, -1.0], [0.0, 35.0, 1e4]])
    (expected,), (found,) = in_torch(graph, {}, x), in_numpy(graph, {}, x)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-15)


def test_a_reference_is_a_function_of_inputs_and_weights() -> None:
    (node,) = graph_of(f"x: {VECTOR}", "x |> linear(3, bias=false)").nodes
    kernel, x = np.arange(24.0).reshape(3, 8), np.ones((2, 8))
    np.testing.assert_array_equal(reference(node.operation)(x, kernel=kernel), x @ kernel.T)


@pytest.mark.parametrize(("name", "attributes", "reason"), [
    ("fourier", (), "has no lowering for op `fourier`"),
    ("relu", (("threshold", 1),), "does not know `threshold` of op `relu`"),
])  # fmt: skip
def test_what_is_no_reference(name: str, attributes: tuple[tuple[str, int], ...], reason: str) -> None:
    kind = TensorType("f64", (SymbolicDim("n"), 4))
    with pytest.raises(ArchError, match=reason) as caught:
        reference(Operation(name, attributes, (kind,), kind))
    assert caught.value.diagnostics[0].code == "E0803"
