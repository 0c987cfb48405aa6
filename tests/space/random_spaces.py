"""Random small spaces as `.arch` text: shared, nested, conditional, subset and depth choices."""

from __future__ import annotations

from hypothesis import strategies as st

NAMES = "abcdefgh"


@st.composite
def static_spaces(draw: st.DrawFn, mistakes: bool = False) -> str:
    """A space of static values only, with a few decisions and some `require`s; and with mistakes,
    if they are asked for, which some choices or all lead to."""
    lines: list[str] = []
    known: list[str] = []

    def number(depth: int) -> str:
        options = ["literal", "choice"]
        if known:
            options += ["name", "name", "sum"]
        if depth:
            options += ["labelled", "conditional", "subset", "list", "call"]
            if mistakes:
                options += ["element", "division", "field", "guarded"]
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
            case "element":
                return f"[1, 2, 3][{number(depth - 1)}]"
            case "division":
                return f"(6 // {number(0)})"
            case "field":
                return f"(choose {{ p: {{ u: {number(0)}, v: 2 }}, q: {{ u: {number(0)} }} }}).v"
            case "guarded":
                return f"(if {number(0)} + {number(0)} > 3 {{ {number(0)} + [1][{number(0)}] }} else {{ {number(0)} }})"
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
    requirement += '  require width == 4, "narrow"\n' if draw(st.integers(0, 2)) == 0 else ""
    guard = draw(st.sampled_from(["", "", '  require c != 6, "even"\n ', '  require c < 8 or h > 4, "wide"\n ']))
    return (
        "use std.nn\n"
        f"block unit(x: [n, c, h, w]) {{\n{guard}"
        " x |> choose { a: conv2d(c, kernel=choose [1, 3]), b: identity }\n}\n"
        "block residual(f: block)(x: [n, c, h, w]) { x + (x |> f) }\n"
        "space s(image: f32[n, 4, 8, 8]) {\n"
        "  width = choose [4, 6]\n"
        "  same = share unit\n"
        f"  y = image{stages}\n"
        f"{requirement}"
        "  y |> global_avg_pool >> linear(2)\n"
        "}\n"
    )


@st.composite
def budget_spaces(draw: st.DrawFn) -> str:
    """A space of valid networks, most of them with requirements on costs."""
    convolution = "conv2d(choose [4, 6], kernel=choose [1, 3])"

    def stage(depth: int) -> str:
        options = ["relu", convolution, convolution, "conv2d(width)", "conv2d(4, stride=choose [1, 2])", "unit", "same"]
        if depth:
            options += ["labelled", "labelled", "repeat", "branches"]
        match draw(st.sampled_from(options)):
            case "labelled":
                return f"choose {{ p: {stage(depth - 1)}, q: {stage(depth - 1)} >> {stage(0)} }}"
            case "repeat":
                return f"repeat({draw(st.sampled_from(['2', 'choose 0..2']))}, {stage(depth - 1)})"
            case "branches":
                sides = st.sampled_from(["relu", "unit", convolution])
                return f"branches({draw(sides)}, {draw(sides)})"
            case plain:
                return plain

    costs = ("params(y)", "macs(y)", "activations(y)", "macs(y) / 1k", "params(y) + activations(y)", "depth(y)")
    costs += ("memory_traffic(y) / 1k", "alpha_flops(y)")
    rules = ""
    for _ in range(draw(st.integers(0, 2))):
        cost = draw(st.sampled_from(costs))
        sign = draw(st.sampled_from(["<=", "<", ">=", ">", "==", "!="]))
        limit = draw(st.sampled_from([2, 50, 150, 300, 500, 900, 1_500, 5_000, 20_000, 60_000]))
        first = f"{cost} {sign} {limit}"
        if draw(st.booleans()):
            first = f"{first} {draw(st.sampled_from(['and', 'or']))} width == 4"
        rules += f'  require {first}, "rule"\n'
    stages = "".join(f"\n    |> {stage(2)}" for _ in range(draw(st.integers(1, 3))))
    return (
        "use std.nn\n"
        "block unit(x: [n, c, h, w]) { x |> choose { a: conv2d(c, kernel=choose [1, 3]), b: identity } }\n"
        "block branches(f: block, g: block)(x: [n, c, h, w]) {\n"
        "  concat([x |> f, x |> g])\n}\n"
        "space s(image: f32[n, 4, 8, 8]) {\n"
        "  width = choose [4, 6]\n"
        "  same = share unit\n"
        f"  y = image{stages}\n"
        f"{rules}"
        "  y |> global_avg_pool >> linear(2)\n"
        "}\n"
    )
