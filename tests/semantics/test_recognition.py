"""Library blocks found in graphs: each with a configuration that gives the graph again, and no near misses."""

from __future__ import annotations

import pytest

import archlang as al
from archlang.ir.canonical import canonical_hash
from archlang.ir.graph import Graph
from archlang.ir.units import Recognised
from archlang.semantics.modules import Loader
from archlang.semantics.recognition import recogniser

IMAGE = "f32[n, 16, 12, 12]"
TOKENS = "f32[n, 10, 32]"
STAGES = {
    "conv_bn(24, kernel=5, stride=2, act=silu)": IMAGE,
    "conv_bn(16, kernel=1, eps=1e-3, momentum=0.01)": IMAGE,
    "depthwise_bn(kernel=5, act=relu6)": IMAGE,
    "relu_conv_bn(8, kernel=1)": IMAGE,
    "squeeze_excite(4, act=silu, gate=sigmoid)": IMAGE,
    "basic_block(16)": IMAGE,
    "basic_block(32, stride=2)": IMAGE,
    "bottleneck(64)": IMAGE,
    "bottleneck(16, width=8)": IMAGE,
    "bottleneck(64, stride=2, width=32, groups=4)": IMAGE,
    "mbconv(16, expand=1.0)": IMAGE,
    "mbconv(24, kernel=5, stride=2, expand=4.0, se=0.25, act=hswish)": IMAGE,
    "sep_conv(16, kernel=5)": IMAGE,
    "dil_conv(16, stride=2)": IMAGE,
    "factorized_reduce(32)": IMAGE,
    "mlp(64, act=relu, rate=0.1)": TOKENS,
    "self_attention(4, causal=true)": TOKENS,
    "transformer_encoder(4)": TOKENS,
    "transformer_encoder(8, ratio=2.0, pre_norm=false, rate=0.1, eps=1e-12)": TOKENS,
    "swiglu(48)": TOKENS,
    "rotary_attention(4, kv_heads=2)": TOKENS,
}
USES = "use std.nn\nuse std.blocks\nuse std.attention\nuse std.feedforward\n"


def applied(stage: str, kind: str) -> Graph:
    return al.loads(f"{USES}space s(x: {kind}) {{ x |> {stage} }}").program().graph


def recognised(graph: Graph, whole: bool = True) -> Recognised | None:
    return recogniser(Loader().load_library("std.nn"))(graph, whole)


def text(found: Recognised) -> str:
    arguments = [f"{name}={str(value).lower()}" for name, value in found.config]
    arguments += [f"{name}={block}" for name, block in found.blocks]
    return f"{found.name}({', '.join(arguments)})"


@pytest.mark.parametrize("stage", STAGES)
def test_blocks_are_found_again(stage: str) -> None:
    graph = applied(stage, STAGES[stage])
    found = recognised(graph)
    assert found is not None
    assert found.name == stage.partition("(")[0]
    assert canonical_hash(applied(text(found), STAGES[stage])) == canonical_hash(graph)


@pytest.mark.parametrize(
    ("stage", "kind"),
    [
        ("conv2d(16) >> batch_norm", IMAGE),
        ("conv2d(16, bias=true) >> batch_norm >> relu", IMAGE),
        ("conv2d(16, padding=0) >> batch_norm >> relu", IMAGE),
        ("conv2d(16) >> batch_norm >> dropout", IMAGE),
        ("linear(64) >> gelu >> linear(32, bias=false)", TOKENS),
        ("conv_bn(16) >> relu", IMAGE),
    ],
)
def test_near_misses_are_not(stage: str, kind: str) -> None:
    assert recognised(applied(stage, kind)) is None


def test_parts_of_bodies_are_small_blocks_only() -> None:
    assert recognised(applied("bottleneck(64)", IMAGE), whole=False) is None
    found = recognised(applied("conv_bn(8)", IMAGE), whole=False)
    assert found is not None
    assert found.name == "conv_bn"


def test_names_that_a_module_gives_to_something_else() -> None:
    own = al.loads("use std.nn\ndef conv_bn(x: int) { x }\nspace s(x: f32[n, 4, 8, 8]) { x |> conv2d(conv_bn(4)) }")
    graph = applied("conv_bn(8)", IMAGE)
    assert recogniser(own.module)(graph, True) is None
