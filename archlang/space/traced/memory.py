"""The decisions of a Python function as a tree, as far as runs have shown it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import attrs

from archlang.diagnostics import ArchError, error
from archlang.semantics.decision import Decision, Pick
from archlang.semantics.fault import Fault
from archlang.space.resolver import Picker, Resolved, in_order
from archlang.space.traced.run import Run

MOST = 100_000  # ways that are remembered; others are run each time


@attrs.frozen(eq=False)
class Question:
    """A decision that follows on some picks, and what follows on each of its own."""

    decision: Decision
    answers: dict[tuple[type, Pick], Question | End] = attrs.field(factory=dict)


@attrs.frozen(eq=False)
class End:
    """The end of a run: nothing more is asked. `fault`: a requirement that the picks break."""

    fault: Fault | None


class Remembering:
    """Resolves picks by running a function, once for each way through its decisions."""

    def __init__(self, function: Callable[[], Any], name: str):
        self._function = function
        self._name = name
        self._root: Question | End | None = None
        self._count = 0

    def resolve(self, pick: Picker) -> Resolved:
        """The program that the picks lead to. A run that raises is a program too: it raises again when it is
        built. ArchError (E0417) when the function asks something else than it did for the same picks; what it
        raises before it has asked anything passes."""
        made: list[tuple[Decision, Pick]] = []
        node = self._root
        while isinstance(node, Question):
            chosen = pick(node.decision)
            made.append((node.decision, chosen))
            node = node.answers.get((type(chosen), chosen))
        if node is None:
            run, _ = self._run(made, pick)
            if run.failure is not None and not run.asked:
                raise run.failure
            made = list(run.asked.values())
            node = End(run.fault)
            self._remember(made, node)
        decisions = {pair[0].address: pair for pair in sorted(made, key=lambda pair: in_order(pair[0].address))}
        return Resolved(decisions, node.fault, tuple((*pair, True) for pair in made), _unread)

    def value(self, made: list[tuple[Decision, Pick]]) -> Any:
        """What the function returns for the decisions of a program; it raises what the function raises."""

        def pick(decision: Decision) -> NoReturn:
            self._changed(f"`{decision.address}` was not asked", "now it is")

        run, value = self._run(made, pick)
        if run.failure is not None:
            raise run.failure
        return value

    def _run(self, made: list[tuple[Decision, Pick]], pick: Picker) -> tuple[Run, Any]:
        """A run that takes the picks of some decisions, which it is to ask first, and then others."""
        known = iter(made)

        def follow(decision: Decision) -> Pick:
            for before, chosen in known:
                if before != decision:
                    self._changed(_shown(before), f"now it is {_shown(decision)}")
                return chosen
            return pick(decision)

        run = Run(self._function, follow)
        value = run.go()
        for before, _ in known:
            self._changed(_shown(before), "now it is not asked")
        return run, value

    def _changed(self, before: str, now: str) -> NoReturn:
        raise ArchError(
            error(
                "E0417",
                f"`{self._name}` asks other decisions for the same choices",
                notes=[f"it was {before}, {now}" if not before.endswith("asked") else f"{before}, {now}"],
                hints=["it may hang on what was picked, and on nothing else: no time, no chance, nothing that changes"],
            )
        )

    def _remember(self, made: list[tuple[Decision, Pick]], end: End) -> None:
        if self._count >= MOST:
            return
        node: Question | End = end
        for decision, chosen in reversed(made):
            node = Question(decision, {(type(chosen), chosen): node})
        at = self._root
        if at is None:
            self._root = node
            return
        for _, chosen in made:
            assert isinstance(at, Question)
            assert isinstance(node, Question)
            key = type(chosen), chosen
            if key not in at.answers:
                at.answers[key] = node.answers[key]
                self._count += 1
                return
            at, node = at.answers[key], node.answers[key]


def _shown(decision: Decision) -> str:
    return f"`{decision.address}`, {decision.domain}"


def _unread(name: str) -> NoReturn:
    raise AssertionError(f"`{name}` is built by running it")
