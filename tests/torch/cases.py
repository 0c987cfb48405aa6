"""Cases of every lowered op: how it is applied, and what it computes."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import attrs
import numpy as np
from archlang_numpy import reference
from numpy.typing import NDArray

from archlang.ir.graph import Graph, WeightSpec
from tests.graphs import BATCH, Sketch
from tests.torch.references import attended, gated, rounded, scanned, turned, with_buckets, with_offsets

Array = NDArray[Any]
N = 3


@attrs.frozen(kw_only=True)
class Case:
    """`inputs` and `output` are shapes without the batch, or `rows` where an output has none; `dtype`
    is that of all inputs, or each; integers are `below` one. `definition(*xs, **weights)` is the op
    in evaluation mode written one element at a time, for ops that frameworks do not have by themselves."""

    op: str
    inputs: tuple[tuple[int, ...], ...]
    output: tuple[int, ...]
    rows: int | None = None
    weights: tuple[WeightSpec, ...] = ()
    attributes: dict[str, Any] = attrs.field(factory=dict)
    dtype: str | tuple[str, ...] = "f64"
    below: int = 7
    result: str = "f64"
    name: str = ""
    definition: Callable[..., Array] | None = None

    def graph(self) -> Graph:
        sketch = Sketch("sample")
        typed = enumerate(zip(self.inputs, self.dtypes, strict=True))
        xs = [sketch.input(f"x{i}", *shape, dtype=dtype) for i, (shape, dtype) in typed]
        shape = (self.rows or BATCH, *self.output)
        made = sketch.apply(self.op, *xs, output=shape, weights=self.weights, dtype=self.result, **self.attributes)
        return sketch.graph(made)

    def arrays(self) -> list[Array]:
        draw = np.random.default_rng(0)
        return [
            draw.integers(0, self.below, (N, *shape)) if dtype == "i64" else draw.normal(size=(N, *shape))
            for shape, dtype in zip(self.inputs, self.dtypes, strict=True)
        ]

    @property
    def reference(self) -> Callable[..., Array]:
        """The op as numpy's function of inputs and weights, in evaluation mode."""
        (node,) = self.graph().nodes
        return reference(node.operation)

    @property
    def dtypes(self) -> tuple[str, ...]:
        return (self.dtype,) * len(self.inputs) if isinstance(self.dtype, str) else self.dtype

    def __str__(self) -> str:
        return self.name or self.op


def weight(name: str, *shape: int, trained: bool = True) -> WeightSpec:
    """A weight that starts with random values, so that a reference can tell it from its default."""
    low = 0.5 if name == "variance" else -1.0
    return WeightSpec(name, shape, ("uniform", low, 1.0), trained, math.prod(shape[1:]))


def conv(kernel: int, stride: int = 1, dilation: int = 1, padding: int | None = None, **more: Any) -> dict[str, Any]:
    padding = dilation * (kernel - 1) // 2 if padding is None else padding
    return {"kernel": kernel, "stride": stride, "dilation": dilation, "padding": padding, **more}


IMAGE = (4, 6, 5)


def elementwise(op: str, **attributes: Any) -> Case:
    name = f"{op}-{'-'.join(map(str, attributes.values()))}" if attributes else op
    return Case(op=op, inputs=(IMAGE,), output=IMAGE, attributes=attributes, name=name)


def gates(count: int) -> tuple[WeightSpec, ...]:
    """The weights of a recurrent layer with `count` gates of 6 units on tokens of 4 elements."""
    rows = count * 6
    biases = weight("input_bias", rows), weight("recurrent_bias", rows)
    return (weight("recurrent_kernel", rows, 6), weight("input_kernel", rows, 4), *biases)


def rounding(weight_bits: int, weight_exponent: int, input_bits: int, per_channel: bool) -> dict[str, Any]:
    """How a layer rounds; the inputs to integers."""
    return {"weight_bits": weight_bits, "input_bits": input_bits, "weight_exponent": weight_exponent,
            "input_exponent": 0, "input_signed": True, "per_channel": per_channel}  # fmt: skip


CASES = [
    elementwise("identity"),
    elementwise("relu"),
    elementwise("relu6"),
    elementwise("leaky_relu", slope=0.2),
    elementwise("elu", alpha=0.5),
    elementwise("selu"),
    elementwise("gelu", approximate=False),
    elementwise("gelu", approximate=True),
    elementwise("silu"),
    elementwise("sigmoid"),
    elementwise("tanh"),
    elementwise("hswish"),
    elementwise("hsigmoid"),
    elementwise("hard_tanh", low=-0.5, high=2.0),
    elementwise("absolute"),
    elementwise("square"),
    elementwise("softplus"),
    elementwise("mish"),
    elementwise("softmax", axis=1),
    elementwise("log_softmax", axis=-1),
    elementwise("scale", factor=2.5),
    elementwise("shift", amount=-2.5),
    elementwise("roll", axis=-1, amount=2),
    elementwise("roll", axis=2, amount=-1),
    elementwise("dropout", rate=0.5),
    elementwise("drop_path", rate=0.5),
    elementwise("zero", stride=1),
    elementwise("channel_shuffle", groups=2),
    Case(op="zero", inputs=((4, 5, 6),), output=(4, 3, 3), attributes={"stride": 2}, name="zero-2"),
    Case(op="prelu", inputs=(IMAGE,), output=IMAGE, attributes={"shared": False}, weights=(weight("slope", 4),)),
    Case(op="prelu", inputs=(IMAGE,), output=IMAGE, attributes={"shared": True}, weights=(weight("slope", 1),),
         name="prelu-shared"),
    Case(op="conv1d", inputs=((4, 9),), output=(6, 5), weights=(weight("kernel", 6, 4, 3), weight("bias", 6)),
         attributes={"out": 6, "groups": 1, "bias": True, **conv(3, 2)}),
    Case(op="conv2d", inputs=((4, 9, 8),), output=(6, 5, 4), weights=(weight("kernel", 6, 4, 3, 3),),
         attributes={"out": 6, "groups": 1, "bias": False, **conv(3, 2)}),
    Case(op="conv2d", inputs=((4, 9, 8),), output=(6, 5, 4), name="conv2d-dilated",
         weights=(weight("kernel", 6, 4, 3, 3), weight("bias", 6)),
         attributes={"out": 6, "groups": 1, "bias": True, **conv(3, 1, 2, 0)}),
    Case(op="conv2d", inputs=((4, 7, 8),), output=(6, 7, 8), name="conv2d-grouped",
         weights=(weight("kernel", 6, 2, 3, 3),), attributes={"out": 6, "groups": 2, "bias": False, **conv(3)}),
    Case(op="conv2d_rect", inputs=((4, 9, 8),), output=(6, 9, 4), weights=(weight("kernel", 6, 4, 1, 5),),
         attributes={"out": 6, "kernel": (1, 5), "stride": (1, 2), "dilation": (1, 1), "groups": 1, "bias": False,
                     "padding": (0, 2)}),
    Case(op="conv2d_rect", inputs=((4, 9, 8),), output=(6, 3, 9), name="conv2d_rect-dilated",
         weights=(weight("kernel", 6, 4, 3, 2), weight("bias", 6)),
         attributes={"out": 6, "kernel": (3, 2), "stride": (2, 1), "dilation": (2, 1), "groups": 1, "bias": True,
                     "padding": (0, 1)}),
    Case(op="conv3d", inputs=((2, 4, 5, 6),), output=(3, 4, 5, 6), weights=(weight("kernel", 3, 2, 3, 3, 3),),
         attributes={"out": 3, "groups": 1, "bias": False, **conv(3)}),
    Case(op="depthwise_conv2d", inputs=(IMAGE,), output=(8, 6, 5), weights=(weight("kernel", 8, 1, 5, 5),),
         attributes={"multiplier": 2, "bias": False, **conv(5)}),
    Case(op="conv_transpose2d", inputs=((4, 3, 5),), output=(6, 6, 10), weights=(weight("kernel", 4, 6, 3, 3),),
         attributes={"out": 6, "groups": 1, "bias": False, "kernel": 3, "stride": 2, "padding": 1,
                     "output_padding": 1}),
    Case(op="conv_transpose1d", inputs=((4, 5),), output=(6, 10), weights=(weight("kernel", 4, 6, 3),),
         attributes={"out": 6, "groups": 1, "bias": False, "kernel": 3, "stride": 2, "padding": 1,
                     "output_padding": 1}),
    Case(op="linear", inputs=((5, 4),), output=(5, 6), weights=(weight("kernel", 6, 4), weight("bias", 6)),
         attributes={"out": 6, "bias": True}),
    Case(op="linear", inputs=((4,),), output=(6,), weights=(weight("kernel", 6, 4),), name="linear-no-bias",
         attributes={"out": 6, "bias": False}),
    *[
        Case(op="batch_norm", inputs=((4, *rest),), output=(4, *rest),
             name=f"batch_norm-{rest}", attributes={"momentum": 0.1, "eps": 1e-5, "affine": affine},
             weights=((weight("scale", 4), weight("bias", 4)) if affine else ())
             + (weight("mean", 4, trained=False), weight("variance", 4, trained=False)))
        for rest, affine in (((), True), ((5,), False), ((5, 6), True), ((3, 2, 4), True))
    ],
    Case(op="layer_norm", inputs=((5, 4),), output=(5, 4), weights=(weight("scale", 4), weight("bias", 4)),
         attributes={"eps": 1e-5, "affine": True}),
    Case(op="layer_norm", inputs=((5, 4),), output=(5, 4), name="layer_norm-plain",
         attributes={"eps": 1e-5, "affine": False}),
    Case(op="rms_norm", inputs=((5, 4),), output=(5, 4), weights=(weight("scale", 4),), attributes={"eps": 1e-6}),
    Case(op="group_norm", inputs=(IMAGE,), output=IMAGE, weights=(weight("scale", 4), weight("bias", 4)),
         attributes={"groups": 2, "eps": 1e-5, "affine": True}),
    Case(op="instance_norm", inputs=(IMAGE,), output=IMAGE, attributes={"eps": 1e-5, "affine": False}),
    Case(op="local_response_norm", inputs=((7, 3, 2),), output=(7, 3, 2),
         attributes={"size": 4, "alpha": 0.3, "beta": 0.75, "k": 2.0}),
    Case(op="channel_scale", inputs=(IMAGE,), output=IMAGE, attributes={"init": 0.5}, weights=(weight("scale", 4),)),
    Case(op="channel_bias", inputs=(IMAGE,), output=IMAGE, weights=(weight("bias", 4),)),
    Case(op="feature_scale", inputs=((7, 4),), output=(7, 4), attributes={"init": 0.5}, weights=(weight("scale", 4),)),
    Case(op="max_pool1d", inputs=((4, 9),), output=(4, 5), attributes={"kernel": 3, "stride": 2, "padding": 1}),
    Case(op="max_pool2d", inputs=(IMAGE,), output=(4, 3, 3), attributes={"kernel": 3, "stride": 2, "padding": 1}),
    Case(op="avg_pool1d", inputs=((4, 9),), output=(4, 9),
         attributes={"kernel": 3, "stride": 1, "padding": 1, "count_padding": False}),
    Case(op="avg_pool2d", inputs=(IMAGE,), output=IMAGE,
         attributes={"kernel": 3, "stride": 1, "padding": 1, "count_padding": False}),
    Case(op="avg_pool2d", inputs=(IMAGE,), output=IMAGE,
         name="avg_pool2d-padded", attributes={"kernel": 3, "stride": 1, "padding": 1, "count_padding": True}),
    Case(op="max_pool1d", inputs=((4, 8),), output=(4, 4), name="max_pool1d-ceil",
         attributes={"kernel": 3, "stride": 2, "padding": 0, "ceil": True}),
    Case(op="avg_pool1d", inputs=((4, 8),), output=(4, 4), name="avg_pool1d-ceil",
         attributes={"kernel": 3, "stride": 2, "padding": 0, "count_padding": True, "ceil": True}),
    Case(op="max_pool2d", inputs=((4, 8, 7),), output=(4, 4, 3), name="max_pool2d-ceil",
         attributes={"kernel": 3, "stride": 2, "padding": 0, "ceil": True}),
    *[
        Case(op="avg_pool2d", inputs=((4, 8, 7),), output=(4, 3, 3), name=f"avg_pool2d-ceil-{counted}",
             attributes={"kernel": 3, "stride": 3, "padding": 1, "count_padding": counted, "ceil": True})
        for counted in (False, True)
    ],
    Case(op="max_pool3d", inputs=((2, 4, 6, 5),), output=(2, 2, 3, 3),
         attributes={"kernel": 3, "stride": 2, "padding": 1}),
    *[
        Case(op="avg_pool3d", inputs=((2, *size),), output=(2, *((d + 1) // 2 for d in size)),
             attributes={"kernel": 3, "stride": 2, "padding": 1, "count_padding": kind == "padded"},
             name=f"avg_pool3d-{kind}-{size}")
        for kind, size in (("mean", (4, 6, 5)), ("padded", (4, 6, 5)), ("mean", (2, 1, 2)))
    ],
    Case(op="adaptive_avg_pool1d", inputs=((4, 6),), output=(4, 2), attributes={"out": 2}),
    *[
        Case(op="adaptive_avg_pool3d", inputs=((4, *size),), output=(4, 2, 2, 2), attributes={"out": 2},
             name=f"adaptive_avg_pool3d-{size}")
        for size in ((6, 8, 2), (5, 1, 3))
    ],
    Case(op="global_avg_pool", inputs=(IMAGE,), output=(4,)),
    Case(op="global_max_pool", inputs=((4, 7),), output=(4,)),
    Case(op="adaptive_avg_pool2d", inputs=((4, 6, 8),), output=(4, 2, 2), attributes={"out": 2}),
    Case(op="add", inputs=(IMAGE, IMAGE), output=IMAGE),
    Case(op="add", inputs=(IMAGE, (4, 1, 1), IMAGE), output=IMAGE, name="add-3"),
    Case(op="add", inputs=(IMAGE,), output=IMAGE, name="add-1"),
    Case(op="sub", inputs=(IMAGE, IMAGE), output=IMAGE),
    Case(op="mul", inputs=(IMAGE, (4, 1, 1)), output=IMAGE),
    Case(op="div", inputs=(IMAGE, IMAGE), output=IMAGE),
    Case(op="matmul", inputs=((5, 4), (4, 6)), output=(5, 6), attributes={"transpose_b": False}),
    Case(op="matmul", inputs=((5, 4), (6, 4)), output=(5, 6), attributes={"transpose_b": True},
         name="matmul-transposed"),
    Case(op="mean", inputs=(IMAGE,), output=(4, 5), attributes={"axis": 2, "keep": False}),
    Case(op="mean", inputs=(IMAGE,), output=(4, 6, 1), attributes={"axis": -1, "keep": True}, name="mean-keep"),
    Case(op="max_reduce", inputs=(IMAGE,), output=(6, 5), attributes={"axis": 1, "keep": False}),
    Case(op="min_reduce", inputs=(IMAGE,), output=(4, 6, 1), attributes={"axis": -1, "keep": True}),
    Case(op="maximum", inputs=(IMAGE, (4, 1, 5), IMAGE), output=IMAGE),
    Case(op="concat", inputs=(IMAGE, (2, 6, 5)), output=(6, 6, 5), attributes={"axis": 1}),
    Case(op="flatten", inputs=(IMAGE,), output=(120,), attributes={"start": 1}),
    Case(op="reshape", inputs=(IMAGE,), output=(8, 15), attributes={"shape": (8, 15)}),
    Case(op="permute", inputs=(IMAGE,), output=(5, 4, 6), attributes={"order": (0, 3, 1, 2)}),
    Case(op="transpose", inputs=(IMAGE,), output=(5, 6, 4), attributes={"a": 1, "b": -1}),
    Case(op="slice", inputs=(IMAGE,), output=(4, 3, 5), attributes={"axis": 2, "start": 1, "stop": 6, "step": 2}),
    Case(op="pad", inputs=(IMAGE,), output=(4, 9, 8), attributes={"amount": (1, 2, 3, 0), "value": 0.0}),
    Case(op="pad", inputs=(IMAGE,), output=(4, 6, 6), attributes={"amount": (0, 1), "value": 2.0}, name="pad-value"),
    Case(op="upsample", inputs=(IMAGE,), output=(4, 12, 10), attributes={"factor": 2, "mode": "nearest"}),
    Case(op="upsample", inputs=(IMAGE,), output=(4, 18, 15), attributes={"factor": 3, "mode": "bilinear"},
         name="upsample-bilinear"),
    *[
        Case(op="resize", inputs=(IMAGE,), output=(4, 9, 3), name=f"resize-{mode}-{corners}",
             attributes={"size": (9, 3), "mode": mode, "corners": corners})
        for mode in ("nearest", "bilinear", "bicubic", "area")
        for corners in (False, True)
        if not corners or mode.startswith("bi")
    ],
    Case(op="pixel_shuffle", inputs=((8, 3, 2),), output=(2, 6, 4), attributes={"factor": 2}),
    Case(op="attention", inputs=((5, 8), (7, 8), (7, 8)), output=(5, 8), attributes={"heads": 2, "causal": False},
         definition=lambda q, k, v: attended(q, k, v, 2)),
    Case(op="attention", inputs=((5, 8), (5, 8), (5, 8)), output=(5, 8), attributes={"heads": 4, "causal": True},
         name="attention-causal", definition=lambda q, k, v: attended(q, k, v, 4, True)),
    *[
        Case(op="attention", inputs=((6, 12), (6, 6), (6, 10)), output=(6, 20), attributes=settings,
             definition=partial(attended, **settings), name=f"attention-grouped-{causal}-{window}")
        for causal, window in ((False, 0), (False, 2), (True, 3))
        for settings in [{"heads": 4, "causal": causal, "kv_heads": 2, "window": window}]
    ],
    Case(op="rotary", inputs=((5, 12),), output=(5, 12), attributes={"heads": 2, "base": 100.0},
         definition=lambda x: turned(x, 2, 100.0)),
    Case(op="window_bias", inputs=((2, 4, 6, 6),), output=(2, 4, 6, 6), attributes={"height": 2, "width": 3},
         weights=(weight("table", 15, 4),), definition=lambda x, table: with_offsets(x, table, 2, 3)),
    *[
        Case(op="bucket_bias", inputs=((2, 40, 30),), output=(2, 40, 30), name=f"bucket_bias-{causal}",
             attributes={"buckets": buckets, "distance": distance, "causal": causal},
             weights=(weight("table", buckets, 2),),
             definition=partial(with_buckets, distance=distance, causal=causal))
        for buckets, distance, causal in ((32, 128, False), (8, 16, True))
    ],
    Case(op="lstm", inputs=((5, 4),), output=(5, 6), attributes={"units": 6, "reverse": False}, weights=gates(4)),
    Case(op="lstm", inputs=((5, 4),), output=(5, 6), attributes={"units": 6, "reverse": True}, weights=gates(4),
         name="lstm-reverse"),
    Case(op="gru", inputs=((5, 4),), output=(5, 6), attributes={"units": 6, "reverse": False}, weights=gates(3)),
    Case(op="gru", inputs=((5, 4),), output=(5, 6), attributes={"units": 6, "reverse": True}, weights=gates(3),
         name="gru-reverse"),
    Case(op="selective_scan", inputs=((11, 4), (11, 4), (11, 3), (11, 3)), output=(11, 4), attributes={"state": 3},
         weights=(weight("a_log", 4, 3), weight("skip", 4)), definition=scanned),
    Case(op="top_k_gate", inputs=((5, 6),), output=(5, 6), attributes={"k": 2}, definition=lambda x: gated(x, 2)),
    elementwise("power", exponent=3.0),
    elementwise("fill", value=0.5),
    Case(op="feature_bias", inputs=((5, 4),), output=(5, 4), weights=(weight("bias", 4),)),
    Case(op="gather", inputs=((4,), ()), output=(4,), dtype=("f64", "i64"), below=N),
    Case(op="segment_sum", inputs=((4, 2), ()), output=(4, 2), rows=N, dtype=("f64", "i64"), below=N - 1,
         attributes={"count": N}),
    Case(op="segment_softmax", inputs=((4, 2), ()), output=(4, 2), dtype=("f64", "i64"), below=N - 1,
         attributes={"count": N}),
    Case(op="self_loops", inputs=((5,),), output=(7,), dtype="i64", result="i64", attributes={"nodes": 2}),
    *[
        Case(op="fake_quantize", inputs=(IMAGE,), output=IMAGE, attributes=settings,
             name="fake_quantize-" + "-".join(map(str, settings.values())), definition=partial(rounded, **settings))
        for bits, signed, axes, exponent in (
            (8, True, (), 0), (2, True, (1,), 0), (3, False, (-1, 0), 0), (1, False, (), 0),
            (8, True, (), 4), (8, True, (1,), 5), (4, True, (), 2), (6, True, (), 3), (5, True, (0,), 1),
        )
        for settings in [{"bits": bits, "signed": signed, "axes": axes, "exponent": exponent}]
    ],
    *[
        Case(op="quantized_linear", inputs=((5, 4),), output=(5, 6), name=f"quantized_linear-{per_channel}",
             weights=(weight("kernel", 6, 4), weight("bias", 6)),
             attributes={"out": 6, "bias": True, **rounding(4, exponent, 6, per_channel)})
        for per_channel, exponent in ((True, 0), (False, 2))
    ],
    Case(op="quantized_conv2d", inputs=((4, 9, 8),), output=(6, 5, 4), weights=(weight("kernel", 6, 4, 3, 3),),
         attributes={"out": 6, "groups": 1, "bias": False, **conv(3, 2), **rounding(8, 4, 3, True)}),
    Case(op="embedding", inputs=((5,),), output=(5, 4), weights=(weight("table", 7, 4),), dtype="i64",
         attributes={"vocabulary": 7, "dim": 4}),
    Case(op="token_places", inputs=((9,),), output=(9,), dtype="i64", below=3, result="i64",
         attributes={"padding": 1}),
    Case(op="unembedding", inputs=((5, 4),), output=(5, 7), weights=(weight("table", 7, 4),),
         attributes={"vocabulary": 7}),
    Case(op="parameter", inputs=((5, 4),), output=(2, 3), weights=(weight("value", 6),),
         attributes={"shape": (2, 3)}),
    Case(op="take", inputs=((5, 4),), output=(7, 4), weights=(weight("places", 7, trained=False),),
         attributes={"axis": 1, "count": 7}),
    Case(op="indexed_parameter", inputs=((5, 4),), output=(2, 3),
         weights=(weight("table", 7), weight("places", 6, trained=False)), attributes={"size": 7, "shape": (2, 3)}),
    Case(op="constant", inputs=((5, 4),), output=(2, 3), weights=(weight("value", 6, trained=False),),
         attributes={"shape": (2, 3)}),
    Case(op="position_embedding", inputs=((5, 4),), output=(5, 4), weights=(weight("table", 9, 4),),
         attributes={"length": 9}),
    Case(op="position_embedding", inputs=((5, 4),), output=(5, 4), weights=(weight("table", 9, 4),),
         attributes={"length": 9, "start": 2}, name="position_embedding-start"),
    Case(op="class_token", inputs=((5, 4),), output=(6, 4), weights=(weight("token", 4),)),
]  # fmt: skip
