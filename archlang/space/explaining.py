"""What a decision is, what it hangs from and what it changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import attrs

from archlang.cost import Cost
from archlang.diagnostics import Span
from archlang.semantics.costs import in_order
from archlang.semantics.decision import Decision, Pick
from archlang.semantics.diagram import Value, leaves, support
from archlang.semantics.fault import Entangled, Fault
from archlang.semantics.values import OpNode
from archlang.space.bounds import Bounds, bounds
from archlang.space.choices import Choices
from archlang.space.compiled import Compiled, Count
from archlang.space.resolver import OnceForAll

COSTS = ("params", "macs", "depth")
MAX_PICKS = 50  # picks that are told one by one


@attrs.frozen
class OnePick:
    """What follows from one pick: how many programs take it, and what they cost. A cost is left
    out where it cannot be worked out (or the space holds no network)."""

    pick: Pick
    programs: Count
    costs: dict[str, Bounds]


@attrs.frozen
class Explanation:
    """A decision: where it is written, which decisions say whether it is made and in how many
    programs it is; for each decision that hangs from it the picks under which that may be made; the
    results of ops whose shapes it changes, as `op at address` with the shape for each pick; and what
    each pick leads to (empty for decisions of very many picks)."""

    decision: Decision
    span: Span
    hangs_from: tuple[str, ...]
    programs: Count
    made_in: Count
    decides: dict[str, tuple[Pick, ...]]
    shapes: dict[str, tuple[str, ...]]
    picks: tuple[OnePick, ...]


def explain(once: OnceForAll, compiled: Compiled, address: str, price: Callable[[Choices], Cost]) -> Explanation:
    """The explanation of the decision at an address of the space (of several, the first)."""
    place = compiled.places[address][0]
    var, decision, diagrams = compiled.layout.order[place], compiled.decisions[place], compiled.diagrams
    conditions, needs = once.evaluated.conditions, once.evaluated.needs
    diagrams.restart()
    listed = not compiled.wide[place] and compiled.sizes[place] <= MAX_PICKS
    under = [diagrams.both(needs[var], diagrams.literal(var, p)) for p in range(compiled.sizes[place])]
    decides = {}
    for other, asked in needs.items():
        if var in support(asked) and other != var:
            picks = [p for p in range(compiled.sizes[place]) if diagrams.cofactor(asked, var, p) is not False]
            decides[once.variables[other].decision.address] = tuple(compiled.picks[place][p] for p in picks)
    found = []
    for position in range(compiled.sizes[place]) if listed else ():
        taking = [*conditions, under[position]]
        found.append(
            OnePick(
                compiled.picks[place][position],
                compiled.counted(taking),
                _costs(once, compiled, price, taking),
            )
        )
    return Explanation(
        decision,
        once.variables[var].span,
        tuple(once.variables[v].decision.address for v in sorted(support(needs[var])) if v in once.variables),
        compiled.counted(conditions),
        compiled.counted([*conditions, needs[var]]),
        decides,
        _shapes(once, compiled, var, place) if listed else {},
        tuple(found),
    )


def _costs(
    once: OnceForAll, compiled: Compiled, price: Callable[[Choices], Cost], conditions: Sequence[Value]
) -> dict[str, Bounds]:
    found: dict[str, Bounds] = {}
    for name in COSTS if once.tensors else ():
        try:
            bound = bounds(once, compiled, name, price, conditions)
        except Entangled:
            continue
        if bound is not None:
            found[name] = bound
    return found


def _shapes(once: OnceForAll, compiled: Compiled, var: int, place: int) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for tensor in in_order([tensor for tensor, _ in once.tensors]):
        if isinstance(tensor.node, OpNode) and var in support(*tensor.shape):
            name = f"{tensor.node.op.declaration.name} at {tensor.node.address}"
            found[name] = tuple(
                f"[{', '.join(map(partial(_size, compiled, var, position), tensor.shape))}]"
                for position in range(compiled.sizes[place])
            )
    return found


def _size(compiled: Compiled, var: int, position: int, dim: Value) -> str:
    """A dimension under one pick, as it may be."""
    sizes = [leaf for leaf in leaves(compiled.diagrams.cofactor(dim, var, position)) if type(leaf) is not Fault]
    if len(sizes) == 1:
        return str(sizes[0])
    return f"{min(sizes)}..{max(sizes)}" if sizes else "none"
