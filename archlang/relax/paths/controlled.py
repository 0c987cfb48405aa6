"""Paths that a searcher proposes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs

from archlang.relax.engine import Batch
from archlang.relax.paths.paths import Paths
from archlang.searchers.base import Exhausted, Searcher
from archlang.searchers.objectives import Objective
from archlang.searchers.policies.policy import PolicySearch
from archlang.searchers.recipe import Recipe
from archlang.space.choices import Choices

if TYPE_CHECKING:
    from archlang.relax.session import Session

REWARD = "reward"


def _recipe(given: str | type[Searcher] | Recipe) -> Recipe:
    return Recipe.of(given)


@attrs.define(eq=False)
class Controller:
    """A searcher in a training of shared weights, and the program that it has asked for, if it has."""

    searcher: Searcher
    _asked: Choices | None = attrs.field(default=None, init=False)

    def asked(self) -> Choices:
        """The program that is to be evaluated next; raises `Exhausted` when the searcher has none left."""
        if self._asked is None:
            self._asked = self.searcher.ask()
        return self._asked

    def tell(self, reward: float | None) -> None:
        """Take what that program gave; None: its evaluation failed."""
        self.searcher.tell(self.asked(), None if reward is None else {REWARD: reward})
        self._asked = None


@attrs.frozen(kw_only=True)
class Controlled(Paths):
    """One program a step, from a searcher that learns which are good with the shared weights (Pham et al. 2018,
    "Efficient neural architecture search via parameter sharing", section 2.2). Goes with the update
    `Reinforce`.

    The weights are trained on draws from the policy of the `searcher`, of which it is told nothing. One
    without a policy proposes, and the weights are trained on the program that is evaluated next; by draws from
    the whole space until one was evaluated, and when the searcher has nothing left to propose.
    """

    searcher: Recipe = attrs.field(factory=lambda: _recipe("reinforce(dedupe=false)"), converter=_recipe)

    def programs(self, session: Session) -> Sequence[Choices]:
        controller = self.controller(session)
        if isinstance(controller.searcher, PolicySearch):
            return [controller.searcher.policy.draw(session.random)]
        try:
            if session.notes["controlled"]["told"]:
                return [controller.asked()]
        except Exhausted:
            pass
        return [session.space.draw(session.random)]

    def learn(self, session: Session, batch: Batch) -> None:
        """Evaluate the next program on a batch, with the shared weights as they are, and tell the searcher
        its accuracy (of a regression the negative loss)."""
        controller = self.controller(session)
        try:
            choices = controller.asked()
        except Exhausted:
            return
        # Programs differ too much for statistics that their draws have left in the shared batch norms.
        metrics = session.engine.measure([batch], choices, by_batch=True)
        reward = metrics.get("accuracy", -metrics["loss"])
        told = reward if math.isfinite(reward) else None
        session.notes["controlled"]["told"].append(told)
        controller.tell(told)

    def controller(self, session: Session) -> Controller:
        """The searcher of a session. It is made again from what it was told, where a session goes on."""
        if "controller" not in session.known:
            if "controlled" not in session.notes:
                session.notes["controlled"] = {"seed": session.random.getrandbits(32), "told": []}
            notes = session.notes["controlled"]
            made = Controller(self.searcher.make(session.space, [Objective(REWARD)], notes["seed"]))
            for reward in notes["told"]:
                made.tell(reward)
            session.known["controller"] = made
        found: Controller = session.known["controller"]
        return found
