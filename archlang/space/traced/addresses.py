"""The addresses of decisions in Python: the calls that lead from the function to the place that asks.

`stage[2]/unit#1.kernel`: what `stage` calls in the third turn of a loop, the first of its calls of `unit`, and
there what is bound to `kernel`. An address hangs on the text of the function and on the turns of its
loops, never on what else has been asked before.
"""

from __future__ import annotations

import ast
import inspect
import sysconfig
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import FrameType, FunctionType, ModuleType
from typing import Any

import attrs

from archlang.space.traced.sites import TRANSPARENT, Binding, Site, numbered, site_of

MERGED = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")  # parts of the function that they stand in
NAMELESS = "choice"
_INSTALLED = tuple({str(Path(path)) for name, path in sysconfig.get_paths().items() if "lib" in name})


@attrs.frozen(eq=False)
class Mark:
    """Something that archlang calls for the user: a function with arguments to resolve, or an alternative. What it
    runs belongs to it. `address`: that of an alternative, or of the whole run (""); None for a call, whose
    address follows from where it stands. `parents`: the decisions in whose alternatives it stands."""

    called: Callable[..., Any]
    address: str | None = None
    parents: tuple[str, ...] = ()


@attrs.define(eq=False)
class Body:
    """One run of a function: its address, and how often its loops have gone round, as far as that shows."""

    address: str
    parents: tuple[str, ...]
    _turns: dict[Any, tuple[int, tuple[int, ...], int]] = attrs.field(factory=dict)

    def index(self, site: Site, frames: Sequence[FrameType], again: bool = False) -> Index:
        """The turns of the loops around a call, each with the place of its loop, the outermost first: of those that
        number their turns their own numbers, of all others together how often they have come by. `again`: the
        call may lead here more than once."""
        loops, again = site.loops, again or not site.read
        numbers = [_value(loop.counter, frames) for loop in loops]
        counted = [place for place, number in enumerate(numbers) if number is None]
        found = [(place, number) for place, number in enumerate(numbers) if number is not None]
        if not counted and not again:
            return found
        first, last = (counted[0], counted[-1]) if counted else (len(loops), len(loops))
        outer = tuple(number for place, number in found if place < first)
        inner = tuple(number for place, number in found if place > first)
        key = (loops[first], outer) if counted else (site, outer)
        turn, last_inner, before = self._turns.get(key, (0, (), -1))
        if site.order <= before and not inner > last_inner:
            turn += 1
        self._turns[key] = turn, inner, site.order
        return sorted([*found, (last, turn)]) if turn or site.read else found


Index = list[tuple[int, int]]


def _written(index: Index) -> str:
    return "".join(f"[{number}]" for _, number in index)


def _value(name: str, frames: Sequence[FrameType]) -> int | None:
    """The number that a variable holds, in the innermost frame that has it."""
    for frame in reversed(frames) if name else ():
        if name in frame.f_locals:
            found = frame.f_locals[name]
            return found if type(found) is int else None
    return None


class Addresses:
    """Gives addresses in one run. Of the functions that run, those of the last question are remembered."""

    def __init__(self, function: Callable[..., Any]):
        self.marks: dict[FrameType, Mark] = {}
        self._own = _package(getattr(inspect.unwrap(function), "__module__", None) or "")
        self._last: list[tuple[FrameType, Body]] = []
        self._entries: Counter[str] = Counter()

    def forget(self) -> None:
        """Let go of the functions that ran, and so of what they made."""
        self._last.clear()

    def body(self, caller: FrameType) -> tuple[Body, list[FrameType]]:
        """The run of a function that a frame belongs to, and its frames."""
        groups = self._groups(caller)
        bodies: list[tuple[FrameType, Body]] = []
        for place, frames in enumerate(groups):
            first = frames[0]
            if place < len(self._last) and self._last[place][0] is first:
                bodies.append(self._last[place])
                continue
            del self._last[place:]
            mark = self.marks.get(first)
            if mark is not None and mark.address is not None:
                bodies.append((first, Body(mark.address, mark.parents)))
                continue
            within = bodies[-1][1] if bodies else Body("", ())
            around = groups[place - 1] if place else []
            label = self._entered(within, around, first, mark)
            path = f"{within.address}/{label}" if within.address else label
            self._entries[path] += 1
            again = self._entries[path] if self._entries[path] > 1 else 0  # beyond what the source tells apart
            bodies.append((first, Body(numbered(path, again), within.parents)))
        self._last = bodies
        return bodies[-1][1], groups[-1]

    def _groups(self, frame: FrameType | None) -> list[list[FrameType]]:
        """The frames from the run's own to the one that asks, those together that are one function for the user."""
        frames: list[FrameType] = []
        packages = {self._own, _package(frame.f_globals.get("__name__", "") if frame is not None else "")}
        while frame is not None:
            if frame in self.marks or _is_users(frame, packages):
                frames.append(frame)
            if frame in self.marks and self.marks[frame].address == "":
                break
            frame = frame.f_back
        groups: list[list[FrameType]] = []
        marked = False  # whether the last frame is a mark, to which the function that it calls belongs
        for each in reversed(frames):
            if groups and each not in self.marks and (marked or each.f_code.co_name in MERGED):
                groups[-1].append(each)
            else:
                groups.append([each])
            marked = each in self.marks
        return groups

    def _entered(self, within: Body, around: Sequence[FrameType], frame: FrameType, mark: Mark | None) -> str:
        """What a function is called where another calls it: as the caller calls it, where it calls it by name."""
        own = _called(frame) if mark is None else getattr(mark.called, "__name__", type(mark.called).__name__)
        if not around or around[-1] in self.marks:  # archlang calls it
            return own
        site = site_of(around[-1])
        code = frame.f_code if mark is None else None
        if site.callee == "__init__":  # of a base class
            return f"{numbered(own, site.ordinal)}{_written(within.index(site, around))}"
        direct = site.callee == own or _leads_to(site.callee, around, code, mark)
        index = _written(within.index(site, around, again=not direct))
        if direct:
            return f"{numbered(site.callee, site.ordinal)}{index}"
        through = f"{numbered(site.callee, site.ordinal)}/" if site.callee not in ("", *TRANSPARENT) else ""
        return f"{through}{own}{index}"

    def _label(self, body: Body, frames: Sequence[FrameType], name: str | None) -> str:
        """What a decision is called in the function that asks for it, after what separates it from its address."""
        site = site_of(frames[-1])
        turns, binding = body.index(site, frames), site.binding
        index = _written(turns)
        if name is not None:
            return f".{name}{index}"
        if binding.returned and body.address:
            return index
        if binding.label:
            parameter = binding.name or _parameter(binding, frames)
            around, inside = ([turn for turn in turns if (turn[0] < binding.loops) is outer] for outer in (True, False))
            return f"/{binding.label}{_written(around)}.{numbered(parameter, site.alike)}{_written(inside)}"
        return f".{numbered(binding.name or NAMELESS, site.alike)}{index}"

    def asked(self, caller: FrameType, name: str | None) -> tuple[str, tuple[str, ...]]:
        """The address of what a frame asks for, and the decisions in whose alternatives it stands."""
        body, frames = self.body(caller)
        label = self._label(body, frames, name)
        return f"{body.address}{label}" if body.address else label.lstrip("./"), body.parents


def _package(module: str) -> str:
    return module.partition(".")[0]


def _is_users(frame: FrameType, packages: set[str]) -> bool:
    """Whether a frame runs code of the user, and not of a library between it and the choice."""
    module = frame.f_globals.get("__name__", "")
    if module.startswith("archlang.space.traced."):
        return False
    return _package(module) in packages or not frame.f_code.co_filename.startswith((*_INSTALLED, "<frozen"))


def _called(frame: FrameType) -> str:
    """The name of the function that runs; of one that makes or is an object, its class."""
    name = frame.f_code.co_name
    if name in ("__init__", "__new__", "__call__"):
        return frame.f_code.co_qualname.split(".")[-2]
    return name.strip("<>")


def _leads_to(name: str, frames: Sequence[FrameType], code: Any, mark: Mark | None) -> bool:
    """Whether a name, where it is called, stands for what has been called."""
    found = _looked_up(name, frames)
    while isinstance(found, partial):
        found = found.func
    if mark is not None:
        return found is mark.called or inspect.unwrap(found) is mark.called if callable(found) else False
    if isinstance(found, type):
        return any(getattr(found.__dict__.get(made), "__code__", None) is code for made in ("__init__", "__new__"))
    return getattr(found, "__code__", None) is code


def _looked_up(name: str, frames: Sequence[FrameType]) -> Any:
    for frame in reversed(frames):
        for names in (frame.f_locals, frame.f_globals):
            if name in names:
                return names[name]
    return None


def _parameter(binding: Binding, frames: Sequence[FrameType]) -> str:
    """The name of the parameter that an argument without a name is for; its position where that is not known."""
    position, function = binding.position or 0, binding.function
    path: list[str] = []
    while isinstance(function, ast.Attribute):
        path.append(function.attr)
        function = function.value
    found = _looked_up(function.id, frames) if isinstance(function, ast.Name) else None
    for name in reversed(path):
        owner, found = found, None if found is None else inspect.getattr_static(found, name, None)
        position += isinstance(found, FunctionType) and not isinstance(owner, type | ModuleType)
    try:
        parameters = list(inspect.signature(found).parameters.values()) if callable(found) else []
    except (TypeError, ValueError):
        parameters = []
    if position < len(parameters) and parameters[position].kind is not inspect.Parameter.VAR_POSITIONAL:
        return parameters[position].name
    return str(position)


def bound_to(frame: FrameType) -> str:
    """The name that the value of what a frame calls is bound to, "" without one."""
    binding = site_of(frame).binding
    return "" if binding.label else binding.name


def outside_label(frame: FrameType) -> str:
    """What a choice that is made outside of a run is called: what it is bound to."""
    site = site_of(frame)
    binding = site.binding
    index = "".join(f"[{number}]" for loop in site.loops if (number := _value(loop.counter, [frame])) is not None)
    if binding.label:
        parameter = binding.name or _parameter(binding, [frame])
        return f"{binding.label}{index}.{numbered(parameter, site.alike)}"
    return f"{numbered(binding.name or NAMELESS, site.alike)}{index}"
