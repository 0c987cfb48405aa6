"""Random small spaces as `.arch` text: shared, nested, conditional, subset and depth choices."""

from __future__ import annotations

from hypothesis import strategies as st

NAMES = "abcdefgh"


@st.composite
def static_spaces(draw: st.DrawFn) -> str:
    """A space of static values only, with a few decisions and some `require`s."""
    lines: list[str] = []
    known: list[str] = []

    def number(depth: int) -> str:
        options = ["literal", "choice"]
        if known:
            options += ["name", "name", "sum"]
        if depth:
            options += ["labelled", "conditional", "subset", "list", "call"]
        match draw(st.sampled_from(options)):
            case "literal":
                return str(draw(st.integers(0, 3)))
            case "choice":
                return draw(st.sampled_from(["(choose [1, 2])", "(choose 0..2)", "(choose [3])", "(choose [0, 2, 5])"]))
            case "name":
                return draw(st.sampled_from(known))
            case "sum":
                return f"({number(0)} + {number(0)})"
            case "labelled":
                return f"(choose {{ p: {number(depth - 1)}, q: {number(depth - 1)} }})"
            case "conditional":
                return f"(if {number(0)} > 1 {{ {number(depth - 1)} }} else {{ {number(depth - 1)} }})"
            case "subset":
                kind = draw(st.sampled_from(["", " ordered", " repeated", " ordered repeated"]))
                count = draw(st.sampled_from(["1", "2", "1..2", "0..1"]))
                items = ", ".join(number(depth - 1) for _ in range(draw(st.integers(2, 3))))
                return f"sum(choose {count} of [{items}]{kind})"
            case "list":
                return f"sum([{number(depth - 1)} for i in 0..<(choose 0..2)])"
            case _:
                return f"f({number(depth - 1)})"

    body = "def f(x) { choose { no: x, yes: choose [1, x + 1] } }\nspace s() {\n"
    for name in NAMES[: draw(st.integers(1, 4))]:
        lines.append(f"  {name} = {number(2)}")
        known.append(name)
    if draw(st.booleans()):
        lines.append(f'  require {draw(st.sampled_from(known))} < {draw(st.integers(1, 4))}, "small"')
    fields = ", ".join(f"r{index}: {number(1)}" for index in range(draw(st.integers(1, 2))))
    return body + "\n".join(lines) + f"\n  {{ {fields} }}\n}}\n"


@st.composite
def network_spaces(draw: st.DrawFn) -> str:
    """A space of networks; some of its programs may be broken or excluded."""

    def stage(depth: int) -> str:
        options = ["relu", "conv", "conv", "choice", "stride"]
        if depth:
            options += ["labelled", "labelled", "repeat", "residual", "block", "shared"]
        match draw(st.sampled_from(options)):
            case "relu":
                return "relu"
            case "conv":
                return f"conv2d({channels()}, kernel={draw(st.sampled_from(['1', '3', 'choose [1, 3]']))})"
            case "stride":
                return f"conv2d(4, stride={draw(st.sampled_from(['2', 'choose [1, 2]']))})"
            case "choice":
                return "choose [relu, identity]"
            case "labelled":
                return f"choose {{ p: {stage(depth - 1)}, q: {stage(depth - 1)} >> {stage(0)} }}"
            case "repeat":
                return f"repeat({draw(st.sampled_from(['2', 'choose 0..2']))}, {stage(depth - 1)})"
            case "residual":
                return f"residual({stage(depth - 1)})"
            case "block":
                return "unit"
            case _:
                return "same"

    def channels() -> str:
        return draw(st.sampled_from(["4", "4", "choose [4, 8]", "width"]))

    stages = "".join(f"\n    |> {stage(2)}" for _ in range(draw(st.integers(1, 3))))
    requirement = '  require depth(y) < 4, "shallow"\n' if draw(st.integers(0, 5)) == 0 else ""
    requirement += '  require params(y) <= 600, "small"\n' if draw(st.integers(0, 3)) == 0 else ""
    return (
        "use std.nn\n"
        "block unit(x: [n, c, h, w]) { x |> choose { a: conv2d(c, kernel=choose [1, 3]), b: identity } }\n"
        "block residual(f: block)(x: [n, c, h, w]) { x + (x |> f) }\n"
        "space s(image: f32[n, 4, 8, 8]) {\n"
        "  width = choose [4, 6]\n"
        "  same = share unit\n"
        f"  y = image{stages}\n"
        f"{requirement}"
        "  y |> global_avg_pool >> linear(2)\n"
        "}\n"
    )
