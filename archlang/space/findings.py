"""What is no error and yet hardly meant: alternatives that nothing picks, or that make the same programs,
and decisions without effect."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from archlang.diagnostics import Diagnostic, Label
from archlang.semantics.diagram import Diagram, Value, leaves, support
from archlang.semantics.fault import Entangled, Fault
from archlang.semantics.handlers import Variable
from archlang.semantics.values import List, OpNode, Record, SelectNode, Symbolic, Tensor
from archlang.space.choices import show_pick
from archlang.space.compiled import Compiled, Programs
from archlang.space.resolver import OnceForAll

SHOWN = 4


def findings(once: OnceForAll, compiled: Compiled, programs: Programs) -> list[Diagnostic]:
    """Warnings about the programs that meet the requirements: decisions that none of them makes,
    alternatives that none picks, decisions that change none, alternatives alike. Raises Entangled."""
    taken = programs.taken()
    never: list[tuple[Variable, str]] = []
    unpicked: list[tuple[Variable, str]] = []
    told: set[str] = set()
    for place, picks in enumerate(taken):
        variable = once.variables[compiled.layout.order[place]]
        if not picks:
            # Where the alternative that it is in is never picked, that is told.
            if not any(parent in told for parent in variable.decision.parents):
                never.append((variable, ""))
            told.add(variable.decision.address)
        elif len(picks) < compiled.sizes[place]:
            rest = [compiled.picks[place][pick] for pick in range(compiled.sizes[place]) if pick not in picks]
            told.add(variable.decision.address)
            shown = ", ".join(map(show_pick, rest[:SHOWN]))
            unpicked.append((variable, shown + (f" and {len(rest) - SHOWN} more" if len(rest) > SHOWN else "")))
    used = _effective(once)
    idle = [
        (once.variables[var], "")
        for place, var in enumerate(compiled.layout.order)
        if taken[place] and compiled.decisions[place].domain.size > 1 and var not in used
    ]
    alike = [] if len(idle) == len(taken) else list(_alike(once, compiled, taken, used))
    return [
        *_told(
            "W0501",
            "no program makes `{address}`",
            never,
            "it is made only under choices that the requirements rule out",
        ),
        *_told("W0502", "no program picks `{address}` = {rest}", unpicked, None),
        *_told("W0503", "`{address}` changes nothing: all its picks make the same programs", idle, None),
        *_told("W0504", "`{address}` makes the same programs with {rest}", alike, None),
    ]


def _alike(
    once: OnceForAll, compiled: Compiled, taken: Sequence[set[int]], used: set[int]
) -> Iterator[tuple[Variable, str]]:
    """Decisions of which some picks make the same programs, and these picks."""
    from archlang.space.distinct.alike import Alike

    try:
        alike = Alike(once)
    except Entangled:
        return
    for place, var in enumerate(compiled.layout.order):
        if var in used and not compiled.wide[place] and len(taken[place]) > 1:
            with suppress(Entangled):
                for same in alike.classes(var, sorted(taken[place])):
                    if len(same) > 1:
                        shown = [show_pick(compiled.picks[place][pick]) for pick in same]
                        rest = f" and {len(same) - SHOWN} more" if len(same) > SHOWN else f" and {shown.pop()}"
                        yield once.variables[var], ", ".join(shown[:SHOWN]) + rest


def _told(code: str, message: str, found: list[tuple[Variable, str]], note: str | None) -> Iterable[Diagnostic]:
    """One warning for each place in the text and thing to say."""
    groups: dict[object, list[tuple[Variable, str]]] = {}
    for variable, rest in found:
        groups.setdefault((variable.span, rest), []).append((variable, rest))
    for same in groups.values():
        variable, rest = same[0]
        notes = [note] if note is not None else []
        if len(same) > 1:
            notes.append(f"so it is with {len(same) - 1} more decisions made at this place")
        yield Diagnostic(
            code=code,
            message=message.format(address=variable.decision.address, rest=rest),
            labels=(Label(variable.span),),
            notes=tuple(notes),
            severity="warning",
        )


def _effective(once: OnceForAll) -> set[int]:
    """The variables that the result depends on: its graph, its values, which decisions there are,
    and whether it is a program."""
    evaluated = once.evaluated
    found = support(*evaluated.conditions, *evaluated.needs.values())
    numbers = {variable.decision.address: number for number, variable in once.variables.items()}
    seen: set[int] = set()
    kept: list[Value] = []  # identities stay taken
    stack: list[Value] = [evaluated.result]
    while stack:
        here = stack.pop()
        if id(here) in seen:
            continue
        seen.add(id(here))
        kept.append(here)
        if type(here) is Diagram:
            found |= support(here)
            stack.extend(leaves(here))
        elif isinstance(here, Symbolic):
            found |= {numbers[address] for address in here.decisions if address in numbers}
            stack.extend(here.arguments)
        elif type(here) is Tensor:
            if type(here.node) is SelectNode:
                found.add(here.node.var)
                stack.extend(kid for kid in here.node.kids if type(kid) is not Fault)
            elif type(here.node) is OpNode:
                stack.extend([*here.node.config, *here.node.inputs])
        elif type(here) is Record:
            stack.extend(map(evaluated.evaluator.force, here.fields.values()))
        elif type(here) is List:
            stack.extend(map(evaluated.evaluator.force, here.items))
        elif isinstance(here, tuple):
            stack.extend(here)
    return found
