"""Spaces to try searchers on: some that have one difficulty each, a Python function, and random ones."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from archlang.diagnostics import ArchError
from archlang.space.traced.asking import choose, integer, require
from archlang.space.traced.space import space_of

if TYPE_CHECKING:
    from archlang.space import SearchSpace, Space

SPACES = {
    # 4 * 3 * 2 * 3 programs
    "flat": """
space flat {
  a = choose [1, 2, 3, 4]
  b = choose { x: 0, y: 1, z: 2 }
  { a: a, b: b, c: choose [true, false], d: choose 2 of [10, 20, 30] }
}
""",
    # 1 + 3 * (2 + 4) programs
    "conditional": """
space conditional {
  model = choose {
    none: 0,
    some: [choose 1..3, choose { few: choose [1, 2], many: choose [1, 2, 3, 4] }],
  }
  { model: model }
}
""",
    # the pairs a < b of 0..7: 28 programs
    "constrained": """
space constrained {
  a = choose 0..7
  b = choose 0..7
  require a < b, "in order"
  { a: a, b: b }
}
""",
    # convolutions within a budget on a known cost: 57 of 120 programs
    "budget": """
use std.nn

space budget(image: f32[n, 1, 4, 4]) {
  width = choose [2, 4, 8]
  image |> conv2d(width) |> repeat(choose 0..3, unit) >> global_avg_pool >> linear(2)
}
block unit(x: [n, c, h, w]) { x |> choose { plain: conv2d(c, kernel=choose [1, 3]), wide: conv2d(2 * c) >> conv2d(c) } }
""",
    # recursion without a limit: not evaluated as a whole
    "recursive": """
space recursive {
  { chain: grow(choose [1, 2]), rate: choose [0.1, 0.2] }
}
def grow(x) { choose { stop: x, more: grow(x + choose [1, 2]) } }
""",
    "small": """
space small {
  { a: choose [1, 2], b: choose [1, 2, 3] }
}
""",
    "single": """
space single {
  { a: choose [1] }
}
""",
    "floats": """
space floats {
  rate = choose 1e-4..1e-1 log
  { rate: rate, kind: choose { plain: 0.0, heavy: choose 0.5..0.9 } }
}
""",
}
SIZES = {"flat": 72, "conditional": 19, "constrained": 28, "budget": 57, "small": 6, "single": 1, "python": 39}
BUDGETS = {"budget": ("params", 400)}


def python() -> tuple[int, list[int], list[str]]:
    """A Python function with 39 programs: width 8 has 3, width 16 (3 + 9) * 3."""
    width = choose([8, 16])
    units = []
    for _ in range(integer(1, 2)):
        units.append(choose({"plain": 0, "wide": lambda: choose([1, 2])}, name="unit"))
    require(width > 8 or len(units) == 1, "narrow networks are short")
    return width, units, choose(["a", "b"], (1, 2), name="heads") if width > 8 else []


def make_space(name: str) -> SearchSpace:
    """The space of that name, newly loaded; or the random space of a number given as text."""
    from archlang.space import loads

    if name == "python":
        return space_of(python)
    if name.isdigit():
        return random_space(int(name))
    space = loads(SPACES[name])
    if name in BUDGETS:
        cost, most = BUDGETS[name]
        space = space.narrowed(f"{cost} <= {most}")
    return space


def random_space(number: int) -> Space:
    """The space of that number: nested, conditional, shared, subset, integer and float decisions, most
    with requirements."""
    from archlang.space import loads

    for attempt in range(100):
        try:
            return loads(space_text(Random(f"{number}/{attempt}")))
        except ArchError as problem:
            if "no program" not in problem.diagnostics[0].message:  # else: none meets the requirements
                raise
    raise AssertionError(f"no space of number {number} has a program")


def space_text(random: Random) -> str:
    """The text of a space of values."""
    names: list[str] = []
    lines: list[str] = []
    for name in "abcdef"[: random.randint(3, 6)]:
        lines.append(f"  {name} = {_number(random, names, 2)}")
        names.append(name)
    for _ in range(random.randint(0, 2)):
        one, other = random.sample(names, 2)
        condition = random.choice([f"{one} <= {other} + 1", f"{one} + {other} != 3", f"{one} < 4 or {other} > 1"])
        lines.append(f'  require {condition}, "a rule"')
    # Requirements on these could not be followed: too many picks.
    wide = ["", "", ", rate: choose 1e-4..1e-1 log", ", drop: choose 0.5..0.9", ", size: choose 1..99_999"]
    lines.append(f"  {{ {', '.join(f'{name}: {name}' for name in names)}{random.choice(wide)} }}")
    return "def twice(x) { choose { no: x, yes: x + choose [1, x + 1] } }\nspace drawn {\n" + "\n".join(lines) + "\n}\n"


def _number(random: Random, names: list[str], depth: int) -> str:
    """An expression of a small integer; `names` are those of other ones."""
    kinds = ["listed", "range"]
    if names:
        kinds += ["shared"]
    if depth:
        kinds += ["labelled", "labelled", "conditional", "subset", "subset", "repeated", "call"]
    inner = [_number(random, names, depth - 1) for _ in range(2)] if depth else []
    match random.choice(kinds):
        case "listed":
            return random.choice(["(choose [1, 2])", "(choose [0, 2, 5])", "(choose [3])"])
        case "range":
            return random.choice(["(choose 0..3)", "(choose 0..8 step 2)"])
        case "shared":
            return f"({random.choice(names)} + {random.choice(names)})"
        case "labelled":
            return f"(choose {{ p: {inner[0]}, q: {inner[1]}, r: 1 }})"
        case "conditional":
            asked = random.choice(names) if names else "(choose [1, 2])"
            return f"(if {asked} > 1 {{ {inner[0]} }} else {{ {inner[1]} }})"
        case "subset":
            kind = random.choice(["", " ordered", " repeated"])
            return f"sum(choose {random.choice(['2', '1..2', '0..2'])} of [{inner[0]}, {inner[1]}, 4]{kind})"
        case "repeated":
            return f"sum([{inner[0]} for i in 0..<(choose 0..2)])"
        case _:
            return f"twice({inner[0]})"
