"""Single ONNX nodes and few of them: the program computes what onnxruntime says, and has the ops that are in them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

import archlang as al

Array = np.ndarray[Any, Any]
RANDOM = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)


def ops(conversion: al.Conversion) -> list[str]:
    return [node.operation.name for node in conversion.program.graph.nodes]


def weight(*shape: int, positive: bool = False) -> Array:
    drawn = RANDOM.standard_normal(shape).astype(np.float32)
    return np.abs(drawn) + np.float32(0.5) if positive else drawn


def whole(*numbers: int) -> Array:
    return np.array(numbers, np.int64)


Node = tuple[str, Sequence[str], dict[str, Any]]


@attrs.frozen
class Case:
    """Nodes in a row, each of the first output of the one before; `consts` are what they are given besides, and
    names of no value before are optional inputs that are left out."""

    nodes: Sequence[Node]
    shape: Sequence[int | str]
    ops: Sequence[str]
    consts: dict[str, Array] = attrs.field(factory=dict)
    opset: int = 18
    dtype: int = TensorProto.FLOAT


def written(case: Case, path: Path) -> Path:
    """The file: `x` is the input, `y` the output, and `_` in a node's inputs what the one before gives."""
    nodes = []
    before = "x"
    for number, (op, inputs, attributes) in enumerate(case.nodes):
        after = "y" if number == len(case.nodes) - 1 else f"v{number}"
        given = [before if name == "_" else name for name in inputs]
        how = {name: value for name, value in attributes.items() if name != "more"}
        nodes.append(helper.make_node(op, given, [after, *attributes.get("more", [])], name=f"n{number}", **how))
        before = after
    return saved(nodes, case.shape, case.consts, path, case.opset, case.dtype)


def saved(
    nodes: Sequence[Any],
    shape: Sequence[int | str],
    consts: dict[str, Array],
    path: Path,
    opset: int = 18,
    dtype: int = TensorProto.FLOAT,
    outputs: Sequence[str] = ("y",),
) -> Path:
    graph = helper.make_graph(
        nodes,
        "case",
        [helper.make_tensor_value_info("x", dtype, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in consts.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    onnx.save(model, path)
    return path


def one(op: str, inputs: Sequence[str] = ("_",), **attributes: Any) -> list[Node]:
    return [(op, inputs, attributes)]


ANGLES = (np.arange(7)[:, None] / 10000 ** (np.arange(4) / 4)).astype(np.float32)[None]  # of positions, width 8
IMAGE = ("n", 4, 9, 9)
W = {"w": weight(6, 4, 3, 3), "b": weight(6)}

CASES: dict[str, Case] = {
    # Convolutions
    "conv": Case(one("Conv", ["_", "w", "b"], pads=[1, 1, 1, 1]), IMAGE, ["conv2d"], W),
    "conv-uneven-border": Case(one("Conv", ["_", "w"], pads=[0, 1, 2, 0]), IMAGE, ["pad", "conv2d"], W),
    "conv-same-upper": Case(
        one("Conv", ["_", "w"], auto_pad="SAME_UPPER", strides=[2, 2]), ("n", 4, 8, 8), ["pad", "conv2d"], W
    ),
    "conv-same-lower": Case(
        one("Conv", ["_", "w"], auto_pad="SAME_LOWER", strides=[2, 2]), ("n", 4, 8, 8), ["pad", "conv2d"], W
    ),
    "conv-valid": Case(one("Conv", ["_", "w"], auto_pad="VALID", dilations=[2, 2]), IMAGE, ["conv2d"], W),
    "conv-groups": Case(one("Conv", ["_", "w"], group=2), IMAGE, ["conv2d"], {"w": weight(6, 2, 3, 3)}),
    "conv-depthwise": Case(one("Conv", ["_", "w"], group=4), IMAGE, ["depthwise_conv2d"], {"w": weight(8, 1, 3, 3)}),
    "conv-rect": Case(one("Conv", ["_", "w"], pads=[0, 1, 0, 1]), IMAGE, ["conv2d_rect"], {"w": weight(6, 4, 1, 3)}),
    "conv1d": Case(one("Conv", ["_", "w"]), (1, 4, 9), ["conv1d"], {"w": weight(6, 4, 3)}),
    "conv3d": Case(one("Conv", ["_", "w"]), (2, 4, 5, 5, 5), ["conv3d"], {"w": weight(6, 4, 3, 3, 3)}),
    "conv-bias-of-zeros": Case(
        [("Conv", ["_", "w", "zeros"], {}), ("Relu", ["_"], {})],
        IMAGE,
        ["conv2d", "relu"],
        {"w": W["w"], "zeros": np.zeros(6, np.float32)},
    ),
    "conv-transposed": Case(
        one("ConvTranspose", ["_", "w"], strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1]),
        IMAGE,
        ["conv_transpose2d"],
        {"w": weight(4, 6, 3, 3)},
    ),
    "conv-transposed-same": Case(
        one("ConvTranspose", ["_", "w"], strides=[2, 2], auto_pad="SAME_UPPER"),
        IMAGE,
        ["conv_transpose2d", "slice", "slice"],
        {"w": weight(4, 6, 3, 3)},
    ),
    # Products
    "gemm": Case(one("Gemm", ["_", "w", "b"]), ("n", 5), ["linear"], {"w": weight(5, 3), "b": weight(3)}),
    "gemm-transposed": Case(
        one("Gemm", ["_", "w", "b"], transB=1), ("n", 5), ["linear"], {"w": weight(3, 5), "b": weight(1, 3)}
    ),
    "gemm-factors": Case(
        one("Gemm", ["_", "w", "b"], alpha=0.5, beta=2.0), (1, 5), ["linear"], {"w": weight(5, 3), "b": weight(3)}
    ),
    "gemm-without-bias": Case(one("Gemm", ["_", "w"], transB=1), (1, 5), ["linear"], {"w": weight(3, 5)}),
    "gemm-of-transposed": Case(
        [("Transpose", ["_"], {}), ("Gemm", ["_", "w"], {"transA": 1})], ("n", 5), ["linear"], {"w": weight(5, 3)}
    ),
    "matmul-bias": Case(
        [("MatMul", ["_", "w"], {}), ("Add", ["b", "_"], {})],
        ("n", 7, 5),
        ["linear"],
        {"w": weight(5, 3), "b": weight(3)},
    ),
    "matmul-of-itself": Case(
        [("Transpose", ["_"], {"perm": [0, 2, 1]}), ("MatMul", ["x", "_"], {})], ("n", 7, 5), ["matmul"]
    ),
    # Norms
    "batch-norm": Case(
        one("BatchNormalization", ["_", "s", "b", "m", "v"], epsilon=1e-3),
        IMAGE,
        ["batch_norm"],
        {"s": weight(4), "b": weight(4), "m": weight(4), "v": weight(4, positive=True)},
    ),
    "instance-norm": Case(
        one("InstanceNormalization", ["_", "s", "b"]),
        IMAGE,
        ["instance_norm"],
        {"s": weight(4), "b": weight(4)},
    ),
    "group-norm": Case(
        one("GroupNormalization", ["_", "s", "b"], num_groups=2),
        IMAGE,
        ["group_norm"],
        {"s": weight(4), "b": weight(4)},
        opset=21,
    ),
    "layer-norm": Case(
        one("LayerNormalization", ["_", "s", "b"], axis=2),
        ("n", 7, 5),
        ["layer_norm"],
        {"s": weight(5), "b": weight(5)},
    ),
    "layer-norm-without-bias": Case(
        one("LayerNormalization", ["_", "s"]), ("n", 7, 5), ["layer_norm", "feature_scale"], {"s": weight(5)}
    ),
    "rms-norm": Case(
        one("RMSNormalization", ["_", "s"], epsilon=1e-6), ("n", 7, 5), ["rms_norm"], {"s": weight(5)}, opset=23
    ),
    "local-response-norm": Case(one("LRN", ["_"], size=3, alpha=0.1), IMAGE, ["local_response_norm"]),
    # Pools
    "max-pool": Case(one("MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]), IMAGE, ["max_pool2d"]),
    "max-pool-of-stride-1": Case(one("MaxPool", kernel_shape=[2, 2]), IMAGE, ["max_pool2d"]),
    "max-pool-rounded-up": Case(
        one("MaxPool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1), IMAGE, ["max_pool2d"]
    ),
    "max-pool-rounded-up-by-border": Case(
        one("MaxPool", kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 1, 1]), IMAGE, ["max_pool2d"]
    ),
    "max-pool-uneven": Case(one("MaxPool", kernel_shape=[3, 3], pads=[2, 2, 0, 0]), IMAGE, ["pad", "max_pool2d"]),
    "average-pool": Case(
        one("AveragePool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]), IMAGE, ["avg_pool2d"]
    ),
    "average-pool-counted": Case(
        one("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1), IMAGE, ["avg_pool2d"]
    ),
    "average-pool-counted-uneven": Case(
        one("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 0, 0], count_include_pad=1), IMAGE, ["pad", "avg_pool2d"]
    ),
    "average-pool-rounded-up": Case(
        one("AveragePool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1), IMAGE, ["avg_pool2d"], opset=19
    ),
    "global-average-pool": Case([("GlobalAveragePool", ["_"], {}), ("Flatten", ["_"], {})], IMAGE, ["global_avg_pool"]),
    "global-max-pool": Case([("GlobalMaxPool", ["_"], {}), ("Flatten", ["_"], {})], IMAGE, ["global_max_pool"]),
    # Functions of elements
    "clip-by-attributes": Case(one("Clip", min=0.0, max=6.0), IMAGE, ["relu6"], opset=9),
    "clip-by-inputs": Case(
        one("Clip", ["_", "low", "high"]),
        IMAGE,
        ["hard_tanh"],
        {"low": np.float32(-0.5) * np.ones((), np.float32), "high": np.ones((), np.float32)},
    ),
    "clip-below": Case(one("Clip", ["_", "low"]), IMAGE, ["relu"], {"low": np.zeros((), np.float32)}),
    "clip-above-the-largest": Case(
        one("Clip", ["_", "low", "high"]),
        IMAGE,
        ["relu"],
        {"low": np.zeros((), np.float32), "high": np.array(3.4028235e38, np.float32)},
    ),
    "hard-sigmoid": Case(one("HardSigmoid", alpha=1 / 6, beta=0.5), IMAGE, ["hsigmoid"]),
    "hard-sigmoid-of-keras": Case(one("HardSigmoid"), IMAGE, ["scale", "shift", "hard_tanh"]),
    "hard-swish": Case([("HardSigmoid", ["_"], {"alpha": 1 / 6}), ("Mul", ["x", "_"], {})], IMAGE, ["hswish"]),
    "silu": Case([("Sigmoid", ["_"], {}), ("Mul", ["_", "x"], {})], IMAGE, ["silu"]),
    "mish": Case([("Softplus", ["_"], {}), ("Tanh", ["_"], {}), ("Mul", ["x", "_"], {})], IMAGE, ["mish"]),
    "gelu": Case(one("Gelu"), IMAGE, ["gelu"], opset=20),
    "gelu-by-tanh": Case(one("Gelu", approximate="tanh"), IMAGE, ["gelu"], opset=20),
    "gelu-by-erf": Case(
        [
            ("Div", ["_", "root"], {}),
            ("Erf", ["_"], {}),
            ("Add", ["_", "one"], {}),
            ("Mul", ["x", "_"], {}),
            ("Mul", ["_", "half"], {}),
        ],
        ("n", 7, 5),
        ["gelu"],
        {
            "root": np.array(np.sqrt(2), np.float32),
            "one": np.ones((), np.float32),
            "half": np.array(0.5, np.float32),
        },
    ),
    "prelu": Case(one("PRelu", ["_", "s"]), IMAGE, ["prelu"], {"s": weight(4, 1, 1)}),
    "elu": Case(one("Elu", alpha=0.5), IMAGE, ["elu"]),
    "selu": Case(one("Selu"), IMAGE, ["selu"]),
    "leaky-relu": Case(one("LeakyRelu", alpha=0.2), IMAGE, ["leaky_relu"]),
    "maximum-of-a-number": Case(one("Max", ["_", "zero"]), IMAGE, ["relu"], {"zero": np.zeros((), np.float32)}),
    "minimum": Case(
        [("Neg", ["_"], {}), ("Min", ["_", "x"], {})], IMAGE, ["scale", "scale", "scale", "maximum", "scale"]
    ),
    "softmax": Case(one("Softmax"), ("n", 7, 5), ["softmax"]),
    "softmax-of-all-at-once": Case(one("Softmax"), ("n", 7, 5), ["flatten", "softmax", "reshape"], opset=11),
    "dropout": Case([("Dropout", ["_"], {}), ("Relu", ["_"], {})], IMAGE, ["relu"]),
    "power": Case(
        [("Abs", ["_"], {}), ("Pow", ["_", "p"], {})], IMAGE, ["absolute", "power"], {"p": np.array(1.5, np.float32)}
    ),
    # Norms and attention that are written out
    "layer-norm-written-out": Case(
        [
            ("ReduceMean", ["_"], {"axes": [-1]}),
            ("Sub", ["x", "_"], {}),
            ("Pow", ["_", "two"], {}),
            ("ReduceMean", ["_"], {"axes": [-1]}),
            ("Add", ["_", "eps"], {}),
            ("Sqrt", ["_"], {}),
            ("Div", ["v1", "_"], {}),
            ("Mul", ["_", "s"], {}),
            ("Add", ["_", "b"], {}),
        ],
        ("n", 7, 5),
        ["layer_norm"],
        {"two": np.array(2, np.float32), "eps": np.array(1e-5, np.float32), "s": weight(5), "b": weight(5)},
        opset=13,
    ),
    "rms-norm-written-out": Case(
        [
            ("Mul", ["_", "_"], {}),
            ("ReduceMean", ["_"], {"axes": [-1]}),
            ("Add", ["_", "eps"], {}),
            ("Sqrt", ["_"], {}),
            ("Reciprocal", ["_"], {}),
            ("Mul", ["x", "_"], {}),
            ("Mul", ["s", "_"], {}),
        ],
        ("n", 7, 5),
        ["rms_norm"],
        {"eps": np.array(1e-6, np.float32), "s": weight(5)},
        opset=13,
    ),
    # Reductions
    "mean-by-attribute": Case(one("ReduceMean", axes=[1], keepdims=0), ("n", 7, 5), ["mean"], opset=13),
    "mean-by-input": Case(one("ReduceMean", ["_", "axes"], keepdims=0), ("n", 7, 5), ["mean"], {"axes": whole(1)}),
    "mean-of-an-image": Case(
        one("ReduceMean", ["_", "axes"], keepdims=0), IMAGE, ["global_avg_pool"], {"axes": whole(2, 3)}
    ),
    "sum": Case(one("ReduceSum", ["_", "axes"]), ("n", 7, 5), ["mean", "scale"], {"axes": whole(-1)}),
    "largest": Case(one("ReduceMax", ["_", "axes"]), ("n", 7, 5), ["max_reduce"], {"axes": whole(1)}),
    "length": Case(
        one("ReduceL2", ["_", "axes"]), ("n", 7, 5), ["square", "mean", "scale", "power"], {"axes": whole(2)}
    ),
    # Views
    "squeeze-by-attribute": Case(
        [("Unsqueeze", ["_"], {"axes": [1]}), ("Squeeze", ["_"], {"axes": [1]}), ("Relu", ["_"], {})],
        ("n", 7, 5),
        ["relu"],
        opset=11,
    ),
    "squeeze-by-input": Case(
        [("Unsqueeze", ["_", "a"], {}), ("Squeeze", ["_", "a"], {}), ("Relu", ["_"], {})],
        ("n", 7, 5),
        ["relu"],
        {"a": whole(1)},
    ),
    "slice-by-attributes": Case(one("Slice", axes=[1], starts=[1], ends=[-1]), ("n", 7, 5), ["slice"], opset=9),
    "slice-by-inputs": Case(
        one("Slice", ["_", "s", "e", "a", "t"]),
        ("n", 7, 5),
        ["slice"],
        {"s": whole(0), "e": whole(2**62), "a": whole(1), "t": whole(2)},
    ),
    "split-by-attribute": Case(one("Split", axis=1, split=[3, 4], more=["z"]), ("n", 7, 5), ["slice"], opset=11),
    "split-by-input": Case(one("Split", ["_", "s"], axis=1, more=["z"]), ("n", 7, 5), ["slice"], {"s": whole(3, 4)}),
    "split-evenly": Case(one("Split", axis=2, num_outputs=2, more=["z"]), ("n", 7, 5), ["slice"]),
    "gather-one": Case(one("Gather", ["_", "i"], axis=1), ("n", 7, 5), ["slice", "flatten"], {"i": np.array(-1)}),
    "gather-some": Case(one("Gather", ["_", "i"], axis=2), ("n", 7, 5), ["slice"], {"i": whole(1, 2)}),
    "pad-by-attribute": Case(one("Pad", pads=[0, 0, 0, 0, 1, 2], value=1.5), ("n", 7, 5), ["pad"], opset=9),
    "pad-by-inputs": Case(
        one("Pad", ["_", "p", "v", "a"]),
        ("n", 7, 5),
        ["pad"],
        {"p": whole(1, 2), "v": np.array(0.5, np.float32), "a": whole(-1)},
        opset=19,
    ),
    "roll": Case(
        [
            ("Slice", ["x", "two", "end", "axis"], {}),
            ("Slice", ["x", "zero", "two", "axis"], {}),
            ("Concat", ["v0", "v1"], {"axis": 1}),
        ],
        ("n", 7, 5),
        ["roll"],
        {"zero": whole(0), "two": whole(2), "end": whole(2**62), "axis": whole(1)},
    ),
    "depth-to-space-crd": Case(one("DepthToSpace", blocksize=2, mode="CRD"), IMAGE, ["pixel_shuffle"]),
    "depth-to-space": Case(one("DepthToSpace", blocksize=2), ("n", 8, 3, 3), ["reshape", "permute", "reshape"], {}),
    "space-to-depth": Case(one("SpaceToDepth", blocksize=3), IMAGE, ["reshape", "permute", "reshape"]),
    "resize-nearest": Case(
        one(
            "Resize", ["_", "", "f"], mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"
        ),
        IMAGE,
        ["upsample"],
        {"f": np.array([1, 1, 2, 2], np.float32)},
    ),
    "resize-nearest-to-sizes": Case(
        one("Resize", ["_", "", "", "s"], mode="nearest"), (1, 4, 3, 3), ["upsample"], {"s": whole(1, 4, 9, 9)}
    ),
    "resize-linear": Case(
        one("Resize", ["_", "", "f"], mode="linear"), IMAGE, ["upsample"], {"f": np.array([1, 1, 2, 2], np.float32)}
    ),
    "upsample": Case(one("Upsample", ["_", "f"]), IMAGE, ["upsample"], {"f": np.array([1, 1, 2, 2], np.float32)}, 9),
    # Sizes for one sample are those of any number
    "one-sample": Case(
        [
            ("Reshape", ["_", "a"], {}),
            ("Transpose", ["_"], {"perm": [1, 2, 0, 3]}),
            ("Reshape", ["_", "b"], {}),
            ("Transpose", ["_"], {"perm": [1, 0, 2]}),
            ("MatMul", ["_", "w"], {}),
        ],
        (1, 6, 4),
        ["linear"],
        {"a": whole(1, 2, 3, 4), "b": whole(-1, 1, 4), "w": weight(4, 2)},
    ),
    "sizes-worked-out": Case(
        [
            ("Shape", ["_"], {}),
            ("Gather", ["_", "zero"], {}),
            ("Concat", ["_", "rest"], {"axis": 0}),
            ("Reshape", ["x", "_"], {}),
            ("MatMul", ["_", "w"], {}),
        ],
        ("n", 2, 3, 4),
        ["reshape", "linear"],
        {"zero": whole(0), "rest": whole(6, 4), "w": weight(4, 2)},
    ),
    # Tokens
    "embedding": Case(
        [("Gather", ["w", "_"], {})], ("n", 5), ["embedding"], {"w": weight(9, 4)}, dtype=TensorProto.INT64
    ),
    "embedding-of-short-numbers": Case(
        [("Cast", ["_"], {"to": TensorProto.INT64}), ("Gather", ["w", "_"], {})],
        (1, 5),
        ["embedding"],
        {"w": weight(9, 4)},
        dtype=TensorProto.INT32,
    ),
}

for _op, _gates, _name in (("LSTM", 4, "lstm"), ("GRU", 3, "gru")):
    for _direction in ("forward", "reverse", "bidirectional"):
        _count = 1 + (_direction == "bidirectional")
        _more = {"linear_before_reset": 1} if _op == "GRU" else {}
        CASES[f"{_name}-{_direction}"] = Case(
            [
                ("Transpose", ["_"], {"perm": [1, 0, 2]}),
                (_op, ["_", "w", "r", "b"], {"direction": _direction, "hidden_size": 3, **_more}),
                ("Transpose", ["_"], {"perm": [2, 0, 1, 3]}),
                ("Reshape", ["_", "shape"], {}),
            ],
            ("n", 7, 5),
            [_name] * _count + ["concat"] * (_count - 1),
            {
                "w": weight(_count, _gates * 3, 5),
                "r": weight(_count, _gates * 3, 3),
                "b": weight(_count, _gates * 6),
                "shape": whole(0, 0, -1),
            },
        )
    CASES[f"{_name}-last"] = Case(
        [
            (_op, ["_", "w", "r"], {"hidden_size": 3, "more": ["h"], "layout": 1, **_more}),
            ("Relu", ["h"], {}),
            ("Squeeze", ["_", "one"], {}),
        ],
        (1, 7, 5),
        [_name, "slice", "relu", "flatten"],
        {"w": weight(1, _gates * 3, 5), "r": weight(1, _gates * 3, 3), "one": whole(1)},
    )


SPLIT = ["permute", "flatten", "attention", "reshape", "permute"]
HEADS = ("n", 4, 7, 6)
CASES |= {
    "attention": Case(one("Attention", ["x", "x", "x"]), HEADS, SPLIT, opset=23),
    "attention-causal": Case(
        one("Attention", ["x", "x", "x"], is_causal=1, scale=0.3),
        HEADS,
        [*SPLIT, "scale"],
        opset=23,
    ),
    "attention-of-joined-heads": Case(
        one("Attention", ["x", "x", "x"], q_num_heads=2, kv_num_heads=2), ("n", 7, 6), ["attention"], opset=23
    ),
    "attention-with-a-mask": Case(
        one("Attention", ["x", "x", "x", "m"]), HEADS, SPLIT, {"m": np.tril(np.ones((7, 7), np.bool_))}, opset=23
    ),
    "rotary": Case(
        one("RotaryEmbedding", ["x", "cos", "sin"], num_heads=2),
        (1, 7, 16),
        ["rotary"],
        {"cos": np.cos(ANGLES), "sin": np.sin(ANGLES)},
        opset=23,
    ),
    "rotary-by-positions": Case(
        one("RotaryEmbedding", ["_", "cos", "sin", "at"]),
        (1, 2, 7, 8),
        ["permute", "flatten", "rotary", "reshape", "permute"],
        {"cos": np.cos(ANGLES[0]), "sin": np.sin(ANGLES[0]), "at": np.arange(7)[None]},
        opset=23,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_nodes(name: str, tmp_path: Path) -> None:
    found = al.convert(written(CASES[name], tmp_path / "case.onnx"))
    assert sorted(ops(found)) == sorted(CASES[name].ops)
    assert found.relative <= 1e-5
