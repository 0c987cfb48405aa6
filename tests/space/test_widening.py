"""Spaces too entangled to be listed: what is proven of them by bounds, against every program."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import assume, given
from hypothesis import strategies as st

import archlang as al
from archlang.cli.main import main
from archlang.diagnostics import ArchError
from archlang.semantics import bounded, widening
from archlang.semantics.arithmetic import binary
from archlang.semantics.fault import Entangled, FaultSignal
from archlang.semantics.values import Symbolic, Undecided
from archlang.space import analysis
from archlang.space.bounds import BOUNDED
from archlang.space.resolver import OnceForAll
from tests.semantics.test_reuse import followed
from tests.space.random_spaces import network_spaces, static_spaces
from tests.space.test_against_enumeration import choices_of, collect, relaxed, space_in

SYMBOLS = ["+", "-", "*", "/", "//", "%", "^", "<", "<=", ">", ">=", "==", "!="]
numbers = st.integers(-6, 9) | st.sampled_from([0.5, 2.5, -1.5])


@given(st.lists(numbers, min_size=1, max_size=4), st.lists(numbers, min_size=1, max_size=4), st.sampled_from(SYMBOLS))
def test_bounds_hold_every_value(left: list[float], right: list[float], symbol: str) -> None:
    """An operator on numbers by their bounds, against all values that they stand for."""

    def by_bounds(values: list[float]) -> Symbolic:
        facts = bounded.hull(map(bounded.known_of, values))
        return Symbolic(None, (), frozenset("d"), facts.low, facts.high, None, facts.step, facts.offset)

    found = []
    for a, b in product(left, right):
        try:
            found.append(binary(symbol, None, a, b))
        except FaultSignal:
            found.append(None)
    try:
        result = binary(symbol, None, by_bounds(left), by_bounds(right))
    except Entangled:
        return
    if isinstance(result, Undecided):
        return
    if symbol in ("/", "//", "%", "^") and None in found:
        assume(any(type(value) is float for value in right) or symbol == "^")  # a float may be zero
        found = [value for value in found if value is not None]
    known = bounded.known_of(result) if not isinstance(result, bool) else None
    for value in found:
        if known is None:
            assert value is result
        else:
            assert known.low <= value <= known.high
            if known.step is not None:
                assert type(value) is int
                assert (value - known.offset) % known.step == 0 if known.step else value == known.offset


@st.composite
def arithmetic_spaces(draw: st.DrawFn) -> str:
    """Numbers made of each other, that sizes and requirements depend on."""
    lines, known = list[str](), list[str]()
    for name in "abcdef"[: draw(st.integers(2, 5))]:
        picks = draw(st.sampled_from(["[1, 2]", "[2, 4]", "[3, 6, 9]", "[4, 8]", "1..4", "0..2"]))
        lines.append(f"  {name} = choose {picks}")
        known.append(name)
    some = st.sampled_from(known) | st.sampled_from(["1", "2", "4"])

    def term() -> str:
        shape = draw(
            st.sampled_from(
                ["({} + {})", "({} * {})", "({} - {})", "({} // 2)", "({} % 4)", "max({}, {})", "int({} / 2)"]
            )
        )
        return shape.format(*[draw(some) for _ in range(shape.count("{}"))])

    for name in "pqrs"[: draw(st.integers(1, 4))]:
        lines.append(f"  {name} = {term()}")
        known.append(name)
    some = st.sampled_from(known) | st.sampled_from(["1", "2", "4"])
    tests = [f"{draw(some)} {draw(st.sampled_from(['<', '<=', '==', '!=', '>']))} {term()}" for _ in range(3)]
    for form in draw(st.lists(st.sampled_from(["{}", "not ({})", "{} and {}", "{} or {}"]), max_size=2)):
        lines.append("  require " + form.format(*tests))
    if draw(st.booleans()):
        last = f"{{ u: {known[-1]}, v: {known[-2]}, w: {term()} }}"
    else:
        width, groups = draw(some), draw(st.sampled_from(["1", "1", "2"]))
        last = (
            f"image |> conv2d({width}) |> conv2d({draw(some)}, groups={groups}) |> residual(conv2d({draw(some)}))"
            f" |> global_avg_pool >> linear({draw(some)})"
        )
    head = "use std.nn\nblock residual(f: block)(x: [n, c, h, w]) { x + (x |> f) }\n"
    return head + "space s(image: f32[n, 4, 4, 4]) {\n" + "\n".join(lines) + f"\n  {last}\n}}\n"


@pytest.mark.parametrize(
    "texts",
    [arithmetic_spaces(), static_spaces(mistakes=True), network_spaces()],
    ids=["arithmetic", "static", "networks"],
)
@pytest.mark.parametrize("listed", [1, 6, 20])
def test_what_is_proven_holds_for_every_program(
    texts: st.SearchStrategy[str], listed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(widening, "MAX_LISTED", listed)
    seen = {"exact": 0, "open": 0}

    @relaxed
    @given(texts)
    def compare(text: str) -> None:
        space = space_in(text)
        programs = collect(space)
        try:
            once = OnceForAll(space.module, space.declaration, {}, widen=True)
        except Entangled:
            return
        except FaultSignal:
            assert all(program.fault is not None for program in programs), text
            return
        seen["open" if once.open else "exact"] += 1
        for program in programs:
            same = followed(once, program).fault
            if program.fault is None:
                assert same is None, text
            elif not once.open:
                assert same is not None, text
                assert (same.excluded, same.diagnostic.code) == (program.fault.excluded, program.fault.diagnostic.code)
            elif not program.fault.excluded and all(each.requirement for each in once.open):
                assert same is not None, text

    compare()
    assert seen["exact"]


@given(arithmetic_spaces())
def check_spaces(text: str) -> None:
    space = space_in(text)
    programs = collect(space)
    valid = {choices_of(program) for program in programs if program.fault is None}
    broken = {program.fault.diagnostic.code for program in programs if program.fault and not program.fault.excluded}
    try:
        space.check()
    except ArchError as problem:
        told = {found.code for found in problem.diagnostics}
        assert told <= broken | {"E0503", "E0505"}, text
        assert broken or not valid, text
        return
    if space.unproved is None:
        assert not broken, text
        count = space.count()
        assert count.low <= len(valid) <= count.high, text


def test_checks_of_entangled_spaces(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if nothing could be listed: no false error, no false proof, and counts that hold."""

    class Never(OnceForAll):
        def __init__(self, *arguments: object, widen: bool = False) -> None:
            if not widen:
                raise Entangled("nothing can be listed")
            super().__init__(*arguments, widen=True)  # type: ignore[arg-type]

    monkeypatch.setattr(analysis, "OnceForAll", Never)
    monkeypatch.setattr(widening, "MAX_LISTED", 4)
    relaxed(check_spaces)()


WIDE = """use std.nn
space wide(x: f32[n, 3, 8, 8]) {
  concat([x |> conv2d(choose [1, 2 ^ i + 1] as width) for i in 0..<24]) |> conv2d(8)
    |> global_avg_pool
    |> linear(10)
}
"""


def test_sums_of_many_widths_are_followed_by_their_bounds() -> None:
    space = al.loads(WIDE)
    assert space.unproved is None
    assert space.size == 2**24
    program = space.sample(seed=3)
    width = sum(1 + program.choices[f"width[{i}]"] * 2**i for i in range(24))
    assert program.graph.nodes[-3].operation.inputs[0].shape[1] == width
    batch = space.sample_many(5, seed=1)
    assert space.costs(batch)["params"].tolist() == [space.program(one).cost().params for one in batch]


@pytest.mark.parametrize("name", BOUNDED)
def test_costs_of_sizes_known_by_bounds_are_refused(name: str) -> None:
    with pytest.raises(ArchError, match=f"the bounds of `{name}` over `wide` cannot be worked out"):
        al.loads(WIDE).bounds(name)


def test_divisibility_is_proven_by_remainders() -> None:
    text = WIDE.replace("[1, 2 ^ i + 1]", "[8, 8 * (2 ^ i + 1)]").replace("conv2d(8)", "conv2d(8, groups=8)")
    assert al.loads(text).unproved is None
    with pytest.raises(ArchError) as refused:
        al.loads(text.replace("groups=8", "groups=16").replace("conv2d(8,", "conv2d(16,"))
    (found,) = refused.value.diagnostics
    assert found.code == "E0313"
    assert found.cause is not None
    assert len(found.cause.choices) == 24


OPEN = """space open() {
  numbers = [choose 1..100 as number for i in 0..<30]
  require sum([n ^ 3 for n in numbers]) % 7 == 3
  numbers
}
"""


def test_numbers_made_in_a_block_are_its_own() -> None:
    """A block whose sizes are known by their bounds is not evaluated once for several calls."""
    space = al.loads("""use std.nn
block doubled(x: [n, c, h, w]) { x |> conv2d(2 * c) }
block wide(x: [n, c, h, w]) {
  concat([x |> conv2d(choose [1, 2 ^ i + 1] as width) for i in 0..<20]) |> doubled
}
space two(x: f32[n, 3, 8, 8]) { concat(x |> wide, x |> wide) |> conv2d(8) }
""")
    assert space.unproved is None
    picks = {decision.address: 0 for decision in space.all_decisions()}
    assert len(picks) == 40
    for address in picks:
        program = space.program({**picks, address: 1})
        made = [
            node.operation.output.shape[1] for node in program.graph.nodes if node.address.endswith("doubled/conv2d")
        ]
        raised = 2 ** (1 + int(address.rpartition("[")[2][:-1]))
        assert made == ([40 + raised, 40] if address.startswith("wide#1") else [40, 40 + raised]), address


def test_requirements_that_are_left_open_are_named(tmp_path: Path) -> None:
    path = tmp_path / "open.arch"
    path.write_text(OPEN, encoding="utf-8")
    told = CliRunner().invoke(main, ["check", str(path)])
    assert told.exit_code == 0
    first, second = told.stdout.splitlines()
    assert first == f"open: every program is valid (between 0 and {100**30:,} programs)"
    assert second.startswith(f"open: which programs meet the requirement at {path}:3:11 (number[0], ")
    space = al.load(str(path))
    assert sum(n**3 for n in space.sample(seed=1).choices.values()) % 7 == 3


CROSSED = """use std.nn
space crossed(x: f32[n, 3, 32, 32]) {
  early = [choose [16, 24, 32, 48, 64, 96] as early for i in 0..<8]
  late = [choose [16, 24, 32, 48, 64, 96] as late for i in 0..<8]
  y = x
  for i in 0..<8 { y = y |> conv2d(early[i]) |> conv2d(late[7 - i]) |> relu }
  require macs(y) <= 300M
  y |> global_avg_pool |> linear(10)
}
"""


def test_budgets_that_hang_together_too_much_are_left_open() -> None:
    space = al.loads(CROSSED)
    assert space.unproved is None
    (place,) = space.left_open
    assert place.startswith("<text>:7:3 (early[0], ")
    assert (space.count().low, space.count().high) == (0, 6**16)
    assert space.sample(seed=1).cost().macs <= 300_000_000
    with pytest.raises(ArchError, match="shapes do not agree"):
        al.loads(CROSSED.replace("relu }", "residual(conv2d(48)) }").replace("\nspace", RESIDUAL))


RESIDUAL = "\nblock residual(f: block)(x: [n, c, h, w]) { x + (x |> f) }\nspace"


def test_costs_of_joined_layers_are_followed_exactly() -> None:
    """A concatenation's costs hang from all widths at once: they are worked out as sums."""
    text = """use std.nn
space joined(x: f32[n, 3, 8, 8]) {
  widths = [choose [8, 16, 24] as width for i in 0..<5]
  y = concat([x |> conv2d(w, kernel=choose [1, 3] as kernel) for w in widths]) |> conv2d(widths[0])
  require macs(y) <= 600k and activations(y) < 12k
  y |> global_avg_pool |> linear(10)
}
"""
    space, free = al.loads(text), al.loads(text.replace("  require", "  # require"))
    costs = [free.program(choices).cost() for choices in free.enumerate()]
    for name in ("params", "macs", "activations", "weight_bytes"):
        found = free.bounds(name)
        values = [getattr(cost, name) for cost in costs]
        assert (found.least.value, found.most.value) == (min(values), max(values)), name
        assert found.least.exact
        assert found.most.exact
    kept = 0
    for choices, cost in zip(free.enumerate(), costs, strict=True):
        width = choices["width[0]"]
        kept += cost.macs - 10 * width <= 600_000 and cost.activations - width - 10 < 12_000
    assert space.size == kept
    assert 0 < kept < len(costs)


def test_draws_are_from_the_programs_that_meet_what_is_followed() -> None:
    """One in 10^12 programs meets the requirement on single picks: no blind draw would."""
    narrow = "  require all([w == 16 for w in early]) and all([w == 16 for w in late[0..3]])\n  require"
    text = CROSSED.replace("  require", narrow)
    space = al.loads(text.replace("300M", "60M"))
    assert space.unproved is None
    choices = space.sample(seed=1).choices
    assert {choices[f"early[{i}]"] for i in range(8)} == {16}
