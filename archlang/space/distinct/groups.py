"""Groups of decisions that hang together, and the words that each makes of its fragments.

Decisions that meet in a fragment or in a requirement belong to one group. A group is worked out by
itself: first the decisions that others hang from or that requirements mention, which leave most of
the varied graph dead; then the rest.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import attrs
import numpy as np

from archlang.semantics.diagram import Diagram, Diagrams, Value, support
from archlang.semantics.fault import Entangled
from archlang.space.distinct.catalogue import Catalogue
from archlang.space.distinct.networks import networks
from archlang.space.distinct.rows import Array, Table, distinct_rows, expanded, kept, limited
from archlang.space.distinct.structures import Structures
from archlang.space.distinct.varied import Fragment
from archlang.space.distinct.words import NO_NETWORK, Words

MAX_PROGRAMS = 500_000_000

Progress = Callable[[str, int, int], None]  # what is being done, how much of it, and of how much


@attrs.frozen(eq=False)
class Group:
    """Fragments by their places in the network, the variables that they depend on (those first that
    others hang from), and what must hold: diagrams with leaves True and False."""

    places: tuple[int, ...]
    decisive: tuple[int, ...]
    others: tuple[int, ...]
    conditions: tuple[Value, ...]
    asked: Mapping[int, int]  # for each variable that is not always asked, the place of its condition


def groups(
    found: Sequence[Fragment], needs: Mapping[int, Value], requirements: Sequence[Value], diagrams: Diagrams
) -> list[Group]:
    """The fragments by group. Decisions that matter to none are left out; one that is not asked
    holds its first pick."""
    reads = [support(*fragment.diagrams) for fragment in found]
    decisive = support(*requirements)
    conditions = [(frozenset(support(held)), held, -1) for held in requirements]
    pending = list(decisive.union(*reads))
    seen = set(pending)
    while pending:
        variable = pending.pop()
        asked = needs.get(variable, False)
        if asked is not True:
            decisive |= support(asked)
            held = diagrams.either(asked, diagrams.literal(variable, 0))
            where = frozenset(support(held) | {variable})
            conditions.append((where, held, variable))
            pending += where - seen
            seen |= where
    together = _joined(seen, [*reads, *(where for where, _, _ in conditions)])
    made = [Group((place,), (), (), (), {}) for place, where in enumerate(reads) if not where]
    for head in sorted(set(together.values())):
        own = [(held, variable) for where, held, variable in conditions if together[min(where)] == head]
        made.append(
            Group(
                tuple(place for place, where in enumerate(reads) if where and together[min(where)] == head),
                tuple(variable for variable in sorted(seen & decisive) if together[variable] == head),
                tuple(variable for variable in sorted(seen - decisive) if together[variable] == head),
                tuple(held for held, _ in own),
                {variable: place for place, (_, variable) in enumerate(own)},
            )
        )
    return made


def _joined(variables: set[int], sets: Sequence[set[int] | frozenset[int]]) -> dict[int, int]:
    """For each variable one that stands for all that sets join it with."""
    parent = {variable: variable for variable in variables}

    def top(variable: int) -> int:
        while parent[variable] != variable:
            parent[variable] = variable = parent[parent[variable]]
        return variable

    for members in sets:
        for one, other in pairwise(members):
            parent[top(one)] = top(other)
    return {variable: top(variable) for variable in variables}


def group_words(
    group: Group, found: Sequence[Fragment], diagrams: Diagrams, catalogue: Catalogue, words: Words, progress: Progress
) -> Array:
    """The different combinations of words that the group's fragments make: (combinations,
    fragments). Raises Entangled where they are too many to be worked out."""
    forms, form_of = _forms([found[place] for place in group.places])
    values = list({id(value): value for form in forms for value in form.diagrams if type(value) is Diagram}.values())
    table = Table(diagrams, [*values, *group.conditions], [*group.decisive, *group.others])
    conditions = range(len(values), len(values) + len(group.conditions))
    rows = np.array([table.codes], dtype=np.int32).reshape(1, -1)
    rows = rows[kept(rows, conditions)]
    for variable in range(len(group.decisive)):
        rows = expanded(table, rows, variable, conditions)
        progress("decisions that others hang from", variable + 1, len(group.decisive))
    _limit_programs(group, table, rows[:, conditions.start :])
    columns = {id(value): column for column, value in enumerate(values)}
    stores = [Structures(form, table, columns) for form in forms]
    numbers = np.empty((len(rows), len(forms)), dtype=np.int32)
    for place, store in enumerate(stores):
        numbers[:, place] = store.of(rows)
        progress("live parts of the network", place + 1, len(forms))
    rows = distinct_rows(np.concatenate([numbers, rows[:, conditions.start :]], axis=1))[0]
    rows = _picked(table, stores, rows, len(group.decisive), progress)
    made = np.empty((len(rows), len(forms)), dtype=np.int64)
    for place in range(len(stores)):
        made[:, place] = _words(table, stores, rows, place, len(group.decisive), catalogue, words, progress)
    made = distinct_rows(made)[0]
    return distinct_rows(made[(made != NO_NETWORK).all(axis=1)][:, form_of])[0]


def _limit_programs(group: Group, table: Table, held: Array) -> None:
    """Raises Entangled where the programs of the group are too many; `held` is what is left of its
    conditions, in each row. (Most of them may turn out to be equal later.)"""
    programs = np.ones(len(held))
    for place, variable in enumerate(group.others, len(group.decisive)):
        condition = group.asked.get(variable)
        # A condition that still depends on something says mostly that the decision is not asked.
        open_ = True if condition is None else held[:, condition] < 0
        programs *= np.where(open_, float(table.sizes[place]), 1.0)
    if programs.sum() > MAX_PROGRAMS:
        raise Entangled(f"about 10^{math.log10(programs.sum()):.0f} programs hang together")


def _forms(found: Sequence[Fragment]) -> tuple[list[Fragment], list[int]]:
    """Fragments of different form; and for each fragment the place of its form among them."""
    places: dict[object, int] = {}
    form_of = [places.setdefault(fragment.form, len(places)) for fragment in found]
    return [found[form_of.index(place)] for place in range(len(places))], form_of


def _picked(table: Table, stores: Sequence[Structures], rows: Array, first: int, progress: Progress) -> Array:
    """The rows (structures, then what is left of conditions) for all picks of the variables from
    `first` on: structures, then a pick for each variable (0 where no structure depends on it)."""
    left = len(table.sizes) - first
    reads = [store.reads for store in stores]
    rows = np.concatenate([rows, np.zeros((len(rows), left), dtype=np.int32)], axis=1)
    conditions = range(len(stores), rows.shape[1] - left)
    for place in range(left):
        variable = first + place
        used = np.zeros(len(rows), dtype=bool)
        for store, read in enumerate(reads):
            used |= read[rows[:, store], variable]
        asked = used.copy()
        for column in conditions:
            still = np.flatnonzero(rows[:, column] >= 0)
            asked[still] |= table.reads[rows[still, column], variable]
        limited((int(asked.sum()) * table.sizes[variable] + int((~asked).sum())) // 2, rows.shape[1])
        found = [rows[~asked]]
        for pick in range(table.sizes[variable]):
            after = rows[asked]
            after[:, conditions] = table.step(after[:, conditions], variable, np.full((len(after), 1), pick))
            after[used[asked], conditions.stop + place] = pick
            found.append(after[kept(after, conditions)])
        rows = distinct_rows(np.concatenate(found))[0]
        limited(*rows.shape)
        progress("the other decisions", place + 1, left)
    return np.concatenate([rows[:, : len(stores)], rows[:, conditions.stop :]], axis=1)


def _words(
    table: Table,
    stores: Sequence[Structures],
    rows: Array,
    place: int,
    first: int,
    catalogue: Catalogue,
    words: Words,
    progress: Progress,
) -> Array:
    """The word that the fragments of one form make, in each row."""
    store = stores[place]
    reads = store.reads[:, first:][rows[:, place]]
    own = np.concatenate([rows[:, place : place + 1], np.where(reads, rows[:, len(stores) :], 0)], axis=1)
    different, inverse = distinct_rows(own)
    named = [name for name, _ in store.fragment.roots]
    letters = np.full((len(different), 1), -1, dtype=np.int64)
    done = 0
    variables = range(first, len(table.sizes))
    for places, found in networks(store, table, catalogue, different[:, 0], different[:, 1:], variables):
        made = words.letters(found, named)
        missing = made.shape[1] - letters.shape[1]
        if missing > 0:
            letters = np.concatenate([letters, np.full((len(letters), missing), -1, dtype=np.int64)], axis=1)
        letters[places, : made.shape[1]] = made
        done += len(places)
        progress("telling networks apart", done, len(different))
    return words.numbers(letters)[inverse]
