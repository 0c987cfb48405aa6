"""Error leaves: why some choices give no program."""

from __future__ import annotations

import attrs

from archlang.diagnostics import Diagnostic


@attrs.frozen(eq=False)
class Fault:
    """A value that is an error. `excluded` when a `require` of a block or space removed the
    choices (silently no program), else broken: reported when a program's result reaches it."""

    diagnostic: Diagnostic
    excluded: bool = False


class FaultSignal(Exception):
    """Carries a fault up to the nearest thunk, alternative or continuation, where it becomes a leaf."""

    def __init__(self, fault: Fault):
        super().__init__(fault)
        self.fault = fault


def broken(diagnostic: Diagnostic) -> FaultSignal:
    """The signal for an error in the program, to be raised."""
    return FaultSignal(Fault(diagnostic))


def excluded(diagnostic: Diagnostic) -> FaultSignal:
    """The signal for choices that a `require` removes, to be raised."""
    return FaultSignal(Fault(diagnostic, excluded=True))


class NotReusable(Exception):
    """What is evaluated depends on more than the arguments of the call that it is part of."""


class Entangled(Exception):
    """The space cannot be evaluated with all alternatives kept; says which decisions are why, by their
    addresses or, as long as these are not known, by their variables."""

    def __init__(self, reason: str, decisions: tuple[str, ...] = (), variables: tuple[int, ...] = ()):
        super().__init__(reason)
        self.reason = reason
        self.decisions = decisions
        self.variables = variables
