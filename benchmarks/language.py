"""The language and its engine: text to space, counting, moving in spaces, programs and their costs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from random import Random

import archlang as al
from archlang.diagnostics import Source
from archlang.ir.canonical import canonical_hash
from archlang.syntax.parser import parse
from benchmarks.measure import Figure, timed

HEAD = """## A chain of stages, each with decisions of its own.
use std.nn
use std.blocks: conv_bn, mbconv, squeeze_excite
"""
STAGE = """
## Stage {k}: up to three layers of one width, and perhaps a gate that weighs their channels.
block stage{k}(width: int, stride: int = 1)(x: [n, c, h, w]) -> [n, width, _, _] {{
  depth = choose 1..3
  kernel = choose [3, 5]
  y = x |> conv_bn(width, kernel=kernel, stride=stride) |> repeat(depth, layer{k}(width))
  gate = choose {{ none: identity, excite: squeeze_excite(width // 4) }}
  y |> gate
}}

## One layer of stage {k}, around which its input is added.
block layer{k}(width: int)(x: [n, c, h, w]) -> [n, width, h, w] {{
  y = x |> choose {{
    plain: conv_bn(width, kernel=choose [3, 5])
    inverted: mbconv(width, expand=choose [2, 4], kernel=choose [3, 5, 7])
    pointwise: conv_bn(width, kernel=1)
  }}
  x + y
}}
"""


FEW = {"choose 1..3": "2", "choose { none: identity, excite: squeeze_excite(width // 4) }": "identity"}


def text_of(lines: int, few: bool = False) -> str:
    """A space of about as many lines, with several decisions in every block, or `few`."""
    count = max(1, (lines - HEAD.count("\n") - 6) // STAGE.count("\n"))
    chain = " ".join(f"|> stage{k}(width, stride={2 if k in (2, 4) else 1})" for k in range(count))
    space = f"""
space chain(classes: int = 10)(image: f32[n, 3, 32, 32]) -> [n, classes] {{
  width = choose 16..64 step 16
  image |> conv_bn(width) {chain}
    |> global_avg_pool >> linear(classes)
}}
"""
    text = HEAD + "".join(STAGE.format(k=k) for k in range(count)) + space
    for choice, plain in FEW.items() if few else ():
        text = text.replace(choice, plain)
    return text


def texts(repetitions: int) -> Iterator[Figure]:
    """From a text of 200 lines to a space of which every program has been checked."""
    text = text_of(200)
    lines = f"{text.count(chr(10))} lines"
    yield timed("parse", lambda: parse(Source("<text>", text)), repetitions, note=lines)
    for given in (text_of(200, few=True), text):
        note = f"{lines}, {al.loads(given).size:.1e} programs"
        yield timed("parse + check", partial(al.loads, given), repetitions, aim=100, note=note)


def counts(repetitions: int) -> Iterator[Figure]:
    """Loading, checking and counting a space of the library."""
    for name in ("nasbench201", "darts_cell", "darts", "ofa_mobilenetv3"):
        target = f"std.spaces.{name}"
        yield timed(f"check + count {name}", partial(_size, target), repetitions)


def _size(target: str) -> int | float:
    return al.load(target).size


def moves(repetitions: int) -> Iterator[Figure]:
    """What a searcher does at every step."""
    for name in ("nasbench201", "ofa_mobilenetv3"):
        space = al.load(f"std.spaces.{name}")
        random = Random(0)
        choices = space.draw(random)
        many = 10 * repetitions
        yield timed(f"draw {name}", partial(space.draw, random), many)
        yield timed(
            f"mutate {name}",
            partial(space.mutate, choices, random),
            many,
        )


def programs(repetitions: int) -> Iterator[Figure]:
    """One program of NAS-Bench-201: the graph and what follows from it."""
    space = al.load("std.spaces.nasbench201")
    random = Random(0)
    many = 5 * repetitions
    yield timed("graph + cost nasbench201", lambda: space.program(space.draw(random)).cost(), many, aim=3)
    program = space.sample(0)
    graph = program.graph
    yield timed("canonical hash", lambda: canonical_hash(graph), repetitions, note=f"{len(graph.nodes)} nodes")
    yield timed("source()", program.source, repetitions)
    yield timed("source(flat=True)", lambda: program.source(flat=True), repetitions)
