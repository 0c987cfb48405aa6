"""The ops of the standard library over grids of their arguments, as small programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import product
from math import prod
from random import Random
from typing import Any

import attrs

from archlang.diagnostics import ArchError
from archlang.ir.graph import Graph
from archlang.lowering.library import MODULE
from archlang.space.loading import loads

Inputs = tuple[str, ...]  # types; `f` stands for the float type that is asked for

IMAGE = "f[n, 4, 7, 6]"
SERIES = "f[n, 4, 9]"
VOLUME = "f[n, 4, 5, 6, 4]"
TOKENS = "f[n, 5, 8]"
ROW = "f[n, 8]"
ANY: tuple[Inputs, ...] = ((IMAGE,), (TOKENS,), (ROW,))
CHANNELS: tuple[Inputs, ...] = ((ROW,), (SERIES,), (IMAGE,), (VOLUME,))
PAIRS: tuple[Inputs, ...] = (
    (IMAGE, IMAGE),
    (IMAGE, "f[n, 4, 1, 1]"),
    ("f[n, 1, 7, 1]", IMAGE),
    (TOKENS, "f[n, 5, 1]"),
    (ROW, ROW),
)
MANY: tuple[Inputs, ...] = (*PAIRS, (ROW, ROW, ROW), (IMAGE,))
BOTH = (False, True)


@attrs.frozen
class Grid:
    """What an op is tried on: inputs, and values for its arguments (None: the default)."""

    inputs: tuple[Inputs, ...]
    arguments: dict[str, tuple[Any, ...]] = attrs.field(factory=dict)


def _grid(*inputs: Inputs, **arguments: Sequence[Any]) -> Grid:
    return Grid(inputs, {name: tuple(values) for name, values in arguments.items()})


_CONV: dict[str, Sequence[Any]] = {
    "out": (4, 8),
    "kernel": (1, 2, 3, 5),
    "stride": (1, 2, 3),
    "dilation": (1, 2),
    "groups": (1, 2, 4),
    "bias": BOTH,
    "padding": (None, 0, 2),
}
_PAIR_CONV: dict[str, Sequence[Any]] = {
    "out": (4, 8),
    "kernel": ((1, 3), (3, 2), (5, 1)),
    "stride": ((1, 1), (2, 1), (2, 3)),
    "dilation": ((1, 1), (1, 2), (2, 3)),
    "groups": (1, 2, 4),
    "bias": BOTH,
    "padding": (None, (0, 0), (1, 0)),
}
_DEPTHWISE: dict[str, Sequence[Any]] = {
    **{name: _CONV[name] for name in ("kernel", "stride", "dilation", "bias", "padding")},
    "multiplier": (1, 2),
}
_TRANSPOSED: dict[str, Sequence[Any]] = {
    "out": (4, 6),
    "kernel": (1, 2, 3, 5),
    "stride": (1, 2, 3),
    "padding": (0, 1, 2),
    "output_padding": (0, 1),
    "groups": (1, 2),
    "bias": BOTH,
}
_POOL: dict[str, Sequence[Any]] = {"kernel": (1, 2, 3, 4), "stride": (1, 2, 3), "padding": (None, 0, 1), "ceil": BOTH}
_AVERAGE: dict[str, Sequence[Any]] = {**_POOL, "count_padding": BOTH}
_ROUNDING: dict[str, Sequence[Any]] = {
    "weight_bits": (2, 8),
    "input_bits": (4, 8),
    "weight_exponent": (0, 2),
    "input_exponent": (0, 2),
    "input_signed": BOTH,
    "per_channel": BOTH,
}

GRIDS: dict[str, Grid] = {
    "conv1d": _grid((SERIES,), **_CONV),
    "conv2d": _grid((IMAGE,), **_CONV),
    "conv2d_rect": _grid((IMAGE,), **_PAIR_CONV),
    "conv3d": _grid((VOLUME,), **_CONV),
    "depthwise_conv2d": _grid((IMAGE,), **_DEPTHWISE),
    "conv_transpose1d": _grid((SERIES,), **_TRANSPOSED),
    "conv_transpose2d": _grid((IMAGE,), **_TRANSPOSED),
    "linear": _grid((ROW,), (TOKENS,), (IMAGE,), out=(3, 8), bias=BOTH),
    "batch_norm": _grid(*CHANNELS, momentum=(0.1, 0.5), eps=(None, 1e-2), affine=BOTH),
    "layer_norm": _grid(*ANY, eps=(None, 1e-2), affine=BOTH),
    "rms_norm": _grid(*ANY, eps=(None, 1e-2)),
    "group_norm": _grid(*CHANNELS, groups=(1, 2, 4), eps=(None, 1e-2), affine=BOTH),
    "instance_norm": _grid((SERIES,), (IMAGE,), (VOLUME,), eps=(None, 1e-2), affine=BOTH),
    "local_response_norm": _grid(
        (SERIES,), (IMAGE,), size=(1, 2, 3, 5), alpha=(None, 0.5), beta=(0.75, 2.0), k=(1.0, 2.0)
    ),
    "channel_scale": _grid(*CHANNELS, init=(None, 0.5)),
    "channel_bias": _grid(*CHANNELS),
    "feature_scale": _grid(*ANY, init=(None, 0.5)),
    "feature_bias": _grid(*ANY),
    "identity": _grid(*ANY),
    "zero": _grid(*CHANNELS, stride=(1, 2, 3)),
    **{
        name: _grid(*ANY)
        for name in ("relu", "relu6", "selu", "silu", "sigmoid", "tanh", "hswish", "hsigmoid", "softplus", "mish")
    },
    "leaky_relu": _grid(*ANY, slope=(None, 0.3)),
    "elu": _grid(*ANY, alpha=(None, 0.5)),
    "gelu": _grid(*ANY, approximate=BOTH),
    "hard_tanh": _grid(*ANY, low=(None, -0.5), high=(None, 0.25)),
    "prelu": _grid(*CHANNELS, shared=BOTH),
    "softmax": _grid(*ANY, axis=(None, 0, 1, -2)),
    "log_softmax": _grid(*ANY, axis=(None, 0, 1, -2)),
    "max_pool1d": _grid((SERIES,), **_POOL),
    "max_pool2d": _grid((IMAGE,), **_POOL),
    "max_pool3d": _grid((VOLUME,), **_POOL),
    "avg_pool1d": _grid((SERIES,), **_AVERAGE),
    "avg_pool2d": _grid((IMAGE,), **_AVERAGE),
    "avg_pool3d": _grid((VOLUME,), **_AVERAGE),
    "global_avg_pool": _grid((SERIES,), (IMAGE,), (VOLUME,)),
    "global_max_pool": _grid((SERIES,), (IMAGE,), (VOLUME,)),
    "adaptive_avg_pool1d": _grid((SERIES,), out=(1, 2, 3, 9, 12)),
    "adaptive_avg_pool2d": _grid((IMAGE,), out=(1, 2, 3, 5, 8)),
    "adaptive_avg_pool3d": _grid((VOLUME,), out=(1, 2, 3, 7)),
    "dropout": _grid(*ANY, rate=(None, 0.0, 1.0)),
    "drop_path": _grid(*ANY, rate=(None, 0.3, 1.0)),
    "add": _grid(*MANY),
    "sub": _grid(*PAIRS),
    "mul": _grid(*MANY),
    "div": _grid(*PAIRS),
    "maximum": _grid(*MANY),
    "absolute": _grid(*ANY),
    "square": _grid(*ANY),
    "power": _grid(*ANY, exponent=(1.0, 2.0, 3.0)),
    "scale": _grid(*ANY, factor=(1.0, -0.5)),
    "shift": _grid(*ANY, amount=(0.0, -0.5)),
    "fill": _grid(*ANY, value=(0.0, 1.5)),
    "matmul": _grid(
        (TOKENS, "f[n, 8, 3]"),
        (TOKENS, TOKENS),
        ("f[n, 2, 3, 4]", "f[n, 1, 4, 5]"),
        ("f[n, 1, 3, 4]", "f[n, 2, 5, 4]"),
        transpose_b=BOTH,
    ),
    "mean": _grid((IMAGE,), (TOKENS,), axis=(1, 2, -1), keep=BOTH),
    "max_reduce": _grid((IMAGE,), (TOKENS,), axis=(1, 2, -1), keep=BOTH),
    "min_reduce": _grid((IMAGE,), (TOKENS,), axis=(1, 2, -1), keep=BOTH),
    "concat": _grid(
        (IMAGE, IMAGE), (IMAGE, "f[n, 2, 7, 6]"), (TOKENS, TOKENS, TOKENS), (ROW, "f[n, 3]"), axis=(None, 1, -1)
    ),
    "flatten": _grid((IMAGE,), (TOKENS,), (ROW,), start=(None, 2)),
    "reshape": _grid((IMAGE,), shape=((168,), (6, 4, 7), (2, 2, 42), (4, 7, 6))),
    "permute": _grid((IMAGE,), order=((0, 2, 3, 1), (0, 3, 1, 2), (0, 1, 3, 2), (0, 1, 2, 3))),
    "transpose": _grid((IMAGE,), a=(1, 2, -1), b=(1, 3)),
    "slice": _grid((IMAGE,), (TOKENS,), axis=(1, 2, -1), start=(0, 1, -3), stop=(3, 4, -1), step=(None, 2)),
    "take": _grid((IMAGE,), (TOKENS,), axis=(1, 2, -1), count=(1, 5)),
    "roll": _grid((IMAGE,), (TOKENS,), axis=(1, 2, -1), amount=(0, 1, -2, 11)),
    "pad": _grid((IMAGE,), (TOKENS,), amount=((0, 0), (1, 2), (0, 1, 2, 0), (1, 0, 0, 1, 2, 0)), value=(None, 1.5)),
    "upsample": _grid((SERIES,), (IMAGE,), (VOLUME,), factor=(1, 2, 3), mode=("nearest", "bilinear")),
    "resize": _grid(
        (IMAGE,), size=((7, 6), (3, 9), (14, 12)), mode=("nearest", "bilinear", "bicubic", "area"), corners=BOTH
    ),
    "pixel_shuffle": _grid((IMAGE,), ("f[n, 18, 2, 3]",), factor=(1, 2, 3)),
    "channel_shuffle": _grid((SERIES,), (IMAGE,), groups=(1, 2, 4)),
    "attention": _grid(
        (TOKENS, TOKENS, TOKENS),
        (TOKENS, "f[n, 3, 8]", "f[n, 3, 4]"),
        (TOKENS, "f[n, 5, 4]", "f[n, 5, 4]"),
        heads=(1, 2, 4),
        causal=BOTH,
        kv_heads=(None, 1, 2),
        window=(0, 2),
    ),
    "rotary": _grid((TOKENS,), heads=(1, 2), base=(None, 10.0)),
    "window_bias": _grid(("f[n, 2, 6, 6]",), ("f[n, 3, 2, 6, 6]",), height=(2, 6), width=(None, 3)),
    "bucket_bias": _grid(("f[n, 2, 6, 6]",), ("f[n, 2, 4, 9]",), buckets=(4, 8), distance=(6, 16), causal=BOTH),
    "embedding": _grid(("i64[n, 6]",), ("i64[n]",), vocabulary=(7,), dim=(4,)),
    "token_places": _grid(("i64[n, 6]",), padding=(None, 0, 2)),
    "unembedding": _grid((TOKENS,), (ROW,), vocabulary=(7,)),
    "parameter": _grid((IMAGE,), (ROW,), shape=((5,), (4, 3, 2))),
    "indexed_parameter": _grid((IMAGE,), (ROW,), size=(3,), shape=((5,), (4, 3, 2))),
    "constant": _grid((IMAGE,), (ROW,), shape=((5,), (4, 3, 2))),
    "position_embedding": _grid((TOKENS,), length=(5, 9), start=(None, 3)),
    "class_token": _grid((TOKENS,)),
    "lstm": _grid((TOKENS,), units=(1, 3), reverse=BOTH),
    "gru": _grid((TOKENS,), units=(1, 3), reverse=BOTH),
    "selective_scan": _grid((TOKENS, TOKENS, "f[n, 5, 2]", "f[n, 5, 2]"), state=(2,)),
    "top_k_gate": _grid((ROW,), (TOKENS,), k=(1, 3, 8)),
    "gather": _grid(("f[5, 3]", "i64[7]"), ("f[5, 2, 3]", "i64[4]")),
    "segment_sum": _grid(("f[7, 3]", "i64[7]"), ("f[7]", "i64[7]"), ("f[7, 2, 3]", "i64[7]"), count=(3, 5)),
    "segment_softmax": _grid(("f[7, 3]", "i64[7]"), ("f[7]", "i64[7]"), count=(3, 5)),
    "self_loops": _grid(("i64[2, 7]",), nodes=(3, 5)),
    "fake_quantize": _grid((IMAGE,), (ROW,), bits=(2, 4, 8), signed=BOTH, axes=((), (1,), (0, -1)), exponent=(0, 2, 4)),
    "quantized_linear": _grid((ROW,), (TOKENS,), out=(3,), bias=BOTH, **_ROUNDING),
    "quantized_conv2d": _grid(
        (IMAGE,), out=(4,), kernel=(1, 3), stride=(1, 2), groups=(1, 2, 4), bias=BOTH, **_ROUNDING
    ),
}


@attrs.frozen
class Case:
    """An op on inputs, with arguments."""

    op: str
    inputs: Inputs
    arguments: tuple[tuple[str, Any], ...]

    def __str__(self) -> str:
        return f"{self.stage} on {', '.join(self.inputs)}"

    @property
    def stage(self) -> str:
        """The op with its arguments as text."""
        given = [f"{name}={_literal(value)}" for name, value in self.arguments if value is not None]
        return f"{self.op}({', '.join(given)})" if given else self.op

    def text(self, dtype: str = "f64") -> str:
        """The op as a space of one program, with inputs x0, x1, ... of the float type."""
        names = [f"x{number}" for number in range(len(self.inputs))]
        types = [type_.replace("f[", f"{dtype}[") for type_ in self.inputs]
        inputs = ", ".join(f"{name}: {type_}" for name, type_ in zip(names, types, strict=True))
        value = names[0] if len(names) == 1 else f"({', '.join(names)})"
        return f"use {MODULE}\nspace one({inputs}) {{ {value} |> {self.stage} }}\n"

    def graph(self, dtype: str = "f64") -> Graph:
        """The program's graph; ArchError where the op refuses the arguments."""
        return loads(self.text(dtype)).program({}).graph


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple):
        return f"[{', '.join(map(_literal, value))}]"
    return repr(value)


def cases(op: str) -> Iterator[Case]:
    """All cases of an op that it does not refuse, in an order that looks drawn but is always the same."""
    grid = GRIDS[op]
    places = range(len(grid.inputs) * prod(len(values) for values in grid.arguments.values()))
    table = list(product(grid.inputs, *grid.arguments.values()))
    for place in Random(op).sample(places, len(places)):
        inputs, *values = table[place]
        case = Case(op, inputs, tuple(zip(grid.arguments, values, strict=True)))
        if _accepted(case):
            yield case


@cache
def _accepted(case: Case) -> bool:
    try:
        case.graph()
    except ArchError:
        return False
    return True
