"""The decisions that a supernet mixes."""

from __future__ import annotations

import attrs

from archlang.diagnostics import ArchError, error
from archlang.relax.plan import Apply, Plan, plan
from archlang.relax.varied import Varied
from archlang.semantics.decision import Domain, OneOf


@attrs.frozen
class Question:
    """A decision that is mixed, at some place by its picks, at some by the elements of its subsets.

    `name` is its address (with a number where decisions of several domains have one); `open` are the positions
    of the picks that some program has (a `limit` may leave some out); `has_zero`: one of its alternatives is
    nothing.
    """

    name: str
    variable: int
    domain: Domain
    open: tuple[int, ...]
    by_element: bool
    has_zero: bool

    @property
    def by_pick(self) -> bool:
        return bool(self.open)

    @property
    def picks(self) -> int:
        return int(self.domain.size)

    @property
    def labels(self) -> list[str]:
        """The picks as texts."""
        return [str(self.domain.pick(index)) for index in range(self.picks)]

    @property
    def is_named(self) -> bool:
        """Whether its alternatives are of different kinds, not numbers or subsets."""
        return isinstance(self.domain, OneOf) and not self.domain.of_numbers


def questions(varied: Varied) -> tuple[Question, ...]:
    """The decisions that are mixed when all alternatives are active, in the order in which they are met.
    ArchError (E1001) when one cannot be mixed."""
    made = plan(varied)
    by_element = {mix.variable for mix in made.mixes if mix.by_element}
    found: list[Question] = []
    for variable in dict.fromkeys(mix.variable for mix in made.mixes):
        if variable not in varied.decisions:
            raise ArchError(error("E1001", "what hangs from whether a sum of costs is within a limit cannot be mixed"))
        decision = varied.decisions[variable]
        alike = sum(varied.decisions[question.variable].address == decision.address for question in found)
        name = f"{decision.address}#{alike + 1}" if alike else decision.address
        picks = tuple(sorted(made.picks.get(variable, ())))
        zero = variable in made.zeroed
        found.append(Question(name, variable, decision.domain, picks, variable in by_element, zero))
    return tuple(found)


def weightless(varied: Varied) -> dict[str, list[bool]]:
    """For each mixed decision between named alternatives, by name: whether each of them has no weights."""
    asked = {question.variable: question for question in questions(varied) if question.is_named}
    made = plan(varied)
    first = len(made.inputs)
    found: dict[str, list[bool]] = {}
    for mix in made.mixes:
        question = asked.get(mix.variable)
        if question is None or question.name in found or mix.by_element:
            continue
        behind = {entry: _behind(made, value - first) for entry, value in mix.parts}
        common = set.intersection(*behind.values())
        flags = [True] * question.picks  # what is left out is nothing
        for entry, steps in behind.items():
            own = (made.steps[number] for number in steps - common)
            flags[entry] = not any(isinstance(step, Apply) and step.at for step in own)
        found[question.name] = flags
    return found


def _behind(made: Plan, last: int) -> set[int]:
    """The steps that a step needs, and it."""
    first = len(made.inputs)
    found: set[int] = set()
    stack = [last]
    while stack:
        number = stack.pop()
        if number >= 0 and number not in found:
            found.add(number)
            stack.extend(value - first for value in made.steps[number].inputs)
    return found
