"""A walk through the tree of programs, by what is known of its branches."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING, Any

from archlang.searchers.tree.nodes import Node, Question, Tallies, close
from archlang.semantics.decision import Decision, Pick

if TYPE_CHECKING:
    from archlang.searchers.tree.mcts import MCTS, MCTSSettings
    from archlang.space import Choices
    from archlang.space.moves import Options

FEW = 8  # picks of a decision that are tried one by one, all of them
DRAWS = 8  # draws for a pick that was not tried
UNTRIED = 0.5  # the mean of a branch of which nothing is known
_NONE = (0, 0.0)

# Of a branch: visits and the sum of rewards, the same of its picks anywhere further on, its prior.
Row = tuple[float, float, float, float, float]


class Walk:
    """One way from the root of the tree to a program. `path`: the nodes; `result`: where it came to."""

    def __init__(self, searcher: MCTS, random: Random) -> None:
        self._searcher = searcher
        self._settings: MCTSSettings = searcher.settings
        self._random = random
        self.result: Choices | None = None
        self._begin()

    def _begin(self) -> None:
        root = self._searcher.root
        self._chosen: set[str] = set()
        self.path = [root]
        self._inside = True  # whether what is asked next is in the tree
        self._exact = True  # whether the path says what was picked
        self._tallies: Tallies = root.tallies or {}

    def end(self, result: Choices) -> Choices:
        """Take where the walk came to; the last node is closed where no decision follows."""
        self.result = result
        self._close()
        return result

    def _close(self) -> None:
        if self._inside and self._exact and self.path[-1].question is None and self._searcher.closes:
            close(self.path)

    def choose(self, decision: Decision, options: Options | None) -> Pick:
        """The pick of a decision: by the tree, and below it by playout."""
        if decision.address in self._chosen:  # the walk begins anew: these picks met no program
            self._close()
            self._begin()
        self._chosen.add(decision.address)
        if options is None and decision.address not in self._searcher.unlisted:
            self._searcher.unlisted[decision.address] = Question(decision, None)
        node = self.path[-1]
        if self._inside and node.question is None and (node.visits or node is self._searcher.root):
            question = Question(decision, options)
            node.ask(question, self._is_halved(question), 0, question.size)
        if not self._inside or node.question is None or not node.question.asks(decision, options):
            self._inside = False
            question = Question(decision, options)
            return self._playout(question, decision, 0, question.size)
        return self._by_halves(node, decision) if node.halved else self._by_picks(node, node.question, decision)

    def _is_halved(self, question: Question) -> bool:
        if question.size == 2 or self._settings.bisection == "none":
            return False
        if self._settings.bisection == "all":
            return True
        from archlang.space.encoding import is_ordered

        return question.size > FEW and is_ordered(question.domain)

    def _step(self, node: Node) -> None:
        self.path.append(node)
        if node.tallies is not None:
            self._tallies = node.tallies

    def _by_halves(self, node: Node, decision: Decision) -> Pick:
        question = node.question
        assert question is not None
        while True:
            rows = [
                (which, self._half_row(question, decision, *node.half(which), node.kids.get(which)))
                for which in (0, 1)
                if which not in node.kids or not node.kids[which].closed
            ]
            which = self._best(rows, node.visits) if rows else 0
            low, high = node.half(which)
            node = node.kid(which)
            self._step(node)
            if question.is_one(low, high):
                self._exact = self._exact and high - low == 1
                return question.pick(low, high, self._random)
            if not node.visits:
                self._inside = False
                return self._playout(question, decision, low, high)
            if node.question is None:
                node.ask(question, True, low, high)

    def _by_picks(self, node: Node, question: Question, decision: Decision) -> Pick:
        kids = node.kids
        tried: Sequence[Pick] = question.options if question.options is not None else tuple(kids)
        if question.size > FEW:
            tried = tuple(kids)
            allowed = math.ceil(self._settings.widening * node.visits**self._settings.exponent)
            if len(tried) - node.shut < max(allowed, 1):
                for _ in range(DRAWS):
                    pick = self._playout(question, decision, 0, question.size)
                    if pick not in kids:
                        self._step(node.kid(pick))
                        return pick
        rows = self._rows(question, decision, tried, kids)
        pick = self._best(rows, node.visits) if rows else self._playout(question, decision, 0, question.size)
        self._step(node.kid(pick))
        return pick

    def _rows(
        self, question: Question, decision: Decision, picks: Sequence[Pick], kids: Mapping[Pick, Node]
    ) -> list[tuple[Pick, Row]]:
        """What is known of picks whose programs were not all proposed."""
        known, address = self._tallies, question.address
        priors = self._priors(question, decision)
        rows: list[tuple[Pick, Row]] = []
        for pick in picks:
            kid = kids.get(pick)
            if kid is not None and kid.closed:
                continue
            visits, total = (kid.visits, kid.total) if kid is not None else _NONE
            tally = known.get((address, pick) if question.options is not None else question.cells(pick)[-1], _NONE)
            prior = priors[pick] if priors else 1.0
            rows.append((pick, (visits, total, tally[0], tally[1], prior)))
        return rows

    def _half_row(self, question: Question, decision: Decision, low: int, high: int, kid: Node | None) -> Row:
        known, address = self._tallies, question.address
        prior = 1.0
        if question.options is None:
            tallies = [known.get(question.cell(low, high), _NONE)]
        else:
            tallies = [known[address, pick] for pick in question.options[low:high] if (address, pick) in known]
            priors = self._priors(question, decision)
            prior = sum(priors[pick] for pick in question.options[low:high]) if priors else 1.0
        visits, total = (kid.visits, kid.total) if kid is not None else _NONE
        return visits, total, sum(tally[0] for tally in tallies), sum(tally[1] for tally in tallies), prior

    def _priors(self, question: Question, decision: Decision) -> dict[Pick, float]:
        """The share of each option; nothing where it plays no part."""
        if self._settings.rule != "puct" or question.options is None:
            return {}
        weights = self._searcher.prior(decision, question.options)
        return {pick: weight / sum(weights) for pick, weight in zip(question.options, weights, strict=True)}

    def _playout(self, question: Question, decision: Decision, low: int, high: int) -> Pick:
        """A pick where the tree says nothing."""
        if self._settings.playout == "even" or not self._settings.rave:
            return question.pick(low, high, self._random)
        if question.options is not None:
            rows = self._rows(question, decision, question.options[low:high], {})
            pick: Pick = self._sampled(rows)
            return pick
        while not question.is_one(low, high):
            middle = (low + high) // 2
            halves = [(low, middle), (middle, high)]
            low, high = self._sampled([(half, self._half_row(question, decision, *half, None)) for half in halves])
        return question.pick(low, high, self._random)

    def _sampled(self, rows: Sequence[tuple[Any, Row]]) -> Any:
        """The branch of the largest mean as drawn from what its number of visits leaves open (Thompson 1933):
        decisions that are made independently of each other are not all to follow one trial."""
        gauss, spread = self._random.gauss, self._settings.spread
        best, largest = None, -math.inf
        for branch, (_, _, count, total, _) in rows:
            value = (total + UNTRIED) / (count + 1) + spread * gauss(0.0, 1.0) / math.sqrt(count + 1)
            if value > largest:
                best, largest = branch, value
        return best

    def _best(self, rows: Sequence[tuple[Any, Row]], visits: int) -> Any:
        """The branch of the largest bound: of a mean and a number of visits that are mixed from the branch's
        own and those of its pick anywhere, the latter with weight sqrt(k / (3 n + k)) after n visits (Gelly
        and Silver 2007). Ties by chance."""
        exploration, equal = self._settings.exploration, self._settings.rave
        puct = self._settings.rule == "puct"
        everywhere = sum([row[2] for _, row in rows])
        best, bound, ties = None, -math.inf, 0
        for branch, (own, own_total, any_, any_total, prior) in rows:
            if equal and any_:
                share = math.sqrt(equal / (3 * own + equal))
                mean = share * any_total / any_ + ((1 - share) * own_total / own if own else 0.0)
                count = share * any_ + (1 - share) * own
                parent = share * everywhere + (1 - share) * visits
            else:
                mean = own_total / own if own else UNTRIED
                count, parent = own, visits
            if puct:
                value = mean + exploration * prior * math.sqrt(parent) / (1 + count)
            else:
                value = mean + exploration * math.sqrt(math.log(parent + 1) / count) if count else math.inf
            if value > bound:
                best, bound, ties = branch, value, 1
            elif value == bound:
                ties += 1
                if self._random.random() * ties < 1:
                    best = branch
        return best
