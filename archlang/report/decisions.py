"""An explanation of a decision, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Sized
from typing import TYPE_CHECKING, Any

from archlang.report.numbers import short
from archlang.space.choices import show_pick

if TYPE_CHECKING:
    from archlang.space.bounds import Bounds
    from archlang.space.explaining import Explanation

SHOWN = 6


def explanation_text(found: Explanation) -> str:
    """What a decision is, what it hangs from, and what it changes."""
    return "\n".join(_lines(found))


def explanation_json(found: Explanation) -> dict[str, Any]:
    """The same as plain data."""
    line, column = found.span.source.position(found.span.start)
    return {
        "address": found.decision.address,
        "domain": str(found.decision.domain),
        "place": {"file": found.span.source.name, "line": line, "column": column},
        "hangs_from": list(found.hangs_from),
        "programs": str(found.programs),
        "made_in": str(found.made_in),
        "decides": {address: list(picks) for address, picks in found.decides.items()},
        "shapes": {name: list(shapes) for name, shapes in found.shapes.items()},
        "picks": [
            {
                "pick": one.pick,
                "programs": str(one.programs),
                "costs": {name: [bound.least.proven, bound.most.proven] for name, bound in one.costs.items()},
            }
            for one in found.picks
        ],
    }


def _lines(found: Explanation) -> Iterator[str]:
    decision, source = found.decision, found.span.source
    line, _ = source.position(found.span.start)
    yield f"{decision.address}: {decision.domain}"
    first, *rest = source.text[found.span.start : found.span.end].splitlines()
    yield f"  written at {source.name}:{line}: {first}{' ...' if rest else ''}"
    if found.hangs_from:
        yield f"  hangs from {_some([f'`{address}`' for address in found.hangs_from])}"
    if found.made_in == found.programs:
        yield f"  every program makes it ({found.programs})"
    else:
        yield f"  made in {found.made_in}, of {found.programs}"
    if found.decides:
        many = "other decisions are" if len(found.decides) > 1 else "other decision is"
        yield f"  decides whether {len(found.decides)} {many} made:"
        for address, picks in list(found.decides.items())[:SHOWN]:
            yield f"    {address}, when it is {' or '.join(map(show_pick, picks))}"
        yield from _more(found.decides)
    else:
        yield "  no other decision hangs from it"
    if found.shapes:
        yield f"  changes {len(found.shapes)} shape{'s' * (len(found.shapes) > 1)}:"
        for name, shapes in list(found.shapes.items())[:SHOWN]:
            yield f"    {name}: {', '.join(dict.fromkeys(shapes))}"
        yield from _more(found.shapes)
    elif found.picks:
        yield "  changes no shape"
    if found.picks:
        yield "  each pick, with what its programs cost:"
    for one in found.picks:
        costs = [f"{name} {_range(bound)}" for name, bound in one.costs.items()]
        yield "    " + "; ".join([f"{show_pick(one.pick)}: {one.programs}", *costs])


def _more(items: Sized) -> Iterator[str]:
    if len(items) > SHOWN:
        yield f"    and {len(items) - SHOWN} more"


def _some(items: Sequence[str]) -> str:
    more = f" and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return ", ".join(items[:SHOWN]) + more


def _range(bound: Bounds) -> str:
    least, most = bound.least.proven, bound.most.proven
    return short(least) if least == most else f"{short(least)} to {short(most)}"
