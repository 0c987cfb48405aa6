"""The children of a block's module: which there are, where, and which step uses which."""

from __future__ import annotations

import attrs

from archlang.backend import unsupported_error
from archlang.ir.graph import Graph, Node, Operation
from archlang.ir.raising import BlockInstance, raise_blocks, relative
from archlang.lowering.declared import Layer, Lowerings
from archlang.lowering.names import module_paths


@attrs.frozen(eq=False)
class Child:
    """A layer or block in a block's module.

    `item` is its first use. `twin` is the child whose parameters it has too: a weight tied
    between operations that are configured differently.
    """

    path: tuple[str, ...]
    item: Node | BlockInstance
    twin: Child | None = None


def children(
    instance: BlockInstance, lowerings: Lowerings, reserved: frozenset[str] = frozenset()
) -> tuple[Child | None, ...]:
    """The child that each step applies, None for operations that are functions.

    Steps that apply one child (tied weights) give the same object. No child has a reserved name.
    """
    # Several children are at one address only where differently configured operations are tied.
    found: dict[str, list[tuple[str, Node | BlockInstance]]] = {}
    # Layers that happen to have no weights are named last, so that no weight's name hangs on them.
    bare: dict[str, list[tuple[str, Node | BlockInstance]]] = {}
    keys: list[str] = []
    for step in instance.body:
        item = step.item
        if isinstance(item, BlockInstance):
            at = relative(item.home, instance.home)
            keys.append(at)
            found.setdefault(at, [(at, item)])
        elif not lowerings.is_layer(item.operation.name):
            keys.append("")
        elif not item.operation.weights:
            key = f"{relative(item.address, instance.address)}~"
            keys.append(key)
            bare[key] = [(key, item)]
        else:
            at = relative(item.weights_at, instance.home)
            here = found.setdefault(at, [(at, item)])
            known = next((key for key, other in here if _same(other, item.operation)), None)
            if known is None:
                known = f"{at}~{len(here) + 1}"
                here.append((known, item))
            keys.append(known)
    found |= bare
    paths = module_paths([key for here in found.values() for key, _ in here], reserved)
    made: dict[str, Child] = {}
    for here in found.values():
        first = None
        for key, item in here:
            made[key] = Child(paths[key], item, first)
            if first is not None:
                _check_twin(item, lowerings.backend)
            first = first or made[key]
    return tuple([made[key] if key else None for key in keys])


def weight_paths(
    graph: Graph, lowerings: Lowerings, reserved: frozenset[str] = frozenset()
) -> dict[str, tuple[str, ...]]:
    """Where each weight and state is below the network, by address: the names of the modules on the
    way to it and, last, its own in its layer."""
    found: dict[str, tuple[str, ...]] = {}

    def visit(instance: BlockInstance, path: tuple[str, ...]) -> None:
        for child in dict.fromkeys(children(instance, lowerings, reserved)):
            if child is None or child.twin is not None:
                continue
            place = (*path, *child.path)
            if isinstance(child.item, BlockInstance):
                visit(child.item, place)
            else:
                lowered = lowerings.get(child.item.operation.name)
                assert isinstance(lowered, Layer)
                for weight in child.item.operation.weights:
                    found[f"{child.item.weights_at}.{weight.name}"] = (*place, lowered.name(weight.name))

    visit(raise_blocks(graph), ())
    return found


def _same(item: Node | BlockInstance, operation: Operation) -> bool:
    if isinstance(item, BlockInstance):
        return False
    other = item.operation
    return other is operation or (
        other.name == operation.name and other.attributes == operation.attributes and other.weights == operation.weights
    )


def _check_twin(item: Node | BlockInstance, backend: str) -> None:
    """Refuse to tie running statistics between different operations: no module can hold them twice."""
    if isinstance(item, Node) and not all(weight.trained for weight in item.operation.weights):
        reason = "cannot tie states between operations with different attributes"
        raise unsupported_error(backend, {item.operation.name: (reason, [item.address])})
