"""Steps of a plan that run as one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import attrs

from archlang.relax.plan import Apply, Mix, Plan, Step


@attrs.frozen
class NormedMix:
    """A mixture, of whose parts some are batch norms without trained weights that nothing else needs."""

    mix: Mix
    norms: tuple[Apply | None, ...]  # by part
    inputs: tuple[int, ...]  # of the norms, and the other parts


def fused(plan: Plan, is_plain_norm: Callable[[Apply], bool]) -> list[tuple[int, Step | NormedMix]]:
    """The steps with the numbers of their results, batch norms made part of the mixtures that they are in."""
    first = len(plan.inputs)
    uses = Counter(value for step in plan.steps for value in step.inputs)
    uses.update(value for _, value in plan.outputs)
    gone: set[int] = set()
    found: list[tuple[int, Step | NormedMix]] = []
    for number, step in enumerate(plan.steps, first):
        if isinstance(step, Mix):
            made = [plan.steps[value - first] if value >= first else None for value in step.inputs]
            norms = tuple(
                each if isinstance(each, Apply) and is_plain_norm(each) and uses[value] == 1 else None
                for each, value in zip(made, step.inputs, strict=True)
            )
            if any(norms):
                parts = zip(norms, step.inputs, strict=True)
                inputs = tuple(value if norm is None else norm.inputs[0] for norm, value in parts)
                gone.update(value for norm, value in zip(norms, step.inputs, strict=True) if norm is not None)
                found.append((number, NormedMix(step, norms, inputs)))
                continue
        found.append((number, step))
    return [(number, step) for number, step in found if number not in gone]
