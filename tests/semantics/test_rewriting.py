"""Spaces derived by `with`: what is rewritten, what decisions that adds and where they have their addresses."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings

import archlang as al
from archlang.diagnostics import ArchError
from tests.semantics.random_rules import rewritten_spaces
from tests.semantics.test_reuse import agree
from tests.space.random_spaces import network_spaces

HEAD = """
use std.nn
use std.blocks: conv_bn
block unit(out: int, kernel: int = 3)(x: [n, c, h, w]) { x |> conv2d(out, kernel=kernel) |> relu }
block pair(out: int)(x: [n, c, h, w]) { x |> unit(out) |> unit(out, kernel=1) }
block cell(x: [n, c, h, w]) { x |> choose { conv: conv2d(c), skip: identity } }
"""


def derived(body: str, *rules: str, before: str = "", name: str = "t") -> al.Space:
    """The space with a body, rewritten by rules (texts of `with` blocks, one after the other)."""
    text = f"{HEAD}{before}space s(x: f32[n, 4, 8, 8]) {{\n{body}\n}}\n"
    base = "s"
    for number, step in enumerate(rules, 1):
        here = name if number == len(rules) else f"step{number}"
        text += f"space {here} = {base} with {{\n{step}\n}}\n"
        base = here
    return al.loads(text, name)


def by_hand(body: str, before: str = "") -> al.Space:
    return al.loads(f"{HEAD}{before}space s(x: f32[n, 4, 8, 8]) {{\n{body}\n}}\n", "s")


def addresses(space: al.Space) -> list[str]:
    return [decision.address for decision in space.all_decisions()]


def first(space: al.Space) -> al.Program:
    """The program with the first pick of every decision."""
    return space.program(next(iter(space.enumerate())))


def networks(space: al.Space) -> Counter[str]:
    """How many programs make each network."""
    return Counter(space.program(choices).canonical_hash for choices in space.enumerate())


@pytest.mark.parametrize(
    ("body", "rules", "hand"),
    [
        ("x |> conv2d(8)", "conv2d => conv2d(4)", "x |> conv2d(4)"),
        ("x |> conv2d(8)", "relu => gelu\nconv2d(...) => conv2d(kernel=5, ...)", None),
        (
            "x |> conv2d(8, stride=2) |> relu",
            "conv2d(out, ...) => conv2d(2 * out, kernel=choose [3, 5], ...)\nrelu => choose [relu, gelu]",
            "x |> conv2d(16, kernel=choose [3, 5], stride=2) |> choose [relu, gelu]",
        ),
        (
            "x |> pair(8)",
            "unit(out, kernel=k) => unit(out, kernel=choose [k, k + 2])",
            "x |> unit(8, kernel=choose [3, 5]) |> unit(8, kernel=choose [1, 3])",
        ),
        (
            "x |> pair(8)",
            "unit(out, kernel=1) => unit(out)",
            "x |> unit(8) |> unit(8)",
        ),
        (
            "x |> unit(8)",
            "unit as f => f >> relu >> f",
            "x |> unit(8) |> relu |> unit(8)",
        ),
        (  # what the original holds is rewritten by all rules, what else is put in by the others
            "x |> unit(8)",
            "unit as f => f >> unit(8)\nrelu => gelu",
            "x |> conv2d(8) |> gelu |> conv2d(8) |> gelu",
        ),
        (  # no rule rewrites what it puts in, at any depth
            "x |> relu",
            "relu => conv2d(4) >> relu >> unit(4)",
            "x |> conv2d(4) |> relu |> unit(4)",
        ),
        (  # nor do the rules before and after it rewrite the calls that stand in a replacement
            "x |> relu |> gelu",
            "relu => gelu\ngelu => relu",
            "x |> gelu |> relu",
        ),
        (
            "width = choose [4, 8]\nx |> conv2d(width) |> relu",
            "conv2d(out) if out == 8 => conv2d(out, kernel=choose [1, 3])",
            "w = choose [4, 8]\nx |> (if w == 8 { conv2d(8, kernel=choose [1, 3]) } else { conv2d(4) }) |> relu",
        ),
        (
            "x + (x |> conv2d(4)) |> relu",
            "add as f => f >> gelu",
            "x + (x |> conv2d(4)) |> gelu |> relu",
        ),
        (
            "(sum([x, x |> conv2d(4)]))",
            "add as f => f >> gelu",
            "sum([x, x |> conv2d(4)]) |> gelu",
        ),
        (
            "x |> cell |> cell",
            "same = share cell\ncell => same",
            "same = share cell\nx |> same |> same",
        ),
        (
            "x |> repeat(2, cell)",
            "one = choose [3, 5]\nconv2d(out) in cell => conv2d(out, kernel=one)",
            "one = choose [3, 5]\nx |> repeat(2, choose { conv: conv2d(4, kernel=one), skip: identity })",
        ),
    ],
)
def test_a_rewritten_space_is_the_one_written_by_hand(body: str, rules: str, hand: str | None) -> None:
    if hand is None:
        with pytest.raises(ArchError, match="E0219"):  # there is no `relu`
            derived(body, rules)
        return
    space = derived(body, rules)
    if "repeat" in body:  # where each repeat has its decision, and by hand there would be one for all
        hand = hand.replace("repeat(2, choose", "choose").replace("skip: identity })", "skip: identity }")
        hand = f"{hand} |> choose {{ conv: conv2d(4, kernel=one), skip: identity }}"
    assert networks(space) == networks(by_hand(hand))


def test_decisions_have_the_address_of_the_call() -> None:
    rules = "width = choose [1, 2]\nunit(out, ...) => unit(out * width, ...)\n"
    rules += "conv2d(kernel=k, ...) in unit => conv2d(kernel=choose [k, k + 2], ...)\nrelu => choose [relu, gelu]"
    assert addresses(derived("x |> pair(8)", rules)) == [
        "+t.width",
        "pair/unit#1/conv2d+t.kernel",
        "pair/unit#1/relu+t",
        "pair/unit#2/conv2d+t.kernel",
        "pair/unit#2/relu+t",
    ]


def test_what_rules_ask_has_no_address_of_another_decision() -> None:
    body = "x |> choose { a: conv2d(4, kernel=choose [1, 3]), b: identity }"
    again = "conv2d(out, kernel=k) => conv2d(out, kernel=choose [k, k + 2])"
    space = derived(body, again, again)
    assert addresses(space) == ["choice", "choice:a+step1.kernel", "choice:a+t.kernel", "choice:a.kernel"]
    assert space.size == 9


def test_what_is_put_in_place_keeps_the_address_and_the_weights() -> None:
    rules = "conv2d(out, ...) in unit => conv2d(out, bias=choose [false, true], ...)"
    program = first(derived("x |> unit(8)", rules))
    assert [node.address for node in program.graph.nodes] == ["unit/conv2d", "unit/relu"]
    assert program.canonical_hash == first(by_hand("x |> unit(8)")).canonical_hash


def test_a_binding_is_one_decision_and_an_argument_one_a_call() -> None:
    one = "k = choose [1, 3]\nconv2d(kernel=_, ...) => conv2d(kernel=k, ...)"
    each = "conv2d(kernel=_, ...) => conv2d(kernel=choose [1, 3], ...)"
    assert derived("x |> pair(8)", one).size == 2
    assert derived("x |> pair(8)", each).size == 4


def test_shared_calls_share_what_a_rule_asks() -> None:
    body = "same = share unit(4)\nx |> same |> same |> unit(4)"
    space = derived(body, "conv2d(out, ...) => conv2d(out, kernel=choose [3, 5])")
    assert addresses(space) == ["same/conv2d+t.kernel", "unit/conv2d+t.kernel"]
    assert space.size == 4


def test_the_first_rule_that_matches_is_taken() -> None:
    rules = "conv2d(kernel=1, ...) => identity\nconv2d(...) => conv2d(bias=true, ...)"
    assert networks(derived("x |> pair(4)", rules)) == networks(by_hand("x |> conv2d(4, bias=true) |> relu |> relu"))


def test_a_pattern_without_dots_matches_calls_with_no_other_arguments() -> None:
    body = "x |> conv2d(4) |> conv2d(4, stride=2)"
    assert networks(derived(body, "conv2d(out) => identity")) == networks(by_hand("x |> conv2d(4, stride=2)"))
    assert networks(derived(body, "conv2d => relu")) == networks(by_hand("x |> relu |> relu"))


def test_captures_hold_defaults_and_sizes_of_inputs() -> None:
    before = "block grown(out: int = 2 * c)(x: [n, c, h, w]) { x |> conv2d(out) }\n"
    space = derived("x |> grown", "grown(out) => grown(out + 1)", before=before)
    assert networks(space) == networks(by_hand("x |> conv2d(9)"))


def test_addresses_are_matched_by_segment() -> None:
    body = "x |> repeat(2, unit(4)) |> pair(4)"

    def rewritten(pattern: str) -> int:
        nodes = first(derived(body, f'relu at "{pattern}" => gelu')).graph.nodes
        return sum(node.operation.name == "gelu" for node in nodes)

    assert rewritten("unit[*]/relu") == 2
    assert rewritten("unit[1]/*") == 1
    assert rewritten("pair/**") == 2
    assert rewritten("**/relu") == 4
    assert rewritten("**") == 4
    with pytest.raises(ArchError, match="it is called at `unit\\[0\\]/relu`"):
        rewritten("*")
    whole = derived("x |> unit(4)", '_ as f at "unit" => f >> f')
    assert networks(whole) == networks(by_hand("x |> unit(4) |> unit(4)"))


def test_rules_of_a_second_step_see_what_the_first_made() -> None:
    first = "relu => gelu\nunit as f => f >> relu"
    space = derived("x |> unit(4)", first, "gelu => relu\nconv2d(out, ...) => conv2d(choose [4, 8], ...)")
    assert networks(space) == networks(by_hand("x |> conv2d(choose [4, 8]) |> relu |> relu"))
    later = derived("x |> unit(4)", "unit => pair(4)", "unit(kernel=1, ...) => identity", "relu => gelu")
    assert networks(later) == networks(by_hand("x |> conv2d(4) |> gelu"))


def test_a_block_of_the_same_name_takes_its_place_with_the_other_rules_inside() -> None:
    rules = "pair(out) => pair(out * 2)\nrelu in pair => gelu"
    hand = "x |> conv2d(8) |> gelu |> conv2d(8, kernel=1) |> gelu"
    assert networks(derived("x |> pair(4)", rules)) == networks(by_hand(hand))


def test_requirements_stand_among_rules() -> None:
    rules = "a = choose 1..4\nb = choose 1..4\nrequire a + b <= 4\nconv2d(out) => conv2d(a) >> conv2d(b)"
    assert derived("x |> conv2d(8)", rules).size == 6


def test_a_derived_space_is_a_block_like_others() -> None:
    text = HEAD + (
        "space s(x: f32[n, 4, 8, 8]) { x |> unit(4) }\n"
        "space t = s with {\n  k = choose [1, 3]\n  conv2d(out, ...) => conv2d(out, kernel=k)\n}\n"
        "space two(x: f32[n, 4, 8, 8]) { x |> t |> t |> s }\n"
        "space u = two with { relu => gelu }\n"
    )
    space = al.loads(text, "two")
    assert addresses(space) == ["t#1+t.k", "t#2+t.k"]
    names = [node.operation.name for node in first(al.loads(text, "u")).graph.nodes]
    assert names == ["conv2d", "gelu"] * 3


def test_configuration_stays() -> None:
    text = f"{HEAD}space s(out: int = 4)(x: f32[n, 4, 8, 8]) {{ x |> conv2d(out) |> relu }}\n"
    text += "space t = s with { relu => gelu }\n"
    assert al.loads(text, "t", out=16).program().cost().params == 4 * 16 * 9


def test_rules_and_the_space_may_stand_in_several_files(tmp_path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "net.arch").write_text(
        "use std.nn\nblock _unit(x: [n, c, h, w]) { x |> conv2d(c) |> relu }\n"
        "space net(x: f32[n, 4, 8, 8]) { x |> _unit |> _unit }\n"
    )
    (tmp_path / "open.arch").write_text(
        'use "./net.arch": net\nspace wide = net with {\n'
        "  conv2d(out) in _unit => conv2d(out, kernel=choose [3, 5])\n}\n"
    )
    (tmp_path / "more.arch").write_text(
        'use "./open.arch": wide\nuse std.nn: gelu\nspace more = wide with {\n  relu => choose [relu, gelu]\n}\n'
    )
    space = al.load(str(tmp_path / "more.arch"))
    assert addresses(space) == [
        "_unit#1/conv2d+wide.kernel",
        "_unit#1/relu+more",
        "_unit#2/conv2d+wide.kernel",
        "_unit#2/relu+more",
    ]
    program = space.sample(3)
    again = al.loads(program.source())
    assert again.program().canonical_hash == program.canonical_hash
    assert sorted(path.rpartition("/")[2] for path in space.texts) == ["more.arch", "net.arch", "open.arch"]


def test_the_original_may_be_given_to_a_block() -> None:
    before = "block twice(f: block)(x: [n, c, h, w]) { x |> f |> f }\n"
    space = derived("x |> cell", "cell as f => twice(f)\nconv2d(...) => conv2d(bias=true, ...)", before=before)
    hand = "x |> choose { conv: conv2d(4, bias=true), skip: identity } "
    assert networks(space) == networks(by_hand(f"{hand}{hand.removeprefix('x')}"))


def test_partial_channels_see_the_choices_of_rules() -> None:
    space = derived("x |> conv2d(4) |> relu", "relu as f => choose { same: f, gelu: gelu }")
    names = [node.operation.name for node in first(space.partial(2)).graph.nodes]
    assert names.count("slice") == 2


def test_a_rule_of_an_earlier_step_may_have_lost_its_calls() -> None:
    space = derived("x |> unit(4)", "relu in unit => gelu", "unit => conv2d(4)")
    assert networks(space) == networks(by_hand("x |> conv2d(4)"))


@pytest.mark.parametrize(
    ("rules", "code", "told"),
    [
        ("conv3d => conv2d(3)", "E0219", "did you mean `conv2d`?"),
        ("depthwise_conv2d => relu", "E0219", "it calls `add`, `conv2d`, `relu`, `unit`"),
        ("conv2d in pair => relu", "E0219", "it is called, at `unit/conv2d`, but not in a `pair`"),
        ('conv2d at "unit" => relu', "E0219", "it is called at `unit/conv2d`"),
        ("conv2d(out) => relu", "E0219", "its calls give other arguments too: end the pattern with `...`"),
        ("conv2d(kernel=7, ...) => relu", "E0219", "but with other arguments"),
        ("conv2d(out, ...) if out > 8 => relu", "E0219", "but the condition does not hold there"),
        ("relu => gelu\nrelu => identity", "E0219", "an earlier rule rewrites these calls"),
        ("conv2d(kernal=k, ...) => relu", "E0211", "did you mean `kernel`?"),
        ("conv2d(out, kernel=k) => conv2d(out, kernel=j)", "E0201", "there is nothing called `j`"),
        ("unti => relu", "E0201", "did you mean `unit`?"),
        ("relu in untt => relu", "E0201", "did you mean `unit`?"),
        ("len => relu", "E0220", "`len` is a function of the language"),
        ("_(out) => relu", "E0210", "`_` stands for any call"),
        ("conv2d(out, kernel=out, ...) => relu", "E0120", "the capture `out` is given twice"),
        ("relu => 3", "E0301", "only blocks, ops and functions can be applied, and this is an int"),
        ("relu as f if 3 => f", "E0301", "a condition must be true or false"),
        ("relu => conv2d(5)", "E0304", "shapes do not agree in `+`"),
    ],
)
def test_what_is_wrong_with_rules_is_told(rules: str, code: str, told: str) -> None:
    with pytest.raises(ArchError) as caught:
        derived("x + (x |> unit(4))", rules)
    (found,) = caught.value.diagnostics
    assert found.code == code
    assert told in str(caught.value)


def test_a_space_derived_from_itself_is_told_once() -> None:
    for text in ("space a = a with { }", "space a = b with { }\nspace b = a with { }"):
        with pytest.raises(ArchError, match="derived from itself") as caught:
            al.loads(text, "a")
        assert len(caught.value.diagnostics) == 1


def test_another_block_of_the_name_is_not_the_one_that_is_called(tmp_path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "net.arch").write_text("block b(x: [n, c]) { x }\nspace net(x: f32[n, 8]) { x |> b }\n")
    text = 'use "./net.arch": net\nuse std.nn\nblock b(x: [n, c]) { x |> relu }\nspace t = net with { b => b }\n'
    (tmp_path / "t.arch").write_text(text)
    with pytest.raises(ArchError, match="it calls another `b`: this one is looked up where the rule stands"):
        al.load(str(tmp_path / "t.arch"))


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(network_spaces())
def test_rewriting_calls_is_rewriting_text(text: str) -> None:
    stages = text[text.index("block unit") :]
    by_text = re.sub(r"conv2d\(([^()]*)\)", r"conv2d(\1, bias=true)", stages).replace("relu", "gelu")
    rules = "  conv2d(...) => conv2d(bias=true, ...)\n" * ("conv2d" in stages)
    # A rule for what some random text does not call would be an error.
    rules += "  _ as f => f >> identity\n" if "relu" not in stages else "  relu => gelu\n"
    try:
        written = al.loads(f"use std.nn\n{by_text}")
        total = written.size
    except ArchError as problem:
        with pytest.raises(ArchError) as caught:
            al.loads(f"{text}space t = s with {{\n{rules}}}\n", "t")
        codes = {found.code for found in problem.diagnostics}
        assert {found.code for found in caught.value.diagnostics} == codes
        return
    try:
        space = al.loads(f"{text}space t = s with {{\n{rules}}}\n", "t")
    except ArchError as problem:
        if {found.code for found in problem.diagnostics} == {"E0219"}:
            return  # what is written is never needed
        raise
    assert space.size == total
    if total <= 500:
        assert networks(space) == networks(written)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(rewritten_spaces())
def test_each_program_is_what_it_is_in_the_whole_space(text: str) -> None:
    agree(text, "t", most=200)
