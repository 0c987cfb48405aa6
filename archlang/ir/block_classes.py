"""Block classes: the distinct blocks among a program's block instances, with their parameters.

Instances of one structure are one class. Where their operations differ in the value of an
attribute, the class has a parameter; attributes that agree in every instance share one.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import attrs

from archlang.ir.graph import Node, Operation
from archlang.ir.raising import BlockInstance, relative, tokens

Slots = Callable[[Operation], tuple[tuple[str, Any], ...]]


@attrs.frozen
class Parameter:
    """A value that the class is given: stands where a literal would."""

    name: str


@attrs.frozen(eq=False)
class OpStep:
    """An operation in a class's body.

    `operation` and `address` (relative to the block) are those of the first instance, `at` is
    where the weights are, relative to the block's home; `slots` are the named values that vary
    or not: literals or `Parameter`s.
    """

    address: str
    at: str
    operation: Operation
    slots: tuple[tuple[str, Any], ...]
    inputs: tuple[int, ...]
    results: int = 1


@attrs.frozen(eq=False)
class CallStep:
    """A block called in a class's body; `at` is its home relative to the caller's."""

    address: str
    at: str
    block: BlockClass
    arguments: tuple[tuple[str, Any], ...]
    inputs: tuple[int, ...]
    results: int


@attrs.frozen(eq=False)
class BlockClass:
    """A block as a class: `name` tells the classes of one `block` apart.

    `parameters` holds for each parameter its value in every instance, the first being that in
    `example`. `inputs` counts the inputs; values are local numbers as in `raising.Step`.
    """

    name: str
    block: str
    parameters: Mapping[str, tuple[Any, ...]]
    inputs: int
    body: tuple[OpStep | CallStep, ...]
    outputs: tuple[int, ...]
    example: BlockInstance


def _attributes(operation: Operation) -> tuple[tuple[str, Any], ...]:
    return operation.attributes


def _name(operation: Operation) -> Hashable:
    return operation.name


def block_classes(
    top: BlockInstance, slots: Slots = _attributes, kind: Callable[[Operation], Hashable] = _name
) -> tuple[BlockClass, ...]:
    """The classes of all instances below `top`, callees before callers, the program's own last.

    `slots` gives the values of an operation that may vary within a class (by default its
    attributes); operations whose `kind` differs are never merged.
    """
    drafts = _drafts(top, slots, kind)
    names = _names(drafts)
    classes: list[BlockClass] = []
    arguments: dict[int, dict[str, Any]] = {}
    class_of: dict[int, BlockClass] = {}
    for draft, name in zip(drafts, names, strict=True):
        made = _made(draft, name, slots, arguments, class_of)
        classes.append(made)
        for instance in draft:
            class_of[id(instance)] = made
    return tuple(classes)


def _drafts(top: BlockInstance, slots: Slots, kind: Callable[[Operation], Hashable]) -> list[list[BlockInstance]]:
    """The instances grouped by structure, a group after those that it calls."""
    groups: dict[Hashable, int] = {}
    group_of: dict[int, int] = {}
    drafts: list[list[BlockInstance]] = []
    for instance in top.walk():
        steps: list[Hashable] = []
        tied: dict[str, list[Operation]] = {}
        for step in instance.body:
            item = step.item
            if isinstance(item, Node):
                operation = item.operation
                at: tuple[str, int] | None = None
                if operation.weights:
                    place = relative(item.weights_at, instance.home)
                    at = (place, _among(tied.setdefault(place, []), operation))
                names = tuple([name for name, _ in slots(operation)])
                steps.append((kind(operation), names, at, step.inputs))
            else:
                steps.append((group_of[id(item)], relative(item.home, instance.home), step.inputs))
        key = (instance is top, instance.name, instance.inputs, instance.outputs, tuple(steps))
        group = groups.setdefault(key, len(drafts))
        if group == len(drafts):
            drafts.append([])
        drafts[group].append(instance)
        group_of[id(instance)] = group
    return drafts


def _among(operations: list[Operation], operation: Operation) -> int:
    """The number of the operation among the different ones that have weights in common."""
    for position, other in enumerate(operations):
        if other is operation or (other.name == operation.name and other.attributes == operation.attributes):
            return position
    operations.append(operation)
    return len(operations) - 1


def _names(drafts: list[list[BlockInstance]]) -> list[str]:
    """A name for each class: the block's, with the labels of the choices in it where several
    classes come from one block, with a number where that does not tell them apart."""
    by_block: dict[str, list[int]] = {}
    for position, draft in enumerate(drafts):
        by_block.setdefault(draft[0].name, []).append(position)
    names = [""] * len(drafts)
    top = len(drafts) - 1
    taken = {drafts[top][0].name}
    names[top] = drafts[top][0].name
    for block, positions in by_block.items():
        labels = [_labels(drafts[position][0]) for position in positions]
        for position, label in zip(positions, labels, strict=True):
            if position == top:
                continue
            base = block if len(positions) == 1 or not label or labels.count(label) > 1 else f"{block}_{label}"
            name, number = base, 1
            while name in taken:
                number += 1
                name = f"{base}_{number}"
            taken.add(name)
            names[position] = name
    return names


def _labels(instance: BlockInstance) -> str:
    """The labels of the alternatives passed through directly in the block, when they are few."""
    found: dict[str, None] = {}
    for step in instance.body:
        for token in tokens(relative(step.item.address, instance.address)):
            if token.startswith(":"):
                found.setdefault(token[1:])
    return "_".join(found) if len(found) <= 2 else ""


def _made(
    draft: list[BlockInstance],
    name: str,
    slots: Slots,
    arguments: dict[int, dict[str, Any]],
    class_of: dict[int, BlockClass],
) -> BlockClass:
    first = draft[0]
    # values[i][k] holds slot k of the i-th instance; places[k] says whose it is.
    values: list[list[Any]] = []
    places: list[tuple[int, str]] = []
    for instance in draft:
        row: list[Any] = []
        for position, step in enumerate(instance.body):
            item = step.item
            pairs = slots(item.operation) if isinstance(item, Node) else tuple(arguments[id(item)].items())
            row += [value for _, value in pairs]
            if instance is first:
                places += [(position, slot) for slot, _ in pairs]
        values.append(row)

    parameters: dict[str, tuple[Any, ...]] = {}
    name_of: dict[tuple[str, ...], str] = {}
    filled: dict[int, list[tuple[str, Any]]] = {}
    taken: list[dict[str, Any]] = [{} for _ in draft]
    for number, (position, slot) in enumerate(places):
        column = tuple([repr(row[number]) for row in values])
        value = values[0][number]
        if any(other != column[0] for other in column):
            parameter = name_of.get(column)
            if parameter is None:
                parameter = _free_name(slot, first.body[position].item.address, parameters)
                parameters[parameter] = tuple([row[number] for row in values])
                name_of[column] = parameter
                for arguments_taken, row in zip(taken, values, strict=True):
                    arguments_taken[parameter] = row[number]
            value = Parameter(parameter)
        filled.setdefault(position, []).append((slot, value))
    for instance, arguments_taken in zip(draft, taken, strict=True):
        arguments[id(instance)] = arguments_taken

    body: list[OpStep | CallStep] = []
    for position, step in enumerate(first.body):
        item = step.item
        address = relative(item.address, first.address)
        given = tuple(filled.get(position, ()))
        if isinstance(item, Node):
            at = relative(item.weights_at, first.home) if item.operation.weights else address
            body.append(OpStep(address, at, item.operation, given, step.inputs))
        else:
            at = relative(item.home, first.home)
            body.append(CallStep(address, at, class_of[id(item)], given, step.inputs, step.results))
    return BlockClass(name, first.name, parameters, first.inputs, tuple(body), first.outputs, first)


def _free_name(slot: str, address: str, taken: Mapping[str, Any]) -> str:
    """The slot's name, else with the operation's before it, else numbered."""
    if slot not in taken:
        return slot
    site = next((token for token in reversed(tokens(address)) if token[0] not in "[:"), "")
    base = f"{site.partition('#')[0]}_{slot}" if site else slot
    name, number = base, 1
    while name in taken:
        number += 1
        name = f"{base}_{number}"
    return name
