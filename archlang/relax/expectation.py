"""What the program that a mixture stands for is expected to cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import attrs

from archlang.cost import ADDITIVE
from archlang.cost.table import SCALE
from archlang.relax.engine import Draw, Tensor, Tensors
from archlang.relax.mixtures.mixture import Mixture
from archlang.relax.questions import Question
from archlang.semantics.decision import Subsets
from archlang.semantics.diagram import Diagram, Value
from archlang.semantics.fault import Entangled
from archlang.space.questions import check_cost
from archlang.space.space import Space

if TYPE_CHECKING:
    from archlang.space.resolver import OnceForAll


@attrs.frozen(eq=False)
class _Node:
    """A node of a diagram: its decision's variable, and a number or another node for each pick."""

    place: int
    variable: int
    kids: tuple[float | _Node, ...]


class Expectation:
    """The expected value of an additive cost, or of that of a table in its unit, when every decision is drawn
    by itself.

    A cost of a space is a sum of terms, each a diagram over a few decisions, so that its expectation is exact:
    that of a node is the sum over its picks of what is expected below. Requirements are not looked at. ArchError
    when there is no such cost (E0506), or it cannot be worked out over the whole space (E0504).
    """

    def __init__(self, space: Space, cost: str):
        check_cost(space, cost, (*ADDITIVE, *space.tables))
        once = space.analysis.once
        what = f"the expected `{cost}` of `{space.name}` cannot be worked out"
        if once is None:
            raise space.analysis.unknown(what)
        try:
            terms, number = _terms(space, once, cost)
        except Entangled as problem:
            raise space.analysis.unknown(what, problem.reason) from None
        # No program makes the others: they hold their first pick.
        self._made = once.evaluated.needs.keys() | once.budgets.keys()
        self._nodes: list[_Node] = []  # each after its kids
        known: dict[int, float | _Node] = {}
        self._roots = [self._read(term, number, known) for term in terms]
        self.sizes = {node.variable: len(node.kids) for node in self._nodes}  # picks by variable
        if self.sizes.keys() & once.budgets.keys():
            raise space.analysis.unknown(what, "it depends on whether a sum of costs is within a limit")
        self._constants: dict[int, Tensor] = {}

    def _read(self, value: Value, number: Callable[[Any], float], known: dict[int, float | _Node]) -> float | _Node:
        while type(value) is Diagram and value.var not in self._made:
            value = value.kids[0]
        if type(value) is not Diagram:
            return number(value)
        if id(value) not in known:
            kids = tuple(self._read(kid, number, known) for kid in value.kids)
            node = known[id(value)] = _Node(len(self._nodes), value.var, kids)
            self._nodes.append(node)
        return known[id(value)]

    def value(self, chances: Mapping[int, Tensor], tensors: Tensors) -> Tensor:
        """The expected cost for the chances of all picks, by variable."""
        values: list[Tensor] = []
        for node in self._nodes:
            kids = self._constant(node, tensors)
            if any(isinstance(kid, _Node) for kid in node.kids):
                parts = [values[kid.place] if isinstance(kid, _Node) else kids[p] for p, kid in enumerate(node.kids)]
                kids = tensors.stack(parts)
            values.append(tensors.sum(kids * chances[node.variable]))
        total = tensors.constant(sum(root for root in self._roots if not isinstance(root, _Node)))
        for root in self._roots:
            if isinstance(root, _Node):
                total = total + values[root.place]
        return total

    def _constant(self, node: _Node, tensors: Tensors) -> Tensor:
        """The numbers among the kids of a node, which are kept where the engine has its tensors."""
        if node.place not in self._constants:
            numbers = [0.0 if isinstance(kid, _Node) else kid for kid in node.kids]
            self._constants[node.place] = tensors.constant(numbers)
        return self._constants[node.place]


def _terms(space: Space, once: OnceForAll, cost: str) -> tuple[list[Value], Callable[[Any], float]]:
    """The terms of a cost, and what their leaves say."""
    if cost in space.tables:
        return once.terms_by(space.tables[cost]), lambda leaf: leaf / SCALE
    which = ADDITIVE.index(cost)
    return once.terms, lambda leaf: float(leaf[which])


def evenly(questions: Sequence[Question], sizes: Mapping[int, int], tensors: Tensors) -> dict[int, Tensor]:
    """The same chance for each pick of every decision (its `sizes` by variable) that some program has."""
    picks: dict[int, Sequence[int]] = {variable: range(size) for variable, size in sizes.items()}
    picks |= {question.variable: question.open for question in questions if question.by_pick}
    found = {}
    for variable, size in sizes.items():
        some = picks[variable]
        found[variable] = tensors.constant([(pick in some) / len(some) for pick in range(size)])
    return found


def chances(
    mixture: Mixture,
    parameters: Mapping[str, Tensor],
    questions: Sequence[Question],
    sizes: Mapping[int, int],
    tensors: Tensors,
    drawn: Draw | None = None,
) -> dict[int, Tensor]:
    """How likely each pick of every decision is, in sum 1.

    By the likelihoods of the mixture; a subset of which only the elements are weighed counts by the product of
    its elements' weights, and where nothing is learnt picks count evenly. With a draw that several, not all,
    alternatives of a decision take part in, only these count.
    """
    found: dict[int, Tensor] = {}
    for question in questions:
        if question.variable not in sizes:
            continue
        active = () if drawn is None else drawn.active.get(question.variable, ())
        likely = mixture.likelihoods(parameters, question, tensors, active if len(active) > 1 else ())
        if likely is None:
            likely = _by_element(mixture.of_elements(question, parameters, tensors), question, tensors)
        if likely is not None:
            found[question.variable] = likely / tensors.sum(likely)
    unknown = {variable: size for variable, size in sizes.items() if variable not in found}
    return found | evenly(questions, unknown, tensors)


def _by_element(weights: Tensor | None, question: Question, tensors: Tensors) -> Tensor | None:
    """How likely the subsets are for the weights of the elements, evenly if these are equal."""
    domain = question.domain
    if weights is None or not isinstance(domain, Subsets):
        return None
    each = [weights[element] * domain.of for element in range(domain.of)]
    nothing = tensors.constant(1.0)
    return tensors.stack([prod([each[element] for element in pick], start=nothing) for pick in domain.picks()])
