"""Causes of an outcome: the fewest choices after which every program has it.

What becomes of each program is a diagram of outcomes: `HIT` where something is met (an error, say),
`MISS` where it is not, `FREE` where there is no program. A choice (a decision with its pick) is
*made* by the programs that ask the decision and pick so. A set of choices is a cause when some of
the programs that make them all are hits, and none is a miss. A choice inside an alternative is made
only where the alternative is picked, so it stands for both.

To read this off a diagram, a decision that is not always asked has one more position, for not being
asked, and where that contradicts the condition under which it is asked the outcome is `FREE`. A
smallest cause is then found from the first decision to the last: a decision is either among the
choices, or the rest must hold whatever it picks (the worst of its alternatives counts). Parts of
the diagram that meet again are worked out once; programs are never enumerated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce

import attrs

from archlang.semantics.diagram import Diagram, Value
from archlang.semantics.handlers import Variable
from archlang.space.outcomes import FREE, HIT, MISS, Outcomes, TooMuch
from archlang.space.resolver import in_order

# Steps on diagrams, some microseconds each, for all causes in a space. One cause may take half of
# what is left; beyond that a cause is given from which no choice can be left out, though there may
# be smaller ones.
MAX_STEPS = 100_000
ATTEMPTS = 20  # at a cause that budgets allow

Rate = Callable[[Value], int]  # the outcome that a leaf stands for
Choice = tuple[int, int]  # the number of a decision's variable, and the position of its pick
Possible = Callable[[Sequence[Choice]], bool]


@attrs.frozen
class Found:
    """A cause, in order of address, and one program of those that it is about: the positions of the
    variables on which the outcome depends (the others may have any)."""

    choices: tuple[Choice, ...]
    example: Mapping[int, int]


class Causes:
    """Finds causes in one space.

    `variables` and `needs` are those of its evaluation, `sizes` the positions of each variable of
    its diagrams. A variable that is no decision stands for a condition on the whole program, a
    budget: a cause holds whether it is kept or not. `possible` says of choices whether some program
    that makes them is a hit, budgets considered.
    """

    def __init__(self, variables: Mapping[int, Variable], sizes: Sequence[int], needs: Mapping[int, Value]):
        self._variables = variables
        self._sizes = sizes
        self._needs = needs
        self._left = MAX_STEPS
        self._outcomes = Outcomes()
        self._asked: dict[int, int] = {}  # for each variable, where it is asked
        self._conditions: dict[int, int] = {}

    def smallest(
        self, value: Value, rate: Rate, excused: Rate | None = None, possible: Possible | None = None
    ) -> Found | None:
        """A smallest cause of the hits in a diagram, None when there is none. Of equally small ones,
        that which names decisions that are always asked, then outer ones, then the first by address.

        `excused` rates some of the misses as `FREE`, where something else is met first. Choices that
        all hits have in common are the cause if they are fewer, and leave no other misses.
        """
        self._outcomes.steps = share = self._left // 2
        try:
            return self._smallest(value, rate, excused, possible)
        except (TooMuch, RecursionError):
            return self._irredundant(value, rate)
        finally:
            self._left -= share - max(self._outcomes.steps, 0)

    def _smallest(self, value: Value, rate: Rate, excused: Rate | None, possible: Possible | None) -> Found | None:
        outcomes = self._outcomes
        root = self._programs(self._read(value, rate, {}))
        lenient = self._programs(self._read(value, excused, {})) if excused is not None else None
        for _ in range(ATTEMPTS):
            best = self._fewest(root, range(len(self._sizes) + 1))
            if best is None:
                return None
            if len(best) > 1:
                implying = self._implying(root)
                if implying:
                    best = self._fewest(self._programs(root, implying), range(1, len(best)), implying) or best
            if len(best) > 1 and lenient is not None:
                best = self._fewest(lenient, range(1, len(best)), among=self._common(root)) or best
            chosen = HIT
            for var, position in best:
                chosen = outcomes.where(self._made(var, position), chosen, FREE)
            if possible is None or possible(best):
                way = outcomes.way_to_hit(outcomes.where(chosen, root, FREE))
                return Found(best, {var: position % self._sizes[var] for var, position in way.items()})
            # Budgets leave no program with these choices.
            root = outcomes.where(chosen, FREE, root)
            lenient = outcomes.where(chosen, FREE, lenient) if lenient is not None else None
        return None

    # ------------------------------------------------- from values to outcomes

    def _read(self, value: Value, rate: Rate, done: dict[int, int]) -> int:
        """The outcomes of a value's leaves. A decision that is not asked counts as its first pick."""
        if type(value) is not Diagram:
            return rate(value)
        found = done.get(id(value))
        if found is None:
            kids = [self._read(kid, rate, done) for kid in value.kids]
            if value.var in self._needs:
                always = self._needs[value.var] is True
                found = self._outcomes.node(value.var, tuple(kids if always else [*kids, kids[0]]))
            elif value.var in self._variables:  # never asked
                found = kids[0]
            else:
                found = self._outcomes.node(value.var, tuple(kids))
            done[id(value)] = found
        return found

    def _condition(self, var: int) -> int:
        """Where a decision is asked."""
        found = self._asked.get(var)
        if found is None:
            need = self._needs.get(var, True)
            found = self._asked[var] = self._read(need, lambda leaf: HIT if leaf is True else FREE, self._conditions)
        return found

    def _made(self, var: int, position: int) -> int:
        """Where a choice is made."""
        positions = self._sizes[var] + (self._needs.get(var, True) is not True)
        return self._outcomes.node(var, tuple([int(index == position) for index in range(positions)]))

    def _programs(self, root: int, more: Iterable[int] = ()) -> int:
        """The outcomes of programs alone: where each decision on which they depend (and each of
        `more`) is asked just when its condition holds."""
        outcomes = self._outcomes
        seen = outcomes.support(root).union(more)
        pending = list(seen)
        for var in pending:
            new = outcomes.support(self._condition(var)) - seen
            seen |= new
            pending += new
        for var in sorted(seen, reverse=True):
            asked = self._condition(var)
            if asked != HIT:
                idle = self._made(var, self._sizes[var])
                root = outcomes.where(idle, outcomes.where(asked, FREE, root), outcomes.where(asked, root, FREE))
        return root

    def _implying(self, root: int) -> list[int]:
        """Decisions that do not matter themselves, but are asked only where several choices are
        made: naming one of them may be shorter. One for each such condition."""
        outcomes, found = self._outcomes, dict[int, int]()
        matter = outcomes.support(root)
        for var in sorted(self._needs, key=self._address):
            asked = self._condition(var)
            if var in matter or self._variables[var].wide or asked in found or asked == HIT:
                continue
            behind = outcomes.support(asked)
            if len(behind) > 1 and behind & matter and not self._made_of_choices(asked, behind):
                found[asked] = var
        return list(found.values())

    def _made_of_choices(self, condition: int, behind: set[int]) -> bool:
        """Whether the condition holds just where one of some single choices is made."""
        outcomes, union = self._outcomes, FREE
        for var in behind & self._needs.keys():
            for position in range(self._sizes[var]):
                made = outcomes.where(self._condition(var), self._made(var, position), FREE)
                if outcomes.where(made, condition, HIT) == HIT:
                    union = outcomes.where(made, HIT, union)
        return outcomes.where(condition, union, HIT) == HIT

    # --------------------------------------------------------------- searching

    def _fewest(
        self, root: int, sizes: Iterable[int], last: Iterable[int] = (), among: Iterable[Choice] | None = None
    ) -> tuple[Choice, ...] | None:
        """The best cause of the first of the sizes that has any. It takes the picks of decisions on
        which the outcome depends (the first pick of those in `last`), or given ones."""
        outcomes = self._outcomes
        if among is None:
            among = [
                (var, position)
                for var in outcomes.support(root) & self._needs.keys()
                for position in range(1 if var in last else self._sizes[var])
            ]
        # A cause is a number with a bit for each choice: of equally many, the better is the larger.
        choices = sorted(among, key=self._rank, reverse=True)
        bits: dict[int, list[tuple[int, int]]] = {}
        for place, (var, position) in enumerate(choices):
            bits.setdefault(var, []).append((position, 1 << place))
        done: dict[tuple[int, int], int] = {}

        def within(node: int, most: int) -> int:
            """The best cause with at most so many choices; -1 when there is none."""
            holds = outcomes.holds[node]
            if holds != HIT | MISS or not most:
                return 0 if holds == HIT else -1
            best = done.get((node, most))
            if best is None:
                kids = outcomes.kids[node]
                best = within(reduce(outcomes.worst, kids), most)
                for position, bit in bits.get(outcomes.var[node], ()):
                    rest = within(kids[position], most - 1)
                    if rest >= 0:
                        best = max(best, rest | bit)
                done[node, most] = best
            return best

        for size in sizes:
            best = within(root, size)
            if best >= 0:
                named = [choice for place, choice in enumerate(choices) if best >> place & 1]
                return tuple(sorted(named, key=lambda choice: self._address(choice[0])))
        return None

    def _address(self, var: int) -> list[tuple[int, str]]:
        return in_order(self._variables[var].decision.address)

    def _rank(self, choice: Choice) -> tuple[object, ...]:
        """The order in which choices are preferred."""
        var, position = choice
        return self._needs[var] is not True, len(self._variables[var].decision.parents), self._address(var), position

    def _common(self, root: int) -> list[Choice]:
        """The choices that all hits make."""
        outcomes, found = self._outcomes, list[Choice]()
        for var, position in outcomes.way_to_hit(root).items():
            others = outcomes.where(self._made(var, position), FREE, root)
            if var in self._needs and position < self._sizes[var] and not outcomes.holds[others] & HIT:
                found.append((var, position))
        return found

    # ------------------------------------------------------ when it is too much

    def _irredundant(self, value: Value, rate: Rate) -> Found | None:
        """A cause on a short way to a hit, without choices that can be left out, as far as steps
        allow to see."""
        way = _shortest_way(value, rate)
        if way is None:
            return None
        kept, left = dict(way), MAX_STEPS
        for var in sorted(way, reverse=True):
            rest = {other: position for other, position in kept.items() if other != var}
            missed, left = _leads_to_miss(value, rate, rest, left)
            if not missed:
                kept = rest
        return Found(tuple(sorted(kept.items(), key=lambda choice: self._address(choice[0]))), way)


def _shortest_way(value: Value, rate: Rate) -> dict[int, int] | None:
    """The fewest positions of variables that lead to a hit."""
    came: dict[int, tuple[Diagram, int] | None] = {id(value): None}  # to a node, by its id
    pending = [value]
    for node in pending:
        if type(node) is Diagram:
            for position, kid in enumerate(node.kids):
                if id(kid) not in came:
                    came[id(kid)] = node, position
                    pending.append(kid)
        elif rate(node) == HIT:
            way: dict[int, int] = {}
            step = came[id(node)]
            while step is not None:
                way[step[0].var] = step[1]
                step = came[id(step[0])]
            return way
    return None


def _leads_to_miss(value: Value, rate: Rate, picks: Mapping[int, int], steps: int) -> tuple[bool, int]:
    """Whether positions of variables leave a miss, or there are too few steps to see; and the
    steps that are left."""
    seen: set[int] = set()
    pending = [value]
    while pending:
        node = pending.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if type(node) is Diagram:
            steps -= 1
            if steps < 0:
                return True, 0
            position = picks.get(node.var)
            pending += node.kids if position is None else [node.kids[position]]
        elif rate(node) == MISS:
            return True, steps
    return False, steps
