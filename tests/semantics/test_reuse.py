"""Calls that are evaluated once and reused, against evaluating each program by itself."""

from __future__ import annotations

from hypothesis import HealthCheck, assume, given, settings

from archlang.semantics.decision import Decision, Domain, Pick
from archlang.semantics.fault import Fault, FaultSignal
from archlang.space.loading import loads
from archlang.space.resolver import OnceForAll, Resolved
from tests.semantics.random_calls import calling_spaces
from tests.space.test_against_enumeration import each_program, space_in, varied

MANY = 1_500


def told(fault: Fault | None) -> tuple[object, ...] | None:
    """What a fault says, but for sizes (a `?` in a whole space)."""
    if fault is None:
        return None
    return fault.excluded, fault.diagnostic.code, *(label.span for label in fault.diagnostic.labels)


def picks(program: Resolved) -> dict[str, tuple[Domain, Pick]]:
    return {address: (decision.domain, pick) for address, (decision, pick) in program.decisions.items()}


def followed(once: OnceForAll, program: Resolved) -> Resolved:
    """The program with the same picks; what it did not ask takes its first pick."""
    given = picks(program)

    def pick(decision: Decision) -> Pick:
        known = given.get(decision.address)
        return known[1] if known is not None and known[0] == decision.domain else decision.domain.pick(0)

    return once.resolve(pick)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(calling_spaces())
def test_programs_graphs_and_faults_agree(text: str) -> None:
    agree(text, "s")


def agree(text: str, name: str, most: int = MANY) -> None:
    """Assert that each program of a space is what it is in the space evaluated as a whole; of spaces of `most`
    programs."""
    space = space_in(text, name)
    programs = []
    for program in each_program(space):
        programs.append(program)
        assume(len(programs) <= most)
    once = varied(space)
    if isinstance(once, FaultSignal):
        assert told(once.fault) in {told(program.fault) for program in programs}
        assert all(program.fault is not None for program in programs)
        return
    for program in programs:
        same = followed(once, program)
        assert told(same.fault) == told(program.fault), (text, program.decisions)
        if program.fault is None:
            assert picks(same) == picks(program), text
            if "same" not in text and "tied" not in text:  # what is shared has the parents that come first
                assert same.decisions == program.decisions, text
            assert same.read("s") == program.read("s"), text


def test_a_block_with_pinned_addresses() -> None:
    space = loads("""
use std.nn
block inner(x: [n, d]) {
  y = x |> linear(4) at "here"
  y |> choose { plain: linear(4), other: relu } at "there"
}
space s(x: f32[n, 4]) { x |> inner }
""")
    (decision,) = space.sample(0).choices
    addresses = {pick: [n.address for n in space.program({decision: pick}).graph.nodes] for pick in ("plain", "other")}
    assert addresses == {"plain": ["here", "there:plain"], "other": ["here", "there:other"]}
