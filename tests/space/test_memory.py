"""Bounds of the peak memory against the peaks of all programs, each evaluated by itself."""

from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import archlang as al
from archlang.cost import cost
from archlang.semantics import costs
from archlang.semantics.diagram import at
from archlang.space import Choices, Space, liveness, memory
from archlang.space.bounds import Bounds
from archlang.space.liveness import Memory
from archlang.space.memory import memory_bounds
from tests.space.random_spaces import network_spaces
from tests.space.test_against_enumeration import choices_of, each_program, space_in

MANY = 100
relaxed = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


@st.composite
def branching_spaces(draw: st.DrawFn) -> str:
    """Networks whose values are used again later on, in orders that differ between programs."""
    names = ["image", "other"]

    def name() -> str:
        return draw(st.sampled_from(names))

    def channels() -> str:
        return draw(st.sampled_from(["3", "3", "5", "width", "choose [1, 4]"]))

    def value(depth: int) -> str:
        options = ["conv", "conv", "relu", "name"]
        if depth:
            options += ["sum", "concat", "labelled", "labelled", "flipped", "repeat", "residual", "subset", "nested"]
        match draw(st.sampled_from(options)):
            case "conv":
                return f"({name()} |> conv2d({channels()}, kernel=1))"
            case "relu":
                return f"({name()} |> relu)"
            case "name":
                return name()
            case "sum":
                return f"(({value(depth - 1)} |> to3) + ({value(depth - 1)} |> to3))"
            case "concat":
                return f"concat([{value(depth - 1)}, {value(0)}])"
            case "labelled":
                return f"(choose {{ p: {value(depth - 1)}, q: {value(depth - 1)} }})"
            case "flipped":
                a, b = value(depth - 1), value(0)
                return f"(choose {{ p: concat([{a}, {b}]), q: concat([{b}, {a}]), r: {b} }})"
            case "repeat":
                return f"({name()} |> repeat(choose 0..2, residual(conv2d(6, kernel=1) >> relu)))"
            case "residual":
                return f"({name()} |> residual(conv2d({channels()}, kernel=1)))"
            case "subset":
                items = ", ".join(f"{value(0)} |> to3" for _ in range(draw(st.integers(2, 3))))
                return f"sum(choose 1..2 of [{items}])"
            case _:
                return f"(if width > 2 {{ {value(depth - 1)} }} else {{ {value(0)} }})"

    lines = []
    for number in range(draw(st.integers(1, 4))):
        lines.append(f"  t{number} = {value(2)}")
        names.append(f"t{number}")
    last = names[-1]
    if draw(st.integers(0, 3)) == 0:
        of, least = draw(st.sampled_from([("params", 10), ("macs", 200), ("activations", 100)]))
        lines.append(f'  require {of}({last}) <= {least * draw(st.integers(1, 10))}, "small"')
    result = draw(
        st.sampled_from(
            [
                last,
                f"{last} |> global_avg_pool >> linear(2)",
                f"{{ a: {last}, b: {name()} }}",
                f"{{ a: choose {{ p: {name()}, q: {last} |> relu }}, b: {value(1)} |> to3, rate: choose [1, 2] }}",
            ]
        )
    )
    return (
        "use std.nn\n"
        "block to3(x: [n, c, h, w]) { x |> conv2d(3, kernel=1) }\n"
        "block residual(f: block)(x: [n, c, h, w]) { x + (x |> f |> conv2d(c, kernel=1)) }\n"
        "space s(image: f32[n, 4, 4, 4], other: f32[n, 2, 4, 4]) {\n"
        "  width = choose [2, 6]\n" + "\n".join(lines) + f"\n  {result}\n}}\n"
    )


def peaks_of_all(space: Space) -> dict[Choices, int]:
    """The peak of every program that is in order, by evaluating the space anew for each."""
    found: dict[Choices, int] = {}
    for count, resolved in enumerate(each_program(space)):
        assume(count < MANY)
        if resolved.fault is None:
            graph, _ = resolved.read("s")
            found[choices_of(resolved)] = cost(graph).peak_memory
    return found


def bounds_of(space: Space) -> Bounds | None:
    assert space.analysis.once is not None
    assert space.analysis.compiled is not None
    return memory_bounds(space.analysis.once, space.analysis.compiled)


def check(text: str, exact: bool) -> None:
    space = space_in(text)
    peaks = peaks_of_all(space)
    if not peaks:
        with suppress(al.ArchError):  # no choice at all is in order
            assert bounds_of(space) is None, text
        return
    found = bounds_of(space)
    assert found is not None, text
    assert found.least.proven <= min(peaks.values()) <= found.least.value, text
    assert found.most.value <= max(peaks.values()) <= found.most.proven, text
    for peak in (found.least, found.most):
        assert peaks[peak.choices] == peak.value, text
    if exact:
        assert not found.coarse
        assert found.least.exact, text
        assert found.most.exact, text


SPACES = pytest.mark.parametrize("spaces", [branching_spaces(), network_spaces()], ids=["branching", "networks"])


@SPACES
def test_bounds_of_small_spaces_are_exact(spaces: st.SearchStrategy[str]) -> None:
    @relaxed
    @given(spaces)
    def compare(text: str) -> None:
        check(text, exact=True)

    compare()


@SPACES
def test_budgets_are_kept(spaces: st.SearchStrategy[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(costs, "MAX_SUMS", 0)  # no cost is added up into a diagram

    @relaxed
    @given(spaces)
    def compare(text: str) -> None:
        check(text, exact=False)

    compare()


@pytest.mark.parametrize(
    ("module", "limit", "value"),
    [
        (liveness, "MAX_LIFT", 0),
        (liveness, "MAX_LIFT", 12),
        (liveness, "MAX_ADDED", 20),
        (liveness, "MAX_WALK", 0),
        (memory, "MAX_WORK", 0),
    ],
)
def test_bounds_hold_where_work_is_limited(
    module: object, limit: str, value: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, limit, value)

    @relaxed
    @given(branching_spaces())
    def compare(text: str) -> None:
        check(text, exact=False)

    compare()


@SPACES
def test_the_greatest_load_of_a_program_is_its_peak(spaces: st.SearchStrategy[str]) -> None:
    @relaxed
    @given(spaces)
    def compare(text: str) -> None:
        space = space_in(text)
        peaks = peaks_of_all(space)
        assume(peaks)
        once = space.analysis.once
        assert once is not None
        network = Memory(once)
        found = network.loads()
        for choices, peak in peaks.items():

            def position(number: int, choices: Choices = choices) -> int:
                if number in once.budgets:
                    return 0 if once.budgets[number].kept(position) else 1
                decision = once.variables[number].decision
                return decision.domain.index(choices.get(decision.address, decision.domain.pick(0)))

            assert max([network.given, *(at(load.core, position) for load in found)]) == peak, text

    compare()


def chain(widths: str, layers: int) -> Space:
    return al.loads(
        "use std.nn\n"
        "space s(image: f32[n, 3, 8, 8]) {\n"
        "  x = image\n"
        f"  for i in 0..<{layers} {{ x = x |> conv2d(choose {widths} as width, kernel=1) }}\n"
        "  x\n"
        "}\n"
    )


def test_a_chain_of_convolutions_of_chosen_widths() -> None:
    layers, widths = 40, range(2, 33, 3)
    found = bounds_of(chain("2..32 step 3", layers))
    assert found is not None
    area = 8 * 8 * 4
    assert (found.least.value, found.least.proven) == ((3 + 2) * area,) * 2
    assert (found.most.value, found.most.proven) == ((32 + 32) * area,) * 2
    made = [3, *(found.most.choices[f"width[{layer}]"] for layer in range(layers))]
    assert set(made[1:]) <= set(widths)
    assert max(a + b for a, b in pairwise(made)) == 64


def test_a_budget_keeps_a_chain_narrow() -> None:
    # 64 multiply-adds for each pair of channels: two wide layers in a row cost too much.
    space = chain("[1, 8]", 12).narrowed("macs <= 5_000")
    found = bounds_of(space)
    assert found is not None
    area = 8 * 8 * 4
    # One wide layer: 64 * (8 + 8 + 10 * 1) + 64 * 3 more for the first, at most.
    assert (found.most.value, found.most.proven) == ((8 + 3) * area,) * 2
    assert (found.least.value, found.least.proven) == ((3 + 1) * area,) * 2
    assert space.program(found.most.choices).cost().macs <= 5_000


def test_a_shortcut_is_alive_beside_the_branch() -> None:
    space = al.loads(
        "use std.nn\n"
        "space s(image: f32[n, 4, 8, 8]) {\n"
        "  x = image\n"
        "  for i in 0..<20 {\n"
        "    branch = x |> conv2d(choose [2, 4, 16] as middle) |> relu |> conv2d(4)\n"
        "    x = choose { with: x + branch, without: branch } as shortcut\n"
        "  }\n"
        "  x\n"
        "}\n"
    )
    found = bounds_of(space)
    assert found is not None
    area = 8 * 8 * 4
    # The shortcut's 4 channels and the middle's twice, before and after the ReLU.
    assert (found.most.value, found.most.proven) == ((4 + 16 + 16) * area,) * 2
    # Without shortcuts the input and the first middle, or the middle and the branch's result.
    assert (found.least.value, found.least.proven) == ((4 + 2) * area,) * 2


LIBRARY = ["proxylessnas", "nasbench201", "nasbench_macro", "nats_sss", "mobile", "ofa_mobilenetv3", "darts_cell"]


@pytest.mark.parametrize("space", LIBRARY)
def test_library_spaces_are_bounded_exactly(space: str) -> None:
    loaded = al.load(f"std.spaces.{space}")
    found = bounds_of(loaded)
    assert found is not None
    assert not found.coarse
    assert found.least.exact
    assert found.most.exact
    for peak in (found.least, found.most):
        assert loaded.program(peak.choices).cost().peak_memory == peak.value
    for seed in range(20):
        assert found.least.value <= loaded.sample(seed).cost().peak_memory <= found.most.value


def test_a_space_of_values_has_no_bounds() -> None:
    assert bounds_of(al.loads("space s() { choose [1, 2] }")) is None


def test_programs_without_a_network_take_no_part() -> None:
    space = al.loads(
        "use std.nn\n"
        "space s(image: f32[n, 4, 8, 8]) {\n"
        "  { a: choose { no: 1, yes: image |> conv2d(choose [4, 8] as width) } as network }\n"
        "}\n"
    )
    found = bounds_of(space)
    assert found is not None
    assert dict(found.least.choices) == {"network": "yes", "network:yes.width": 4}
    assert dict(found.most.choices) == {"network": "yes", "network:yes.width": 8}


def test_where_no_program_is_found_that_is_told() -> None:
    space = chain("[1, 8]", 4)
    assert space.analysis.once is not None
    assert space.analysis.compiled is not None
    diagrams = space.analysis.compiled.diagrams
    assert memory_bounds(space.analysis.once, space.analysis.compiled, [False]) is None
    narrow = diagrams.literal(space.analysis.compiled.layout.order[0], 0)
    found = memory_bounds(space.analysis.once, space.analysis.compiled, [narrow])
    assert found is not None
    assert found.most.choices["width[0]"] == 1


def test_coarse_bounds_hold_all_values_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liveness, "MAX_WALK", 0)
    found = bounds_of(chain("[1, 8]", 2))
    assert found is not None
    assert found.coarse
    area = 8 * 8 * 4
    assert (found.least.value, found.least.proven) == ((3 + 1) * area, 3 * area)
    assert (found.most.value, found.most.proven) == ((8 + 8) * area, (3 + 8 + 8) * area)
