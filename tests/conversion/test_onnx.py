"""ONNX files converted: the program computes what onnxruntime says the file does, and has the ops that are in it."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

import archlang as al
from tests.conversion.models import Mobile, Recurrent, ResNet, Results, Twice, UNet, ViT, Windows, randomised
from tests.conversion.zoo import SMALL, WHOLE, Make

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
        [*SPLIT, "scale", "permute", "flatten"],
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


# ---------------------------------------------------------------- what exporters write


def exported(model: nn.Module, x: torch.Tensor, path: Path, kind: str) -> Path:
    """The file that PyTorch's newer or older exporter makes, `free` for any number of samples, or `whole` without
    norms put into convolutions."""
    free = "free" in kind
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = logging.root.manager.disable
        logging.disable(logging.WARNING)
        try:
            if kind.startswith("new"):
                torch.onnx.export(
                    model,
                    (x,),
                    path,
                    dynamo=True,
                    verbose=False,
                    optimize="whole" not in kind,
                    dynamic_shapes=({0: torch.export.Dim.DYNAMIC},) if free else None,
                )
            else:
                whole = "whole" in kind
                torch.onnx.export(
                    model,
                    (x,),
                    path,
                    dynamo=False,
                    input_names=["x"],
                    do_constant_folding=not whole,
                    training=torch.onnx.TrainingMode.PRESERVE if whole else torch.onnx.TrainingMode.EVAL,
                    dynamic_axes={"x": {0: "batch"}} if free else None,
                )
        finally:
            logging.disable(before)
    return path


EXHAUSTIVE = pytest.mark.exhaustive
SAMPLE = ["new-free", "old", "old-whole"]
KINDS = ["new", "new-free", "new-whole", "old", "old-free", "old-whole"]
FAMILIES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], Sequence[str]]] = {
    # what the exporters keep as it was: all, or what they write without putting norms into convolutions
    "resnet": (ResNet, (3, 32, 32), ["new-whole", "old-whole"]),
    "mobile": (Mobile, (3, 16, 16), KINDS),
    "unet": (UNet, (3, 16, 16), KINDS),
    "vit": (ViT, (3, 16, 16), ["new-whole", "old", "old-whole"]),  # others make equal weights one
    "vit-written-out": (lambda: ViT(fused=False), (3, 16, 16), ["new-whole", "old", "old-whole"]),
    "swin": (Windows, (8, 4, 4), KINDS),
    "recurrent": (Recurrent, (7, 4), []),  # fewer ops: nothing is stacked that is taken apart again
}
# What they write that is no model: values that are given twice, and a number of samples in a file for any.
WRONG = {("swin", "new-whole"): "not valid", ("vit", "old-free"): "run for", ("vit-written-out", "old-free"): "run for"}


@pytest.mark.parametrize("kind", [kind if kind in SAMPLE else pytest.param(kind, marks=EXHAUSTIVE) for kind in KINDS])
@pytest.mark.parametrize("family", FAMILIES)
def test_families(family: str, kind: str, tmp_path: Path) -> None:
    make, shape, same = FAMILIES[family]
    model = randomised(make())
    x = torch.randn(2 if "free" in kind else 1, *shape)
    path = exported(model, x, tmp_path / "net.onnx", kind)
    if (family, kind) in WRONG:
        with pytest.raises(al.ArchError, match=WRONG[family, kind]):
            al.convert(path)
        return
    found, expected = al.convert(path), al.convert(model, x)
    assert found.relative <= 1e-5
    assert len(ops(found)) <= len(ops(expected))
    assert (found.program.canonical_hash == expected.program.canonical_hash) == (kind in same)
    again = torch.randn(3, *shape)
    with torch.no_grad():
        made, wanted = found.program.build("torch").eval()(again), model(again)
    for ours, theirs in zip(made.values(), wanted, strict=True) if isinstance(made, dict) else [(made, wanted)]:
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def bare(model: nn.Module) -> nn.Module:
    """The model with its first result alone, as a file has it, and without the caches that generation uses."""
    config: Any = getattr(model, "config", None)
    if not hasattr(config, "use_cache") and not hasattr(config, "vocab_size"):
        return model
    config.use_cache = False
    kind = type(model)

    def forward(self: nn.Module, tokens: torch.Tensor) -> torch.Tensor:
        found = kind.forward(self, input_ids=tokens)
        return next(iter(found.values()))

    model.__class__ = type(kind.__name__, (kind,), {"forward": forward, "__module__": kind.__module__})
    return model


# Ops that PyTorch's older exporter does not know are in the last two.
SMALLER = [("resnet18", "old-whole"), ("roberta", "old"), ("gpt2", "new-free"), ("llama", "new-free")]
OLDER = [(name, kind) for name in WHOLE if name not in ("gpt2", "llama-160m") for kind in ("old", "old-whole")]
PUBLISHED = [*OLDER, *((name, kind) for name in WHOLE for kind in ("new", "new-free"))]


@pytest.mark.parametrize(("name", "kind"), SMALLER)
def test_small_models(name: str, kind: str, tmp_path: Path) -> None:
    check(SMALL[name], kind, tmp_path / "net.onnx")


@pytest.mark.exhaustive
@pytest.mark.parametrize(("name", "kind"), PUBLISHED)
def test_published_models(name: str, kind: str, tmp_path: Path) -> None:
    check(WHOLE[name], kind, tmp_path / "net.onnx")


def check(make: Make, kind: str, path: Path) -> None:
    """A file of a model is the program that the model is."""
    made, x = make()
    model = bare(randomised(made))
    exported(model, x.expand(2, *x.shape[1:]) if "free" in kind else x, path, kind)
    found, expected = al.convert(path), al.convert(model, x)
    assert found.relative <= 1e-4
    norms = ops(expected).count("batch_norm") - ops(found).count("batch_norm")
    assert len(ops(found)) <= len(ops(expected)) - norms
    # Norms that are put into convolutions are other ops; scales of one number are no parameters; what is worked out
    # with more digits than a file's floats have is another attribute; and what is joined twice may be joined once.
    odd = ("ConvNeXt",) if not kind.endswith("whole") else ()
    if not norms and type(model).__name__ not in (*odd, "SwinTransformer", "InceptionV3"):
        assert found.program.canonical_hash == expected.program.canonical_hash
    if type(model).__name__ == "ResNet":
        assert found.text.count("\n") < 30


@pytest.mark.parametrize("kind", KINDS)
def test_tied_weights(kind: str, tmp_path: Path) -> None:
    model = Twice()
    found = al.convert(exported(model, torch.zeros(2, 7, dtype=torch.int64), tmp_path / "net.onnx", kind))
    assert found.params == found.model_params == 11 * 6 + 42
    assert ops(found) == ["embedding", "linear", "tanh", "linear", "unembedding"]


def test_several_outputs(tmp_path: Path) -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Results()

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            found = self.inner(x[:, :4], x[:, 4:])
            return found["first"], found["others"][1]

    model = Both()
    path = exported(model, torch.randn(1, 10), tmp_path / "net.onnx", "old")
    found = al.convert(path)
    made = found.program.build("torch")(torch.ones(2, 10))
    names = [output.name for output in onnx.load(path).graph.output]
    assert names[0].isdigit()  # which no name of a program is
    assert next(iter(made)) == f"output_{names[0]}"
    for ours, theirs in zip(made.values(), model(torch.ones(2, 10)), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_the_text_has_the_modules(tmp_path: Path) -> None:
    texts = {}
    for kind in ("new-whole", "old-whole"):
        texts[kind] = al.convert(
            exported(randomised(ResNet()), torch.randn(1, 3, 32, 32), tmp_path / "n.onnx", kind)
        ).text
    for text in texts.values():
        assert "use std.blocks: basic_block, conv_bn" in text
        assert "space n(x: f32[n, 3, 32, 32]) -> [n, 5] {" in text
    folded = al.convert(exported(randomised(ResNet()), torch.randn(1, 3, 32, 32), tmp_path / "n.onnx", "new")).text
    assert "block residual(x: [n, c, h, w])" in folded


def test_a_program_comes_back(tmp_path: Path) -> None:
    program = al.loads("""
        use std.nn
        use std.blocks: transformer_encoder, basic_block

        space s(x: f32[n, 3, 16, 16]) -> [n, 5] {
          x |> conv2d(8) |> batch_norm |> relu |> channel_shuffle(2) |> max_pool2d(stride=2)
            |> repeat(2, basic_block(8)) |> flatten(start=2) |> permute([0, 2, 1])
            |> repeat(2, transformer_encoder(2)) |> mean(1) |> linear(5)
        }
    """).program()
    network = program.build("torch", seed=3)
    program.export_onnx(network, tmp_path / "net.onnx")
    found = al.convert(tmp_path / "net.onnx", name="s")
    assert found.program.canonical_hash == program.canonical_hash
    assert "repeat(2, transformer_encoder(2))" in found.text
    assert found.params == found.model_params == program.cost().params
    x = torch.randn(3, 3, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(found.program.build("torch").eval()(x), network.eval()(x))


# ---------------------------------------------------------------- what is asked for, and what is wrong


def test_sizes_that_a_file_leaves_free(tmp_path: Path) -> None:
    path = written(Case([("MatMul", ["_", "w"], {})], ("n", "tokens", 5), [], {"w": weight(5, 3)}), tmp_path / "t.onnx")
    with pytest.raises(al.ArchError, match=r"leaves free: f32\[n, tokens, 5\](.|\n)*1,128,5"):
        al.convert(path)
    found = al.convert(path, np.zeros((1, 9, 5), np.float32))
    assert found.program.graph.inputs[0].type.shape[1:] == (9, 5)
    with pytest.raises(al.ArchError, match="E0810"):
        al.convert(path, np.zeros((1, 9, 4), np.float32))


def test_files_for_several_samples(tmp_path: Path) -> None:
    case = Case([("Reshape", ["_", "s"], {}), ("Softmax", ["_"], {})], (4, 6), [], {"s": whole(4, 2, 3)})
    found = al.convert(written(case, tmp_path / "four.onnx"))
    assert ops(found) == ["reshape", "softmax"]
    assert [trial.samples for trial in found.trials] == [4, 3]


def test_what_the_file_holds_is_counted(tmp_path: Path) -> None:
    case = Case(
        [("MatMul", ["_", "w"], {}), ("Add", ["_", "w2"], {}), ("Mul", ["_", "factor"], {})],
        ("n", 4),
        [],
        {"w": weight(4, 3), "w2": weight(3), "unused": weight(7), "factor": np.array(2, np.float32)},
    )
    found = al.convert(written(case, tmp_path / "net.onnx"))
    assert found.params == found.model_params == 15
    assert ops(found) == ["linear", "scale"]
    assert any("onnxruntime" in note for note in found.notes)


def test_a_branch_that_nothing_decides(tmp_path: Path) -> None:
    branches = {}
    for name, op in (("then_branch", "Relu"), ("else_branch", "Tanh")):
        made = helper.make_tensor_value_info(f"{name}_y", TensorProto.FLOAT, None)
        branches[name] = helper.make_graph([helper.make_node(op, ["x"], [f"{name}_y"])], name, [], [made])
    nodes = [helper.make_node("If", ["no"], ["y"], name="branch", **branches)]
    found = al.convert(saved(nodes, ("n", 4), {"no": np.array(False)}, tmp_path / "if.onnx"))
    assert ops(found) == ["tanh"]
    decided = [helper.make_node("Cast", ["x"], ["no"], to=TensorProto.BOOL), *nodes]
    with pytest.raises(al.ArchError, match="E0811") as refused:
        al.convert(saved(decided, ("n", 4), {}, tmp_path / "decided.onnx"))
    assert "made another type" in str(refused.value)


def test_all_that_has_no_op_is_told(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Sin", ["x"], ["a"], name="wave"),
        helper.make_node("Sin", ["a"], ["b"], name="of what is not there"),
        helper.make_node("Sin", ["x"], ["c"], name="wave again"),
        helper.make_node("Erf", ["x"], ["d"], name="curve"),
        helper.make_node("NonZero", ["x"], ["e"], name="places"),
        helper.make_node("Gelu", ["x"], ["f"], name="another", domain="com.microsoft"),
        helper.make_node("Concat", ["b", "c", "d"], ["g"], axis=1),
        helper.make_node("Relu", ["d"], ["y"], name="last"),
    ]
    path = saved(nodes, ("n", 4), {}, tmp_path / "odd.onnx")
    model = onnx.load(path)
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    onnx.save(model, path)
    with pytest.raises(al.ArchError) as refused:
        al.convert(path)
    text = str(refused.value)
    assert {found.code for found in refused.value.diagnostics} == {"E0811"}
    assert [found.message for found in refused.value.diagnostics] == [
        "the file holds `Sin`, for which there is no op",
        "the file holds `NonZero`, for which there is no op",
        "the file holds `Gelu` of the domain `com.microsoft`, whose meaning ONNX does not define",
        "the file holds `Erf`, for which there is no op",
    ]
    assert "`wave`, `wave again`" in text
    assert "not there" not in text


def test_loops_are_refused(tmp_path: Path) -> None:
    body = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["c2"]), helper.make_node("Relu", ["v"], ["v2"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("c", TensorProto.BOOL, []),
            helper.make_tensor_value_info("v", TensorProto.FLOAT, ["n", 4]),
        ],
        [
            helper.make_tensor_value_info("c2", TensorProto.BOOL, []),
            helper.make_tensor_value_info("v2", TensorProto.FLOAT, ["n", 4]),
        ],
    )
    nodes = [helper.make_node("Loop", ["three", "yes", "x"], ["y"], name="around", body=body)]
    consts = {"three": np.array(3), "yes": np.array(True)}
    with pytest.raises(al.ArchError, match=r"`Loop`, which repeats(.|\n)*`around`"):
        al.convert(saved(nodes, ("n", 4), consts, tmp_path / "loop.onnx"))


REFUSED: dict[str, tuple[Case, str]] = {
    "a sample of the batch": (Case(one("Gather", ["_", "i"]), (1, 4, 5), [], {"i": np.array(0)}), "along the batch"),
    "the batch taken away": (Case(one("Squeeze", ["_", "i"]), (1, 4), [], {"i": whole(0)}), "takes the batch away"),
    "the batch joined": (Case(one("Reshape", ["_", "s"]), (1, 4), [], {"s": whole(4)}), "the output `y`"),
    "over the batch": (Case(one("ReduceMean", keepdims=1), ("n", 4), []), "over all dimensions"),
    "a rounded size": (
        Case(one("Resize", ["_", "", "f"]), IMAGE, [], {"f": np.array([1, 1, 1.5, 1.5], np.float32)}),
        "a whole factor",
    ),
    "another reset": (
        Case(one("GRU", ["_", "w", "r"], hidden_size=3), (2, 7, 5), [], {"w": weight(1, 9, 5), "r": weight(1, 9, 3)}),
        "a reset before",
    ),
    "a mask of training": (
        Case([("Dropout", ["_"], {"more": ["m"]}), ("Cast", ["m"], {"to": TensorProto.FLOAT})], ("n", 4), []),
        "mask is used",
    ),
    "a kernel that is computed": (Case(one("Conv", ["x", "x"]), (1, 1, 3, 3), []), "a kernel that is computed"),
    "random numbers": (Case([("RandomNormalLike", ["_"], {}), ("Add", ["x", "_"], {})], ("n", 4), []), "random"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str, tmp_path: Path) -> None:
    case, message = REFUSED[name]
    with pytest.raises(al.ArchError, match=message) as refused:
        al.convert(written(case, tmp_path / "case.onnx"))
    assert {found.code for found in refused.value.diagnostics} == {"E0811"}


def test_files_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    with pytest.raises(al.ArchError, match=r"E0809.*there is no file"):
        al.convert(path)
    for content in (b"", b"PK\x03\x04 is another kind", b"version https://git-lfs.github.com/spec/v1\n"):
        path.write_bytes(content)
        with pytest.raises(al.ArchError, match=r"E0809.*is no ONNX file"):
            al.convert(path)
    written(CASES["conv"], path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(al.ArchError, match="E0809"):
        al.convert(path)
    saved([helper.make_node("Relu", ["nothing"], ["y"])], ("n", 4), {}, path)
    with pytest.raises(al.ArchError, match=r"E0809.*is not valid ONNX"):
        al.convert(path)


INVALID: dict[str, Case] = {
    "a kernel of other channels": Case(one("Conv", ["_", "w"]), ("n", 3, 9, 9), [], W),
    "an axis that is not there": Case(one("Gather", ["_", "i"], axis=7), ("n", 4), [], {"i": whole(0)}),
    "a matrix of another size": Case(one("MatMul", ["_", "w"]), ("n", 4), [], {"w": weight(5, 3)}),
    "an order of other dimensions": Case(one("Transpose", perm=[0, 1, 2]), ("n", 4), []),
    "a bias of another size": Case(one("Conv", ["_", "w", "b"]), IMAGE, [], {"w": W["w"], "b": weight(5)}),
    "a norm of other channels": Case(
        one("BatchNormalization", ["_", "s", "s", "s", "s"]), IMAGE, [], {"s": weight(3, positive=True)}
    ),
}


@pytest.mark.parametrize("name", INVALID)
def test_shapes_that_do_not_fit(name: str, tmp_path: Path) -> None:
    with pytest.raises(al.ArchError, match=r"E0809.*is not valid ONNX"):
        al.convert(written(INVALID[name], tmp_path / "net.onnx"))


def test_weights_beside_a_file(tmp_path: Path) -> None:
    path = written(CASES["gemm"], tmp_path / "net.onnx")
    model = onnx.load(path)
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert al.convert(path).params == 18
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(al.ArchError, match=r"E0809.*cannot be read"):
        al.convert(path)


def test_without_onnxruntime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    found = al.convert(written(CASES["gemm"], tmp_path / "net.onnx"))
    assert any("reference evaluator" in note for note in found.notes)


def test_without_onnx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(al.ArchError, match=r"E0801.*reading ONNX files needs `onnx`(.|\n)*archlang\[onnx\]"):
        al.convert(tmp_path / "net.onnx")
