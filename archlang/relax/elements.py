"""What the elements of subset decisions hang from: the operation of an edge, where some edges are chosen."""

from __future__ import annotations

from archlang.relax.varied import Varied
from archlang.semantics.decision import Subsets
from archlang.semantics.diagram import support
from archlang.semantics.values import OpNode, SelectNode, Tensor


def decisions_of_elements(varied: Varied) -> dict[int, dict[int, set[int]]]:
    """By variable of a decision whose picked elements are summed, for each element the variables of its own
    decisions: of those that the element comes from through ops but no further decision, the one that the
    element is an alternative of, and those that no program makes without the element."""
    found: dict[int, dict[int, set[int]]] = {}
    for tensor in varied.tensors:
        node = tensor.node
        if type(node) is SelectNode:
            for element, made in (varied.elements(node) or {}).items():
                own = found.setdefault(node.var, {}).setdefault(element, set())
                own |= _own(varied, node.var, element, made)
    return found


def _own(varied: Varied, variable: int, element: int, made: Tensor) -> set[int]:
    domain = varied.decisions[variable].domain
    assert isinstance(domain, Subsets)
    without = {variable: [position for position, pick in enumerate(domain.picks()) if element not in pick]}
    its_own = made.node.var if type(made.node) is SelectNode else None
    return {near for near in _nearest(made) if near == its_own or not varied.is_made(near, without)}


def _nearest(tensor: Tensor) -> set[int]:
    """The decisions that a tensor comes from through ops but no further decision."""
    found: set[int] = set()
    stack, seen = [tensor], set()
    while stack:
        node = stack.pop().node
        if type(node) is SelectNode:
            found.add(node.var)
        elif type(node) is OpNode and id(node) not in seen:
            seen.add(id(node))
            found |= support(*node.config)
            stack.extend(node.inputs)
    return found
