"""PyGlove: spaces as its DNA specs, programs as DNA and back, and its specs as spaces."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from archlang.diagnostics import ArchError, error
from archlang.extras import required
from archlang.semantics.decision import Decision, Pick, Reals, Subsets
from archlang.space.choices import Choices
from archlang.space.clauses import Clause, Unwritten, clauses
from archlang.space.space import Space
from archlang.space.traced.asking import choose, real
from archlang.space.traced.space import TracedSpace, space_of

if TYPE_CHECKING:
    from archlang.space import SearchSpace

DNA: TypeAlias = Any  # a pyglove.DNA
DNASpec: TypeAlias = Any  # a pyglove.DNASpec
LISTED = 1_000  # picks of a decision that are candidates

# On what a decision hangs: another one, which takes one of some picks.
Hanging = tuple[Decision, frozenset[Pick]] | None


@attrs.frozen(eq=False)
class Point:
    """A decision in the tree of a spec, and those that hang from each of its picks."""

    decision: Decision
    inside: dict[Pick, list[Point]]

    @property
    def many(self) -> bool:
        """Whether it is several choices for PyGlove: a subset of a fixed size from which nothing hangs."""
        domain = self.decision.domain
        return isinstance(domain, Subsets) and domain.low == domain.high > 0 and not any(self.inside.values())


def to_dna_spec(space: SearchSpace) -> DNASpec:
    """A space as a `pyglove.DNASpec`: its DNAs are the programs, its names the addresses.

    Alternatives and integers are choices, floats floats, subsets of a fixed size several choices, other subsets
    choices of lists. A decision that is made for some picks of another is part of these candidates. ArchError
    (E0921) for what cannot be said so: requirements, decisions that hang from several others at once, more
    than 1,000 picks, spaces of which not all decisions are known.
    """
    geno = _geno()
    seen: dict[str, int] = {}

    def space_spec(points: Sequence[Point]) -> Any:
        return geno.space([point_spec(point) for point in points])

    def point_spec(point: Point) -> Any:
        decision, domain = point.decision, point.decision.domain
        seen[decision.address] = seen.get(decision.address, 0) + 1
        count = seen[decision.address]
        name = decision.address if count == 1 else f"{decision.address} ({count})"
        if isinstance(domain, Reals):
            scale = "log" if domain.log else None
            return geno.floatv(domain.low, domain.high, scale, name=name, location=_location(name))
        if point.many:
            assert isinstance(domain, Subsets)
            return geno.manyof(
                domain.low,
                [geno.constant() for _ in range(domain.of)],
                distinct=not domain.repeated,
                sorted=not domain.ordered,
                name=name,
                location=_location(name),
            )
        picks = _picks(decision)
        literals = [pick if isinstance(pick, int | float | str) else json.dumps(pick) for pick in picks]
        candidates = [space_spec(point.inside.get(pick, [])) for pick in picks]
        return geno.oneof(candidates, literal_values=literals, name=name, location=_location(name))

    return space_spec(_tree(space))


def to_dna(space: SearchSpace, choices: Mapping[str, Any]) -> DNA:
    """The DNA of a program, by `to_dna_spec(space)`."""
    picks = space.choices(choices)

    def numbers(points: Sequence[Point]) -> Iterator[int | float]:
        for point in points:
            pick: Any = picks[point.decision.address]
            if isinstance(point.decision.domain, Reals):
                yield pick
            elif point.many:
                yield from pick
            else:
                yield _picks(point.decision).index(pick)
                yield from numbers(point.inside.get(pick, []))

    return _library().DNA.from_numbers(list(numbers(_tree(space))), to_dna_spec(space))


def from_dna(space: SearchSpace, dna: DNA) -> Choices:
    """The choices that a DNA of `to_dna_spec(space)` stands for."""
    numbers = iter(dna.to_numbers())
    picks: dict[str, Any] = {}

    def read(points: Sequence[Point]) -> None:
        for point in points:
            decision, domain = point.decision, point.decision.domain
            if isinstance(domain, Reals):
                picks[decision.address] = next(numbers)
            elif point.many:
                assert isinstance(domain, Subsets)
                picks[decision.address] = [next(numbers) for _ in range(domain.low)]
            else:
                pick = picks[decision.address] = _picks(decision)[next(numbers)]
                read(point.inside.get(pick, []))

    read(_tree(space))
    return space.choices(picks)


def space_of_spec(spec: DNASpec, name: str = "pyglove") -> TracedSpace:
    """A PyGlove spec as a space: what its programs give is DNA, `template.decode(program.value)` the object.

    Decisions have the ids of the spec's points. ArchError (E0921) for points of a kind of one's own
    (`CustomDecisionPoint`).
    """
    library, geno = _library(), _geno()

    def dna() -> DNA:
        numbers: list[int | float] = []
        waiting: list[Any] = [spec]
        while waiting:
            point = waiting.pop()
            if isinstance(point, int):
                numbers.append(point)
            elif isinstance(point, geno.Space):
                waiting += reversed(point.elements)
            elif isinstance(point, geno.Float):
                low, high = point.min_value, point.max_value
                numbers.append(real(low, high, log=point.scale in ("log", "rlog"), name=str(point.id)))
            elif not isinstance(point, geno.Choices):
                kind = type(point).__name__
                raise ArchError(error("E0921", f"`{point.id}` is a {kind}: its values are not known"))
            elif point.num_choices == 1:
                number = choose(_numbered(point), name=str(point.id))
                waiting += [point.candidates[number], number]
            else:
                labels = list(range(len(point.candidates)))
                how = {"ordered": not point.sorted, "repeated": not point.distinct}
                picked = list(enumerate(choose(labels, point.num_choices, name=str(point.id), **how)))
                for place, number in reversed(picked):
                    waiting += [point.subchoice(place).candidates[number], number]
        return library.DNA.from_numbers(numbers, spec)

    return space_of(dna, name=name)


def _numbered(point: Any) -> dict[str, int]:
    """The candidates of a choice by what they are called."""
    literals = [str(each) for each in point.literal_values or ()]
    count = len(point.candidates)
    labels = literals if len(set(literals)) == count else [str(number) for number in range(count)]
    return {label: number for number, label in enumerate(labels)}


def _library() -> Any:
    return required("pyglove", "DNA", "peers")


def _geno() -> Any:
    return _library().geno


def _location(name: str) -> Any:
    return _library().KeyPath(name)


def _picks(decision: Decision) -> list[Pick]:
    return [decision.domain.pick(index) for index in range(int(decision.domain.size))]


def _tree(space: SearchSpace) -> list[Point]:
    """The decisions as a tree; ArchError (E0921) where they are none."""
    try:
        hanging = _of_text(space) if isinstance(space, Space) else _of_programs(space)
        points = {decision: Point(decision, {}) for decision, _ in hanging}
        for decision in points:
            if decision.domain.size > LISTED and not isinstance(decision.domain, Reals):
                many = points[decision].many and not any(on and on[0] == decision for _, on in hanging)
                if not many:
                    raise Unwritten(f"`{decision.address}` has more than {LISTED:,} picks")
    except Unwritten as why:
        what = f"`{space.name}` cannot be written as a DNA spec"
        hints = ["search the space itself with a searcher"]
        raise ArchError(error("E0921", what, notes=[str(why)], hints=hints)) from None
    roots = []
    for decision, on in hanging:
        if on is None:
            roots.append(points[decision])
            continue
        for pick in _picks(on[0]):
            if pick in on[1]:
                points[on[0]].inside.setdefault(pick, []).append(points[decision])
    return roots


def _of_text(space: Space) -> list[tuple[Decision, Hanging]]:
    """From what each decision hangs, by the conditions of a space in the language."""
    known = clauses(space)
    if known.excluded:
        raise Unwritten("it has requirements, and every DNA of a spec is a program")
    cases = {decision: {_as_set(clause) for clause in found} for decision, found in known.made}
    return [(decision, _by_clauses(decision, cases)) for decision, _ in known.made]


def _as_set(clause: Clause) -> frozenset[tuple[Decision, frozenset[Pick]]]:
    return frozenset((decision, frozenset(picks)) for decision, picks in clause)


def _by_clauses(decision: Decision, cases: Mapping[Decision, set[Any]]) -> Hanging:
    own = cases[decision]
    if own == {frozenset()}:
        return None
    for on, picks in next(iter(own)):
        rest = {frozenset(part for part in clause if part[0] != on) for clause in own}
        if rest == cases[on] and all((on, picks) in clause for clause in own) and not isinstance(on.domain, Reals):
            return on, picks
    raise Unwritten(f"`{decision.address}` hangs from several decisions at once")


def _of_programs(space: SearchSpace) -> list[tuple[Decision, Hanging]]:
    """From what each decision hangs, by what all programs of a space make."""
    try:
        decisions = space.all_decisions()
    except ArchError as problem:
        raise Unwritten(problem.diagnostics[0].message) from None
    programs = [{each: choices[each.address] for each in space.decisions(choices)} for choices in space.enumerate(3)]
    asked = [[decision for decision, _ in space.trace(choices)] for choices in space.enumerate(3)]
    place = {
        decision: max((order.index(decision) for order in asked if decision in order), default=0)
        for decision in decisions
    }
    found: list[tuple[Decision, Hanging]] = []
    for decision in sorted(decisions, key=lambda each: place[each]):
        made = [decision in program for program in programs]
        on: Hanging = None
        if not all(made):
            on = _by_programs(decision, [other for other, _ in reversed(found)], programs, made)
        found.append((decision, on))
    points = _combinations(found)
    if not any(isinstance(each.domain, Reals) for each in decisions) and points != len(programs):
        raise Unwritten("it has requirements, and every DNA of a spec is a program")
    return found


def _by_programs(
    decision: Decision, others: Sequence[Decision], programs: Sequence[Mapping[Decision, Any]], made: Sequence[bool]
) -> Hanging:
    for on in others:
        if isinstance(on.domain, Reals):
            continue
        picks = frozenset(
            program[on] for program, is_made in zip(programs, made, strict=True) if is_made and on in program
        )
        if all((program.get(on) in picks) == is_made for program, is_made in zip(programs, made, strict=True)):
            return on, picks
    raise Unwritten(f"`{decision.address}` hangs from several decisions at once")


def _combinations(hanging: Sequence[tuple[Decision, Hanging]]) -> int:
    """How many programs there are if nothing is excluded."""

    def under(decision: Decision) -> int:
        return sum(
            math.prod(under(other) for other, on in hanging if on is not None and on[0] == decision and pick in on[1])
            for pick in _picks(decision)
        )

    if any(isinstance(decision.domain, Reals) for decision, _ in hanging):
        return 0
    return math.prod(under(decision) for decision, on in hanging if on is None)
