"""One run of a Python function: what it asks, and what is picked."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType
from typing import Any

from archlang.diagnostics import ArchError, error
from archlang.semantics.decision import Decision, Domain, Pick
from archlang.semantics.fault import Fault, FaultSignal
from archlang.space.resolver import Picker
from archlang.space.traced.addresses import Addresses, Mark

_running: ContextVar[Run | None] = ContextVar("running", default=None)


def running() -> Run | None:
    """The run that is going on here."""
    return _running.get()


class Run:
    """What happens in a run: the decisions in the order in which they are asked, each with its pick.

    `failure` is what the function raised, and `fault` the requirement that the picks break.
    """

    def __init__(self, function: Callable[[], Any], pick: Picker):
        self._function = function
        self._pick = pick
        self._addresses = Addresses(function)
        self.asked: dict[str, tuple[Decision, Pick]] = {}
        self.shared: dict[int, Any] = {}  # values of choices that were made before the run, by identity
        self._named: dict[str, object] = {}  # whose the addresses of these are
        self.fault: Fault | None = None
        self.failure: Exception | None = None
        self._refused: Exception | None = None  # what the picker raised

    def go(self) -> Any:
        """The value of the function; None where it has none. ArchErrors pass."""
        token = _running.set(self)
        try:
            with self.marked(sys._getframe(), Mark(self._function, "")):
                return self._function()
        except FaultSignal:
            return None
        except ArchError:
            raise
        except Exception as failure:
            if failure is self._refused:
                raise
            self.failure = failure
            return None
        finally:
            _running.reset(token)
            self._addresses.forget()

    @contextmanager
    def marked(self, frame: FrameType, mark: Mark) -> Iterator[None]:
        """While something is called for the user, by this frame."""
        self._addresses.marks[frame] = mark
        try:
            yield
        finally:
            del self._addresses.marks[frame]

    def ask(self, domain: Domain, name: str | None, caller: FrameType) -> tuple[Decision, Pick]:
        """The decision that a frame asks for, and its pick. One of a name that has been asked in the same
        place is the same."""
        address, parents = self._addresses.asked(caller, name)
        if name is None:
            address = self._free(address)
        return self._decide(Decision(address, domain, parents))

    def ask_of_call(self, domain: Domain, parameter: str, frame: FrameType) -> tuple[Decision, Pick]:
        """The decision of a parameter of what is called by a marked frame."""
        body, _ = self._addresses.body(frame)
        return self._decide(Decision(f"{body.address}.{parameter}", domain, body.parents))

    def ask_shared(self, domain: Domain, name: str, owner: object) -> tuple[Decision, Pick]:
        """The decision of something that was made before the run."""
        self.claim(name, owner)
        return self._decide(Decision(name, domain))

    def claim(self, name: str, owner: object) -> None:
        """Give a name to something that was made before the run; ArchError (E0404) when another has it."""
        if self._named.setdefault(name, owner) is not owner:
            what = f"two choices are called `{name}`"
            hints = ['give one a name of its own: `al.choose([…], name="…")`']
            raise ArchError(error("E0404", what, hints=hints))

    def excluded(self, fault: Fault) -> FaultSignal:
        """The signal that a requirement is broken; it holds even where the function catches it."""
        self.fault = self.fault or fault
        return FaultSignal(fault)

    def _free(self, address: str) -> str:
        """An address that is not in use: what lies beyond the function's loops may ask from one place twice."""
        found, count = address, 1
        while found in self.asked:
            count += 1
            found = f"{address}#{count}"
        return found

    def _decide(self, decision: Decision) -> tuple[Decision, Pick]:
        known = self.asked.get(decision.address)
        if known is None:
            try:
                known = self.asked[decision.address] = decision, self._pick(decision)
            except Exception as refused:
                self._refused = refused
                raise
        elif known[0].domain != decision.domain:
            notes = [f"at one time it is {known[0].domain}, at another {decision.domain}"]
            what = f"two decisions have the address `{decision.address}` and different alternatives"
            raise ArchError(error("E0404", what, notes=notes, hints=["give each a name of its own: `name=…`"]))
        return known
