"""Random spaces that call the same few blocks again and again, some with mistakes in them."""

from __future__ import annotations

from hypothesis import strategies as st

HEAD = """use std.nn
use std.blocks: conv_bn
common = choose [1, 3]
block unit(x: [n, c, h, w]) { x |> choose { a: conv2d(c, kernel=choose [1, 3]), b: identity } }
block sized(out: int, kernel: int = choose [1, 3])(x: [n, c, h, w]) -> [n, out, h, w] {
  x |> conv2d(out, kernel=kernel) >> (choose [relu, identity])
}
block around(f: block)(x: [n, c, h, w]) { x + (x |> f) }
block twice(f: block)(x: [n, c, h, w]) { x |> f >> f }
block both(f: block)(x: [n, c, h, w]) {
  g = share f
  x |> g |> unit |> g
}
block grouped(groups: int)(x: [n, c, h, w]) -> [n, c, _, _] {
  GUARD
  x |> conv2d(c, groups=groups, kernel=choose [1, 3])
}
block deep(out: int)(x: [n, c, h, w]) -> [n, _, h, w] {
  y = x |> sized(out)
  for i in 0..<(choose 0..1) { y = y |> unit }
  if c == out { x + y } else { y |> unit }
}
block merge(a: [n, c, h, w], b: [n, c, h, w]) { sum(choose 1..2 of [a |> unit, b]) }
block tree(x: [n, c, h, w]) limit 2 { x |> choose { leaf: relu, inner: conv2d(c, kernel=1) >> tree } }
block halved(out: int = c // 2)(x: [n, c, h, w]) { x |> conv2d(out, stride=choose [1, 2]) }
block picky(x: [n, c, h, w]) { x |> conv_bn(choose [c, 6], kernel=1, groups=choose [1, 4]) }
block light(x: [n, c, h, w]) {
  y = x |> unit
  require params(y) <= 200, "light"
  y
}
block noisy(x: [n, c, h, w]) { x |> dropout(choose { low: 0.1, high: choose [0.3, 0.5] }) }
block global(x: [n, c, h, w]) { x |> conv2d(c, kernel=common) |> unit }
block beside(other: tensor)(x: [n, c, h, w]) { x + (other |> unit) }
block countdown(left: int)(x: [n, c, h, w]) { if left == 0 { x } else { x |> unit |> countdown(left - 1) } }
block split(x: [n, c, h, w]) { [x |> unit, x] }
block any_of(fs: list[block])(x: [n, c, h, w]) {
  f = fs[choose 0..<len(fs)]
  x |> f
}
def perhaps(f: block) { choose { no: identity, yes: f } }
def first(xs: list[tensor]) { xs[0] }
"""


@st.composite
def calling_spaces(draw: st.DrawFn) -> str:
    """A space of networks whose stages are calls of a few blocks, unshared, shared and tied."""
    widths = ["4", "4", "8", "width", "wide"]
    plain = ["unit", "unit", "sized", "picky", "grouped", "deep", "tree", "relu", "halved", "kept"]
    plain += ["light", "noisy", "global", "beside", "countdown"]

    def function(depth: int) -> str:
        options = list(plain)
        if depth:
            options += ["around", "twice", "both", "perhaps", "labelled", "repeat", "composed", "named", "any_of"]
        match draw(st.sampled_from(options)):
            case "sized":
                return f"sized({draw(st.sampled_from(widths))})"
            case "grouped":
                return f"grouped({draw(st.sampled_from(['1', '2', '3', 'width']))})"
            case "deep":
                return f"deep({draw(st.sampled_from(widths))})"
            case "halved":
                return draw(st.sampled_from(["halved", "halved(4)"]))
            case "beside":
                return f"beside({draw(st.sampled_from(['image', 'x']))})"
            case "countdown":
                return f"countdown({draw(st.sampled_from(['0', '1', '2']))})"
            case "kept":
                return draw(st.sampled_from(["same", "tied"]))
            case "around" | "twice" | "both" | "perhaps" as name:
                return f"{name}({function(depth - 1)})"
            case "labelled":
                return f"(choose {{ p: {function(depth - 1)}, q: {function(depth - 1)} }})"
            case "repeat":
                return f"repeat({draw(st.sampled_from(['2', 'choose 0..2']))}, {function(depth - 1)})"
            case "composed":
                return f"({function(depth - 1)} >> {function(0)})"
            case "named":
                return f"(choose [{function(0)}, {function(0)}] as op)"
            case "any_of":
                return f"any_of([{function(0)}, {function(0)}])"
            case name:
                return name

    lines = []
    for _ in range(draw(st.integers(1, 3))):
        match draw(st.sampled_from(["pipe", "pipe", "pipe", "loop", "branch", "pair", "list", "parts"])):
            case "pipe":
                lines.append(f"  x = x |> {function(1)}")
            case "loop":
                count = draw(st.sampled_from(["2", "(choose 1..2)"]))
                lines.append(f"  for i in 0..<{count} {{ x = x |> {function(1)} }}")
            case "branch":
                lines.append(f"  if width == 4 {{ x = x |> {function(1)} }} else {{ x = x |> {function(0)} }}")
            case "pair":
                lines.append(f"  x = (x, x |> {function(0)}) |> merge")
            case "parts":
                lines.append(f"  x = x |> {function(0)}")
                lines.append(f"  x = {draw(st.sampled_from(['first(x |> split)', '(x |> split)[choose 0..1]']))}")
            case _:
                lines.append(f"  x = sum([x |> f for f in [{function(0)}, {function(0)}]])")
    shared = []
    if any("same" in line for line in lines):
        shared.append(f"  same = share {draw(st.sampled_from(['unit', 'sized(4)', 'deep(4)', 'picky']))}")
    if any("tied" in line for line in lines):
        shared.append(f"  tied = tie {draw(st.sampled_from(['unit', 'sized(width)', 'both(unit)']))}")
    guard = draw(st.sampled_from(["", 'require groups != 3, "odd"', 'require groups < 4 and c > 4, "small"']))
    last = draw(st.sampled_from(["x |> global_avg_pool >> linear(2)", "x |> flatten", "x |> unit"]))
    space = "\n".join(
        [
            "space s(image: f32[n, 4, 8, 8]) {",
            "  width = choose [4, 6]",
            "  wide = if width == 4 { 8 } else { 4 }",
            *shared,
            "  x = image",
            *lines,
            f"  {last}",
            "}\n",
        ]
    )
    return HEAD.replace("  GUARD\n", f"  {guard}\n" if guard else "") + space
