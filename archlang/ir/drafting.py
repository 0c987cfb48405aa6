"""From the blocks of a graph to the forms in which they are written: what only wraps goes, library
blocks are recognised, and what repeats becomes loops."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

from archlang.ir.graph import Graph, Input, Node, Output
from archlang.ir.raising import BlockInstance, raise_blocks
from archlang.ir.rolling import rolled
from archlang.ir.tidying import CONTAINERS, held_by
from archlang.ir.types import SymbolicDim, TensorType
from archlang.ir.units import (
    CallUnit,
    Defaults,
    Form,
    LibraryUnit,
    Link,
    LoopUnit,
    OpUnit,
    Placed,
    Recognise,
    Unit,
)

SMALL = 2  # steps of a block that needs no name of its own
FEW = 4  # steps of a block that is not much without the container in it
LONGEST_PART = 10  # operations in a library block that is looked for within bodies


def draft(graph: Graph, defaults: Defaults, recognise: Recognise) -> Form:
    """The form of the whole program, which leads to those of its blocks."""
    top = raise_blocks(graph)
    return _Drafter(graph, top, defaults, recognise).form(top)


class _Drafter:
    def __init__(self, graph: Graph, top: BlockInstance, defaults: Defaults, recognise: Recognise):
        self._graph = graph
        self._defaults = defaults
        self._recognise = recognise
        self._keys: dict[Hashable, int] = {}
        self._known: dict[str, list[Placed]] = {}
        self._number = {id(node): number for number, node in enumerate(graph.nodes, len(graph.inputs))}
        homes = Counter(_homes(top))
        self._tied = frozenset(home for home, count in homes.items() if count > 1)
        self._alike = Counter(_outline(instance) for instance in top.walk())

    # ------------------------------------------------------------ forms

    def form(self, instance: BlockInstance) -> Form:
        """The instance as it is written. Values are the graph's numbers."""
        inputs = instance.values[: instance.inputs]
        outputs = tuple([instance.values[position] for position in instance.outputs])
        steps = self._steps(instance)
        if not instance.address and len(steps) == 1 and isinstance(steps[0].unit, CallUnit):
            # A program that only calls one block is that block.
            inner = steps[0].unit.form
            if steps[0].inputs == inputs and steps[0].results == outputs and not inner.tied:
                steps = self._steps(inner.instance)
        return self._made(instance, inputs, self._looped(instance, self._parts(steps, outputs), outputs), outputs)

    def _steps(self, instance: BlockInstance) -> list[Placed]:
        """What the instance applies, before loops are found in it."""
        if instance.address in self._known:
            return self._known[instance.address]
        steps = self._known[instance.address] = []
        for step in instance.body:
            given = tuple([instance.values[value] for value in step.inputs])
            if isinstance(step.item, Node):
                steps.append(Placed(self._operation(step.item), given, (self._number[id(step.item)],)))
            else:
                steps += self._call(step.item, given, instance)
        return steps

    def _operation(self, node: Node) -> OpUnit:
        operation = node.operation
        known = self._defaults(operation)
        slots = tuple(
            (name, value)
            for name, value in operation.attributes
            if value is not None and not (name in known and known[name].derived and known[name].value == value)
        )
        ranks = tuple([len(given.shape) for given in operation.inputs])
        key = ("op", operation.name, ranks, tuple([name for name, _ in slots]))
        return OpUnit(node, slots, known, key, node.weights_at if operation.weights else None)

    def _call(self, instance: BlockInstance, given: tuple[int, ...], around: BlockInstance) -> list[Placed]:
        """A block applied: a block of the library, its steps where it needs no name, or a call."""
        results = tuple([instance.values[position] for position in instance.outputs])
        nodes = _nodes(instance)
        found = self._library(nodes, given, results, whole=True) if len(nodes) > 1 else None
        if found is not None:
            return [Placed(self._with_home(found, instance), given, results)]
        form = self.form(instance)
        if (
            instance.home == instance.address
            and instance.home not in self._tied
            and self._inlined(instance, form, around)
        ):
            return self._steps(instance)
        unit = CallUnit(form, instance.address, instance.home, nodes, self._types(results))
        return [Placed(unit, given, results)]

    def _with_home(self, unit: LibraryUnit, instance: BlockInstance) -> LibraryUnit:
        return LibraryUnit(unit.recognised, unit.nodes, instance.address, instance.home, unit.outputs)

    def _inlined(self, instance: BlockInstance, form: Form, around: BlockInstance) -> bool:
        """Whether the steps of a block stand better where it is called: few that follow each other, and
        what is in a mere container that is used once, or is most of the module that holds it."""
        if len(form.steps) <= SMALL and all(len(set(step.inputs)) <= 1 for step in form.steps[1:]):
            return True
        if instance.name not in CONTAINERS:
            return False
        return self._alike[_outline(instance)] == 1 or bool(around.address and len(around.body) <= FEW)

    def _made(
        self, instance: BlockInstance, inputs: tuple[int, ...], steps: Sequence[Placed], outputs: tuple[int, ...]
    ) -> Form:
        local: dict[int, int] = {value: position for position, value in enumerate(inputs)}
        homes = Counter(_all_homes(steps))
        tied = frozenset(home for home, count in homes.items() if count > 1)
        groups: dict[str, int] = {}
        parts: list[Hashable] = []
        for step in steps:
            given = tuple([local[value] for value in step.inputs])
            tie = groups.setdefault(step.unit.home, len(groups)) if step.unit.home in tied else None
            parts.append((_localised(step.unit.key, local), given, tie, len(step.results)))
            for value in step.results:
                local[value] = len(local)
        key = (
            not instance.address,
            _named(instance),
            len(inputs),
            tuple(parts),
            tuple([local[value] for value in outputs]),
        )
        return Form(
            instance=instance,
            name=_named(instance),
            inputs=inputs,
            steps=tuple(steps),
            outputs=outputs,
            types={value: self._graph.type_of(value) for value in local},
            key=self._keys.setdefault(key, len(self._keys)),
            values=tuple([step.unit.values for step in steps]),
            tied=tied,
        )

    # ------------------------------------------------------------ library blocks

    def _types(self, values: Sequence[int]) -> tuple[TensorType, ...]:
        return tuple([self._graph.type_of(value) for value in values])

    def _library(
        self, nodes: tuple[Node, ...], given: Sequence[int], results: Sequence[int], whole: bool
    ) -> LibraryUnit | None:
        if len(results) != 1 or len(set(given)) != len(given):
            return None
        part = self._part(nodes, given, results)
        found = None if part is None else self._recognise(part, whole)
        if found is None:
            return None
        home = next((node.weights_at for node in nodes if node.operation.weights), None)
        return LibraryUnit(found, nodes, nodes[0].address, home, self._types(results))

    def _part(self, nodes: Sequence[Node], given: Sequence[int], results: Sequence[int]) -> Graph | None:
        """The nodes as a graph of their own; None where its inputs could not be declared."""
        types = self._types(given)
        for kind in types:
            if any(isinstance(dim, SymbolicDim) and (place or dim.factor != 1) for place, dim in enumerate(kind.shape)):
                return None
        number = {value: position for position, value in enumerate(given)}
        made: list[Node] = []
        for node in nodes:
            if any(value not in number for value in node.inputs):
                return None
            inputs = tuple([number[value] for value in node.inputs])
            made.append(Node(node.address, node.operation, inputs, node.weights_at))
            number[self._number[id(node)]] = len(number)
        inputs_ = tuple([Input(f"x{position}", kind) for position, kind in enumerate(types)])
        return Graph("part", inputs_, tuple(made), tuple([Output("", number[value]) for value in results]))

    def _parts(self, steps: list[Placed], outputs: tuple[int, ...]) -> list[Placed]:
        """The steps with library blocks for operations that stand in a row and are one."""
        found: list[Placed] = []
        start = 0
        users: dict[int, set[int]] = {}
        for index, step in enumerate(steps):
            for value in step.inputs:
                users.setdefault(value, set()).add(index)
        while start < len(steps):
            for size in range(min(LONGEST_PART, len(steps) - start), 1, -1):
                window = steps[start : start + size]
                unit = self._window(window, range(start, start + size), users, outputs)
                if unit is not None:
                    found.append(unit)
                    start += size
                    break
            else:
                found.append(steps[start])
                start += 1
        return found

    def _window(
        self, window: list[Placed], places: range, users: dict[int, set[int]], outputs: tuple[int, ...]
    ) -> Placed | None:
        if not all(isinstance(step.unit, OpUnit) for step in window):
            return None
        made = {value for step in window for value in step.results}
        given = tuple(dict.fromkeys(value for step in window for value in step.inputs if value not in made))
        if len(given) != 1:
            return None
        last = window[-1].results[0]
        for value in made - {last}:
            if value in outputs or not users.get(value, set()) <= set(places):
                return None
        homes = {step.unit.home for step in window if step.unit.home is not None}
        if not homes or homes & self._tied:
            return None
        nodes = tuple([node for step in window for node in step.unit.nodes])
        unit = self._library(nodes, given, (last,), whole=False)
        return None if unit is None else Placed(unit, given, (last,))

    # ------------------------------------------------------------ loops

    def _looped(self, instance: BlockInstance, steps: list[Placed], outputs: tuple[int, ...]) -> list[Placed]:
        """The steps with loops for what repeats in chains."""
        uses = Counter(value for step in steps for value in step.inputs)
        uses.update(outputs)
        homes = Counter(_all_homes(steps))
        tied = frozenset(home for home, count in homes.items() if count > 1)
        chains: list[list[int]] = []
        chain_ending: dict[int, list[int]] = {}
        carried: list[int] = []
        for index, step in enumerate(steps):
            place = next((at for at, value in enumerate(step.inputs) if value in chain_ending), 0)
            carried.append(place)
            chain = chain_ending.pop(step.inputs[place], None) if step.inputs else None
            if chain is None:
                chain = []
                chains.append(chain)
            chain.append(index)
            if len(step.results) == 1 and uses[step.results[0]] == 1:
                chain_ending[step.results[0]] = chain
        # In a block that is used several times a table would be one of its parameters.
        tables = self._alike[_outline(instance)] == 1
        replaced: dict[int, list[Placed]] = {}
        gone: set[int] = set()
        for chain in chains:
            if len(chain) > 1:
                self._roll(chain, steps, carried, tied, tables, replaced, gone)
        found: list[Placed] = []
        for index, step in enumerate(steps):
            if index in replaced:
                found += replaced[index]
            elif index not in gone:
                found.append(step)
        return found

    def _roll(
        self,
        chain: list[int],
        steps: list[Placed],
        carried: list[int],
        tied: frozenset[str],
        tables: bool,
        replaced: dict[int, list[Placed]],
        gone: set[int],
    ) -> None:
        """Put loops into the steps for what repeats in a chain."""
        links: list[Link] = []
        for index in chain:
            step = steps[index]
            place = carried[index]
            if not step.inputs or len(step.results) != 1:
                return
            others = tuple([value for at, value in enumerate(step.inputs) if at != place])
            links.append(Link(step.unit, place, others, self._graph.type_of(step.inputs[place])))
        short = rolled(links, tied, tables)
        if len(short) == len(links):
            return
        position = 0
        for link in short:
            unit = link.unit
            if not isinstance(unit, LoopUnit):
                position += 1
                continue
            count = _length(unit, {id(one) for one in links})
            members = chain[position : position + count]
            start = steps[members[0]].inputs[carried[members[0]]]
            gone.update(members)
            loop = Placed(unit, (start, *unit.others), steps[members[-1]].results)
            replaced[members[-1]] = [loop]
            position += count


def _length(unit: LoopUnit, links: set[int]) -> int:
    """How many of the original links a loop stands for."""
    count = 0
    for iteration in unit.iterations:
        for link in iteration:
            count += 1 if id(link) in links else _length(link.unit, links)  # type: ignore[arg-type]
    return count


def _localised(key: Any, local: dict[int, int]) -> Hashable:
    """A loop's key with local numbers for the values from outside that it uses."""
    if key[0] != "loop":
        return key  # type: ignore[no-any-return]
    links = [
        (_localised(inner, local), place, tuple([local[value] for value in others])) for inner, place, others in key[1]
    ]
    return ("loop", tuple(links))


def _named(instance: BlockInstance) -> str:
    """The block's name; for a mere container that of the attribute it is held by."""
    return (held_by(instance.address) or instance.name) if instance.name in CONTAINERS else instance.name


def _homes(top: BlockInstance) -> list[str]:
    found: list[str] = []
    for instance in top.walk():
        if instance.address:
            found.append(instance.home)
        found += [
            step.item.weights_at
            for step in instance.body
            if isinstance(step.item, Node) and step.item.operation.weights
        ]
    return found


def _all_homes(steps: Sequence[Placed]) -> list[str]:
    """The homes of all units, each once a call; what is in loops too."""
    return [unit.home for step in steps for unit in _applied(step.unit) if unit.home is not None]


def _applied(unit: Unit) -> list[Unit]:
    if not isinstance(unit, LoopUnit):
        return [unit]
    return [inner for iteration in unit.iterations for link in iteration for inner in _applied(link.unit)]


def _nodes(instance: BlockInstance) -> tuple[Node, ...]:
    found: list[Node] = []
    for step in instance.body:
        if isinstance(step.item, Node):
            found.append(step.item)
        else:
            found += _nodes(step.item)
    return tuple(found)


def _outline(instance: BlockInstance) -> Hashable:
    """What instances of one structure have in common, apart from numbers."""
    return instance.name, tuple(
        (step.item.operation.name if isinstance(step.item, Node) else _outline(step.item), step.inputs)
        for step in instance.body
    )
