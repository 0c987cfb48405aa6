"""Text for graphs such as a frontend of a framework gives: modules that are no blocks of the library,
containers that only hold others, operations one by one."""

from __future__ import annotations

from random import Random

import attrs
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import archlang as al
from archlang.ir.canonical import canonical_hash
from archlang.ir.correspondence import corresponding_weights
from archlang.ir.graph import Graph
from archlang.ir.tidying import tidied
from archlang.semantics.modules import Loader
from archlang.semantics.writing import written
from tests.numpy_backend.against_torch import arrays, in_numpy, random_weights
from tests.space.random_spaces import network_spaces

RESNET50 = """
use std.nn

block sequential(out: int, stride: int)(x: [n, c, h, w]) {
  x |> conv2d(out, kernel=1, stride=stride) >> batch_norm
}
block residual(out: int, stride: int, first: bool)(x: [n, c, h, w]) {
  y = x |> conv2d(out // 4, kernel=1) >> batch_norm >> relu
  z = y |> conv2d(out // 4, kernel=3, stride=stride) >> batch_norm >> relu >> conv2d(out, kernel=1) >> batch_norm
  shortcut = if first { x |> sequential(out, stride) } else { x }
  z + shortcut |> relu
}
block layer(out: int, depth: int, stride: int)(x: [n, c, h, w]) {
  for i in 0..<depth {
    x = x |> residual(out, if i == 0 { stride } else { 1 }, i == 0) >> dropout(0.0)
  }
  x
}
space resnet(size: int = 224, width: int = 64)(image: f32[n, 3, size, size]) -> [n, 1000] {
  image
    |> conv2d(width, kernel=7, stride=2) >> batch_norm >> relu >> max_pool2d(3, stride=2)
    |> layer(4 * width, 3, 1) >> layer(8 * width, 4, 2) >> layer(16 * width, 6, 2) >> layer(32 * width, 3, 2)
    |> global_avg_pool >> linear(1000)
}
"""

BERT = """
use std.nn

block bert_self_attention(heads: int)(x: [n, t, d]) {
  (x |> linear(d), x |> linear(d), x |> linear(d)) |> attention(heads)
}
block bert_self_output(hidden: [n, t, d], x: [n, t, d]) {
  (hidden |> linear(d) >> dropout(0.0)) + x |> layer_norm(eps=1e-12)
}
block bert_attention(heads: int)(x: [n, t, d]) { (x |> bert_self_attention(heads), x) |> bert_self_output }
block bert_intermediate(out: int)(x: [n, t, d]) { x |> linear(out) >> gelu }
block bert_output(hidden: [n, t, e], x: [n, t, d]) {
  (hidden |> linear(d) >> dropout(0.0)) + x |> layer_norm(eps=1e-12)
}
block bert_layer(heads: int)(x: [n, t, d]) {
  y = x |> bert_attention(heads)
  (y |> bert_intermediate(4 * d), y) |> bert_output
}
block bert_encoder(depth: int, heads: int)(x: [n, t, d]) {
  for i in 0..<depth {
    x = x |> bert_layer(heads)
  }
  x
}
block bert_embeddings(width: int)(tokens: [n, t]) {
  tokens |> embedding(30522, width) >> position_embedding(512) >> layer_norm(eps=1e-12) >> dropout(0.0)
}
block bert_pooler(x: [n, t, d]) { x |> slice(1, 0, 1) >> flatten >> linear(d) >> tanh }
space bert(width: int = 768, depth: int = 12, heads: int = 12, length: int = 128)(tokens: i64[n, length]) {
  x = tokens |> bert_embeddings(width) >> bert_encoder(depth, heads)
  { hidden: x, pooled: x |> bert_pooler }
}
"""


# What no block of the library is: a projection behind a pool, an activation before the sum.
OWN = """
use std.nn

block down(out: int, stride: int)(x: [n, c, h, w]) {
  y = x |> conv2d(2 * c, kernel=1) >> batch_norm >> mish >> conv2d(out, stride=stride) >> batch_norm >> mish
  y + (x |> avg_pool2d(2, stride=stride, padding=0) >> conv2d(out, kernel=1))
}
block unit(x: [n, c, h, w]) {
  x + (x |> conv2d(2 * c, kernel=1) >> batch_norm >> mish >> conv2d(c) >> batch_norm >> mish)
}
space own(image: f32[n, 3, 64, 64]) -> [n, 10] {
  x = image |> conv2d(12) >> tanh
  x |> down(24, 2) >> unit >> unit |> down(40, 2) >> unit |> down(56, 2) >> unit >> unit >> unit
    |> global_avg_pool >> linear(10)
}
"""

WITH_PARTS = """
use std.nn

block gate(x: [n, c, h, w]) {
  y = x |> adaptive_avg_pool2d(1) >> conv2d(c // 4, kernel=1, bias=true) >> relu
  x * (y |> conv2d(c, kernel=1, bias=true) >> sigmoid)
}
block fixed(x: [n, c, h, w]) {
  x |> conv2d(64, kernel=1) >> batch_norm >> relu >> gate >> conv2d(96, kernel=1) >> layer_norm >> dropout
}
space parts(image: f32[n, 32, 8, 8]) { image |> fixed }
"""


def text_of(program: al.Program) -> str:
    return written(tidied(program.graph), program.space.module)


def same_network(program: al.Program, text: str) -> al.Program:
    """The program of the text, checked to be the same network, and to compute the same with its weights."""
    again = al.loads(text).program()
    assert canonical_hash(again.graph) == program.canonical_hash
    weights, xs = random_weights(program.graph), arrays(program.graph, 1)
    where = corresponding_weights(again.graph, program.graph)
    assert set(where) == set(again.graph.weights)
    moved = {address: weights[other] for address, other in where.items()}
    for one, other in zip(in_numpy(again.graph, moved, *xs), in_numpy(program.graph, weights, *xs), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-4 * max(1.0, float(np.abs(other).max())))
    return again


def test_resnet50() -> None:
    assert (
        text_of(al.loads(RESNET50).program())
        == """\
use std.nn
use std.blocks: bottleneck, conv_bn

space resnet(image: f32[n, 3, 224, 224]) -> [n, 1000] {
  x = image |> conv_bn(64, kernel=7, stride=2) >> max_pool2d(stride=2)
  for (out, stride, depth) in [(256, 1, 3), (512, 2, 4), (1024, 2, 6), (2048, 2, 3)] {
    x = x |> bottleneck(out, stride=stride) >> repeat(depth - 1, bottleneck(out))
  }
  x |> global_avg_pool >> linear(1000)
}
"""
    )


def test_bert() -> None:
    assert (
        text_of(al.loads(BERT).program())
        == """\
use std.nn
use std.blocks: transformer_encoder

space bert(tokens: i64[n, 128]) {
  bert_encoder = tokens
    |> embedding(30522, 768) >> position_embedding(512) >> layer_norm(eps=1e-12)
    |> repeat(12, transformer_encoder(12, pre_norm=false, eps=1e-12))
  bert_pooler = bert_encoder |> slice(1, 0, 1) >> flatten >> linear(768) >> tanh
  { hidden: bert_encoder, pooled: bert_pooler }
}
"""
    )


def test_blocks_of_its_own() -> None:
    assert (
        text_of(al.loads(OWN).program())
        == """\
use std.nn
use std.blocks: conv_bn

block down(out: int)(x: [n, c, h, w]) {
  y = x |> conv_bn(2 * c, kernel=1, act=mish) >> conv_bn(out, stride=2, act=mish)
  y2 = x |> avg_pool2d(kernel=2, stride=2) >> conv2d(out, kernel=1)
  y + y2
}

block unit(x: [n, c, h, w]) {
  y = x |> conv_bn(2 * c, kernel=1, act=mish) >> conv_bn(c, act=mish)
  x + y
}

space own(image: f32[n, 3, 64, 64]) -> [n, 10] {
  x = image |> conv2d(12) >> tanh
  for (out, depth) in [(24, 2), (40, 1), (56, 3)] {
    x = x |> down(out) >> repeat(depth, unit)
  }
  x |> global_avg_pool >> linear(10)
}
"""
    )


def test_parts_of_bodies_are_blocks_of_the_library() -> None:
    assert (
        text_of(al.loads(WITH_PARTS).program())
        == """\
use std.nn
use std.blocks: conv_bn, squeeze_excite

space parts(image: f32[n, 32, 8, 8]) -> [n, 96, 8, 8] {
  image
    |> conv_bn(64, kernel=1)
    |> squeeze_excite(16, gate=sigmoid)
    |> conv2d(96, kernel=1) >> layer_norm >> dropout
}
"""
    )


@pytest.mark.parametrize(
    ("text", "config"),
    [(RESNET50, {"size": 32, "width": 4}), (BERT, {"width": 16, "depth": 2, "heads": 2, "length": 8}), (OWN, {})],
)
def test_weights_come_along(text: str, config: dict[str, int]) -> None:
    program = al.loads(text, None, config).program()
    same_network(program, text_of(program))


def dense_block(layers: int) -> Graph:
    """Layers that each see what all before them gave, side by side, as in torchvision's DenseNet."""
    lines = ["use std.nn", "space net(x: f32[n, 4, 8, 8]) {", '  y0 = x |> conv2d(16) at "conv"']
    blocks: dict[str, str] = {}
    for layer in range(layers + 1):
        given = ", ".join(f"y{before}" for before in range(layer + 1))
        at = f"block/layer[{layer}]"
        if layer == layers:
            lines.append(f'  z = [{given}] |> concat at "block/concat"')
            break
        blocks |= {"block": "dense_block", at: "dense_layer"}
        lines.append(f'  a{layer} = [{given}] |> concat at "{at}/concat"')
        lines.append(f'  b{layer} = a{layer} |> batch_norm at "{at}/norm"')
        lines.append(f'  c{layer} = b{layer} |> relu at "{at}/relu"')
        lines.append(f'  y{layer + 1} = c{layer} |> conv2d(8) at "{at}/conv"')
    lines += ['  z |> global_avg_pool at "pool"', "}"]
    return attrs.evolve(al.loads("\n".join(lines)).program().graph, blocks=blocks)


def test_layers_that_see_all_before_them_grow_what_they_are_given() -> None:
    graph = dense_block(6)
    text = written(tidied(graph), Loader().load_library("std.nn"))
    assert (
        text
        == """\
use std.nn

block dense_layer(x: [n, c, h, w]) {
  [x, x |> batch_norm >> relu >> conv2d(8)] |> concat
}

space net(x: f32[n, 4, 8, 8]) -> [n, 64] {
  x |> conv2d(16) >> repeat(6, dense_layer) >> global_avg_pool
}
"""
    )
    again = al.loads(text).program().graph
    weights, xs = random_weights(graph), arrays(graph, 2)
    where = corresponding_weights(again, tidied(graph))
    (found,) = in_numpy(again, {address: weights[other] for address, other in where.items()}, *xs)
    (expected,) = in_numpy(graph, weights, *xs)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_concatenations_of_the_same_tensors_stay_where_nothing_grows() -> None:
    graph = (
        al.loads("""
use std.nn
space s(a: f32[n, 4], b: f32[n, 4], c: f32[n, 4]) { [[a, b] |> concat, [b, a, c] |> concat] |> concat }
""")
        .program()
        .graph
    )
    assert tidied(graph) == graph


def test_other_networks_have_no_weights_in_common() -> None:
    one, other = (al.loads(BERT, width=16, depth=depth, heads=2).program().graph for depth in (1, 2))
    with pytest.raises(ValueError, match="not the same network"):
        corresponding_weights(one, other)


SPACES = {
    "std.spaces.nasbench201": {"channels": 4, "repeats": 2},
    "std.spaces.darts_cell": {"channels": 4, "reduction": True},
    "std.spaces.mobile": {"width": 0.25, "classes": 10},
    "std.spaces.ofa_mobilenetv3": {"size": 64},
    "std.models.densenet:densenet121": {"size": 32},
    "std.models.shufflenet_v2:shufflenet_v2_x0_5": {"size": 32},
    "std.models.vit:vit_ti_16": {"size": 32},
    "std.models.inception_v3": {"size": 96},
    "std.models.vgg16": {},
}


@pytest.mark.parametrize("name", SPACES)
def test_programs_of_the_library(name: str) -> None:
    space = al.load(name, SPACES[name])
    for seed in range(2):
        program = space.program(space.draw(Random(seed)))
        text = program.source()
        assert max(map(len, text.splitlines())) <= 100
        for found in (text, text_of(program)):
            assert al.loads(found).program().canonical_hash == program.canonical_hash


@given(network_spaces(), st.booleans())
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
def test_random_networks(text: str, tidy: bool) -> None:
    try:
        program = al.loads(text).sample(seed=1)
    except al.ArchError:
        assume(False)
        return
    same_network(program, text_of(program) if tidy else program.source())
