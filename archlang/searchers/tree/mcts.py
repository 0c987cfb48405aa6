"""Monte-Carlo tree search."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING, Any

import attrs
from attrs.validators import and_, ge, gt, in_, le

from archlang.searchers.base import Exhausted, Searcher
from archlang.searchers.objectives import Scores
from archlang.searchers.rewards import Undominated
from archlang.searchers.tree.nodes import Key, Node, Question, Tallies, Trial, beneath, way
from archlang.searchers.tree.walk import Walk
from archlang.searchers.unseen import Unseen, size_of
from archlang.semantics.decision import Decision

if TYPE_CHECKING:
    from archlang.space import Choices
    from archlang.space.moves import Options

STALE = 1.5  # how many times as many programs are told when all rewards are worked out anew


@attrs.frozen(kw_only=True)
class MCTSSettings:
    """`exploration`: the factor of the bound (rewards are from 0 to 1). `rule`: `ucb`, or `puct` with
    `MCTS.prior`. `rave`: the number of visits at which a branch's own mean has half the weight in its bound,
    beside that of its pick anywhere further on; 0: the latter is not used. `local`: visits from which a node
    may keep such means of its own. `playout`: decisions below the tree are made by these means (`rave`) or
    `even`; `spread`: the standard deviation of a reward that their draws suppose. `sharpness`: the power that
    ranks from 0 to 1 are raised to. `bisection`: which decisions are made half by half: `none`, `numbers`
    (of more than 8 picks), `all` (of more than two). `widening`, `exponent`: of other decisions with more
    than 8 picks, widening * visits ^ exponent are tried. `dedupe`: propose no program twice (and stop when a
    finite space is used up)."""

    exploration: float = attrs.field(default=0.2, validator=ge(0))
    rule: str = attrs.field(default="ucb", validator=in_(("ucb", "puct")))
    rave: float = attrs.field(default=10.0, validator=ge(0))
    local: int = attrs.field(default=5, validator=ge(1))
    spread: float = attrs.field(default=0.2, validator=ge(0))
    playout: str = attrs.field(default="rave", validator=in_(("rave", "even")))
    sharpness: float = attrs.field(default=3.0, validator=gt(0))
    bisection: str = attrs.field(default="none", validator=in_(("none", "numbers", "all")))
    widening: float = attrs.field(default=1.0, validator=gt(0))
    exponent: float = attrs.field(default=0.5, validator=and_(ge(0), le(1)))
    dedupe: bool = True


class MCTS(Searcher):
    """UCT over the program tree (Kocsis and Szepesvari 2006), whose levels are the decisions in the order of
    `Space.walk`, with the rapid action values of Gelly and Silver (2007), as Cazenave (2015, GRAVE) keeps
    them: of the picks in all programs that came through the nearest node with enough of them. Below the tree
    picks are drawn by these values (Thompson 1933).

    Numbers of many picks are widened progressively (Coulom 2007; Couetoux et al. 2011) or bisected (Negrinho
    and Gordon 2017, DeepArchitect). A program in flight counts as one without reward (virtual loss). Rewards
    are shares: see `Undominated`, also for several objectives; a failed program has reward 0. A subtree all of whose
    programs were proposed is closed.
    """

    name = "mcts"
    Settings = MCTSSettings

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.root = Node()
        self.unlisted: dict[str, Question] = {}  # decisions with too many picks to list, by address
        # Decisions that are drawn, not walked, tell programs of one leaf apart: then it is not closed.
        self.closes = self.settings.dedupe and not self.space.is_part
        self._unseen = Unseen(self.space)
        self._flying: dict[Choices, list[Trial]] = {}
        self._told: list[Trial] = []
        self._rewards = Undominated(len(self.objectives))
        self._ranked = 0  # how many programs were told when all rewards were worked out last

    def prior(self, decision: Decision, options: Options) -> Sequence[float]:
        """How promising each of the options is before anything is known (not negative, not all 0), for the
        rule `puct`: the same for all, unless a subclass says otherwise."""
        return (1.0,) * len(options)

    def propose(self, random: Random) -> Choices:
        walks: list[Walk] = []

        def walked() -> Choices:
            if self.root.closed:  # then all programs were proposed, unless walks are led astray
                if math.isinf(size_of(self.space)):
                    raise Exhausted
                return self.space.draw(random)
            walk = Walk(self, random)
            walks.append(walk)
            found = walk.end(self.space.walk(walk.choose, random))
            if self.settings.dedupe and found in self._unseen:
                walk.path[-1].visits += 1  # in vain: go elsewhere
            return found

        choices = self._unseen.find(walked, random) if self.settings.dedupe else walked()
        trial = Trial(choices, self._keys(choices))
        path = way(self.root, choices, make=True)
        if walks and walks[-1].result is choices:
            trial.elsewhere = tuple(node for node in walks[-1].path if node not in path)
        self._flying.setdefault(choices, []).append(trial)
        self._count(trial, path)
        return choices

    def observe(self, choices: Choices, scores: Scores | None) -> None:
        self._unseen.add(choices)
        flying = self._flying.get(choices)
        if flying:
            trial = flying.pop(0)
            if not flying:
                del self._flying[choices]
        else:
            trial = Trial(choices, self._keys(choices))
            self._count(trial, way(self.root, choices, make=True))
        if scores is None:
            return
        trial.scores = scores
        self._rewards.add(scores)
        self._told.append(trial)
        if len(self._told) < STALE * self._ranked:
            self._reward(trial)
            return
        self._ranked = len(self._told)
        for each in self._told:
            self._reward(each)

    def _count(self, trial: Trial, path: list[Node]) -> None:
        """Count a trial, which is not told, where it comes through."""
        for node in (*path, *trial.elsewhere):
            node.visits += 1
        if path[-1].question is None:
            path[-1].waiting.append(trial)
        if self.settings.rave:
            self._tally(trial, path)

    def _tally(self, trial: Trial, path: list[Node]) -> None:
        """Count a trial in the tallies on its way. A node gets some when half as many programs as came to
        the one above it that has some are enough: then those on a way are few."""
        above = path[0]
        for node in path:
            if node.tallies is not None:
                above = node
                for tally in _tallies(node.tallies, trial):
                    tally[0] += 1
            elif node is above or self.settings.local <= node.visits <= above.visits / 2:
                above, node.tallies = node, {}
                for each in beneath(node):
                    for tally in _tallies(node.tallies, each):
                        tally[0] += 1
                        tally[1] += each.reward

    def _reward(self, trial: Trial) -> None:
        """Give a trial the reward that it has by what is known now."""
        assert trial.scores is not None
        more = self._rewards.of(trial.scores) ** self.settings.sharpness - trial.reward
        if not more:
            return
        trial.reward += more
        path = way(self.root, trial.choices)
        for node in (*path, *trial.elsewhere):
            node.total += more
        for node in path:
            if node.tallies is not None:
                for tally in _tallies(node.tallies, trial):
                    tally[1] += more

    def _keys(self, choices: Choices) -> tuple[Key, ...]:
        """The keys of the tallies that a program counts for."""
        unlisted, found = self.unlisted, list[Key]()
        for address, pick in choices.items():
            if address not in unlisted:
                found.append((address, pick))
                continue
            with suppress(ValueError):  # a pick of another decision that has its address
                found += unlisted[address].cells(pick)
        return tuple(found)


def _tallies(tallies: Tallies, trial: Trial) -> Iterator[list[float]]:
    """The tallies that a program counts for."""
    for key in trial.keys:
        tally = tallies.get(key)
        if tally is None:
            tally = tallies[key] = [0, 0.0]
        yield tally
