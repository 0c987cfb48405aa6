"""Random rules of `with` for the spaces of `random_calls`."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.semantics.random_calls import calling_spaces

RULES = [
    "relu => gelu",
    "relu as f => f >> conv2d(4, kernel=choose [1, 3])",
    "conv2d(out, ...) => conv2d(out, bias=choose [false, true], ...)",
    "conv2d(out, kernel=k, ...) if k > 1 => conv2d(out, kernel=choose [k, k + 2], ...)",
    "conv2d(kernel=3, ...) as f => choose { same: f, other: relu >> f }",
    "conv2d(out) in unit => conv2d(out + 0 * wider)",
    "conv2d(out, ...) if out == 4 => conv2d(out * wider, ...) >> conv2d(out)",
    "unit => relu",
    "unit as f => f >> f",
    "unit as f => choose { keep: f, drop: identity }",
    "unit => same_for_all",
    "unit as f in both => twice(f)",
    "sized(out) if out == 8 => sized(out, kernel=choose [3, 5])",
    "sized(size, ...) => sized(size, ...)",
    'unit at "unit*" => identity',
    '_ as f at "**/conv2d*" => f >> relu',
    'conv2d as f at "**:p/**" => f >> gelu',
    "deep(out) as f => f >> unit",
    "add as f => f >> choose [relu, identity]",
    "grouped(groups) if groups != 3 => grouped(choose [1, groups])",
    "identity if wider == 2 => relu",
]


@st.composite
def rewritten_spaces(draw: st.DrawFn) -> str:
    """A space `s` with calls of a few blocks, and a space `t` derived from it, perhaps in two steps."""
    text = draw(calling_spaces())
    steps = draw(st.sampled_from([["t"], ["t"], ["between", "t"]]))
    base = "s"
    for name in steps:
        rules = draw(st.lists(st.sampled_from(RULES), min_size=1, max_size=4))
        shared = "  same_for_all = share unit\n" if any("same_for_all" in rule for rule in rules) else ""
        shared += "  wider = choose [1, 2]\n" if any("wider" in rule for rule in rules) else ""
        body = "".join(f"  {rule}\n" for rule in rules)
        text += f"space {name} = {base} with {{\n{shared}{body}}}\n"
        base = name
    return text
