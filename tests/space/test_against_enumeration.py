"""The evaluation of a whole space against evaluating each program by itself."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, assume, given, settings

from archlang.diagnostics import ArchError, Source
from archlang.semantics.decision import Decision, Pick
from archlang.semantics.fault import Entangled, FaultSignal
from archlang.semantics.modules import Loader
from archlang.space import Choices, Space
from archlang.space.choices import show_pick
from archlang.space.resolver import EachAnew, OnceForAll, Resolved
from archlang.syntax import ast
from tests.space.random_spaces import network_spaces, static_spaces

MANY = 3_000
relaxed = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


def space_in(text: str, name: str = "s") -> Space:
    loader = Loader()
    module = loader.load_source("<text>", Source("<text>", text))
    _, declaration = module.find(name) or (module, None)
    assert isinstance(declaration, ast.Space)
    return Space(module, declaration, loader)


def each_program(space: Space) -> Iterator[Resolved]:
    """Every program, broken and excluded ones too, by evaluating the space anew for each."""
    resolver = EachAnew(space.module, space.declaration, {})
    pending: list[list[int]] = [[]]
    while pending:
        prefix = pending.pop()
        sizes: list[int] = []

        def pick(decision: Decision, prefix: list[int] = prefix, sizes: list[int] = sizes) -> Pick:
            index = prefix[len(sizes)] if len(sizes) < len(prefix) else 0
            sizes.append(int(decision.domain.size))
            return decision.domain.pick(index)

        yield resolver.resolve(pick)
        for place in range(len(prefix), len(sizes)):
            taken = prefix + [0] * (place - len(prefix))
            pending += [[*taken, index] for index in range(1, sizes[place])]


def collect(space: Space) -> list[Resolved]:
    found = []
    for resolved in each_program(space):
        found.append(resolved)
        assume(len(found) <= MANY)
    return found


def choices_of(resolved: Resolved) -> Choices:
    return Choices({address: pick for address, (_, pick) in resolved.decisions.items()})


def varied(space: Space) -> OnceForAll | FaultSignal:
    try:
        return OnceForAll(space.module, space.declaration, {})
    except FaultSignal as signal:
        return signal
    except Entangled:
        assume(False)
        raise


@pytest.mark.parametrize("spaces", [static_spaces(), network_spaces()], ids=["static", "networks"])
def test_programs_errors_and_counts_agree(spaces) -> None:  # type: ignore[no-untyped-def]
    @relaxed
    @given(spaces)
    def compare(text: str) -> None:
        space = space_in(text)
        programs = collect(space)
        valid = [resolved for resolved in programs if resolved.fault is None]
        once = varied(space)
        if isinstance(once, FaultSignal):
            assert not valid, text
            return
        assert len({choices_of(resolved) for resolved in valid}) == len(valid)
        broken = [r for r in programs if r.fault is not None and not r.fault.excluded]
        if not broken and valid:
            assert space.size == len(valid), text
            assert set(space.enumerate()) == {choices_of(resolved) for resolved in valid}
            for resolved in valid[:10]:
                program = space.program(choices_of(resolved))
                graph, values = resolved.read("s")
                assert program.values == values
                if program.has_graph:
                    assert program.graph == graph
        elif broken:
            with pytest.raises(ArchError) as refused:
                space.check()
            told = {found.code for found in refused.value.diagnostics}
            assert told == {r.fault.diagnostic.code for r in broken if r.fault is not None}, text
            for found in refused.value.diagnostics:
                assert found.cause is not None
                # A program that breaks early has not asked all its decisions: it counts as several.
                assert found.cause.of is not None
                assert found.cause.programs is not None
                assert 1 <= found.cause.programs <= found.cause.of
                assert found.cause.of >= len(valid) + len(broken), text
                causing = [r for r in programs if _holds(r, dict(found.cause.choices))]
                assert causing
                assert all(r.fault is not None for r in causing), text

    compare()


def _holds(resolved: Resolved, causes: dict[str, str]) -> bool:
    picks = {address: show_pick(pick) for address, (_, pick) in resolved.decisions.items()}
    return all(picks.get(address) == pick for address, pick in causes.items())
