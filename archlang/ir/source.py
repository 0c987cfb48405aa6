"""A program as `.arch` text that keeps its blocks: what a person would have written without choices."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import attrs

from archlang.ir.block_classes import BlockClass, CallStep, OpStep, Parameter, block_classes
from archlang.ir.graph import Graph, Operation
from archlang.ir.raising import raise_blocks
from archlang.ir.text import literal, names_in_scope, quoted, result_text, space_head, text_head

WIDTH = 100
INLINE = 48  # the longest operand that gets no name


@attrs.frozen
class Default:
    """What an attribute is when it is left out; `derived` when that depends on other attributes."""

    value: object
    derived: bool = False


Defaults = Callable[[Operation], Mapping[str, Default]]


def _none(operation: Operation) -> Mapping[str, Default]:
    return {}


def program_source(
    graph: Graph,
    notes: Iterable[str] = (),
    values: Mapping[str, object] | None = None,
    uses: Iterable[str] = ("std.nn",),
    items: Iterable[str] = (),
    defaults: Defaults = _none,
) -> str:
    """The graph as a space that applies one `block` for each block of the program.

    Blocks that differ in numbers only are one block with parameters. Evaluating the text gives the
    same network: the same canonical hash, at other addresses. `defaults` says which attributes
    need not be written; the other arguments are as for `flat_text`.
    """

    def slots(operation: Operation) -> tuple[tuple[str, Any], ...]:
        known = defaults(operation)
        return tuple(
            (name, value)
            for name, value in operation.attributes
            if value is not None and not (name in known and known[name].derived and known[name].value == value)
        )

    def kind(operation: Operation) -> tuple[object, ...]:
        return operation.name, tuple(len(given.shape) for given in operation.inputs)

    classes = block_classes(raise_blocks(graph), slots, kind)
    names = _class_names(graph, classes)
    parameters: dict[str, dict[str, _Named]] = {}
    for block in classes:
        parameters[block.name] = _parameters(block, names, parameters)
    lines = text_head(notes, uses, items)
    for block in classes:
        body = _Body(graph, block, defaults, names, parameters)
        lines += ["", *body.text(values if block is classes[-1] else None)]
    return "\n".join([*lines, ""])


@attrs.frozen
class _Named:
    """A parameter as it is called in the text, and its type ("" when unknown)."""

    name: str
    type: str


@attrs.define
class _Expression:
    """The text of a value while it is put together: something, and what it is piped into.

    `whole` when the head needs no brackets as an operand; stages are functions with how often each
    is applied in a row.
    """

    head: str
    whole: bool = True
    stages: list[tuple[str, int]] = attrs.field(factory=list)

    def parts(self) -> list[str]:
        texts = [text if times == 1 else f"repeat({times}, {text})" for text, times in self.stages]
        return [self.head, *texts]

    def __str__(self) -> str:
        return " |> ".join(self.parts())

    def operand(self) -> str:
        return str(self) if self.whole and not self.stages else f"({self})"


class _Body:
    """The text of one block, or of the program itself (the class whose example stands at "")."""

    def __init__(
        self,
        graph: Graph,
        block: BlockClass,
        defaults: Defaults,
        names: Mapping[str, str],
        parameters: Mapping[str, Mapping[str, _Named]],
    ):
        self._graph = graph
        self._block = block
        self._defaults = defaults
        self._class_names = names
        self._parameters = parameters
        self._own = parameters[block.name]
        self._top = not block.example.address
        self._lines: list[str] = []
        self._uses = self._count_uses()
        homes = [step.at for step in block.body if isinstance(step, CallStep) or step.operation.weights]
        self._shared_homes = {home for home in homes if homes.count(home) > 1}
        self._sharing: dict[str, set[tuple[object, ...]]] = {}
        for step in block.body:
            if isinstance(step, OpStep):
                self._sharing.setdefault(step.at, set()).add((step.operation.name, step.slots))
        self._tied: dict[str, str] = {}
        taken = {parameter.name for parameter in self._own.values()} | _called(block, names)
        if self._top:
            self._inputs = [given.name for given in graph.inputs]
            taken |= names_in_scope(graph)
        else:
            self._inputs = list(islice(_names("x", block.inputs, taken), block.inputs))
            taken |= set(self._inputs)
        self._names = _names("y", sum(step.results for step in block.body), taken)
        self._tied_names = _names("tied", len(self._shared_homes), taken)
        self._values = [_Expression(name) for name in self._inputs]

    def text(self, values: Mapping[str, object] | None) -> list[str]:
        """The lines of the block (or space)."""
        for step in self._block.body:
            self._add(step)
        outputs = [self._values[value] for value in self._block.outputs]
        if self._top:
            head = space_head(self._graph)
            single = len(outputs) == 1 and not self._graph.outputs[0].name
            result = (
                outputs[0]
                if single
                else _Expression(result_text(self._graph.outputs, [self._name(output) for output in outputs], values))
            )
        else:
            head = self._head()
            result = outputs[0]
            if len(outputs) > 1:
                result = _Expression(f"({', '.join(map(str, outputs))})")
        return [head, *self._lines, *_wrapped("  ", result), "}"]

    # -------------------------------------------------------------- the head

    def _head(self) -> str:
        config = ", ".join(f"{own.name}: {own.type}" if own.type else own.name for own in self._own.values())
        inputs = ", ".join(f"{name}: {self._pattern(position)}" for position, name in enumerate(self._inputs))
        name = self._class_names[self._block.name]
        return f"block {name}{f'({config})' if config else ''}({inputs}) {{"

    def _pattern(self, position: int) -> str:
        """The type of an input, by rank: the first binds names, for what is beside it may have other sizes."""
        rank = len(self._graph.type_of(self._block.example.values[position]).shape)
        names = {2: "nd", 3: "ntd", 4: "nchw"}.get(rank)
        if names is None:
            return "[...]"
        free = position == 0 and not set(names) & {own.name for own in self._own.values()}
        return f"[{', '.join(names if free else '_' * rank)}]"

    # -------------------------------------------------------------- the body

    def _count_uses(self) -> list[int]:
        counts = [0] * (self._block.inputs + sum(step.results for step in self._block.body))
        for step in self._block.body:
            for value in step.inputs:
                counts[value] += 1
        for value in self._block.outputs:
            counts[value] += 1
        return counts

    def _add(self, step: OpStep | CallStep) -> None:
        function = self._function(step)
        given = [self._values[value] for value in step.inputs]
        operator = _OPERATORS.get(step.operation.name) if isinstance(step, OpStep) and not step.slots else None
        if len(given) == 1:
            result = self._piped(given[0], function)
        elif operator is not None and len(given) == 2:
            left, right = (self._operand(value) for value in given)
            result = _Expression(f"{left} {operator} {right}", whole=False)
        else:
            opening, closing = "[]" if isinstance(step, OpStep) else "()"
            items = [str(self._short(value)) for value in given]
            result = _Expression(f"{opening}{', '.join(items)}{closing}", stages=[(function, 1)])
        if step.results == 1:
            if self._uses[len(self._values)] != 1:
                result = _Expression(self._bound(result))
            self._values.append(result)
            return
        names = [next(self._names) for _ in range(step.results)]
        self._lines += _wrapped(f"  ({', '.join(names)}) = ", result)
        self._values += map(_Expression, names)

    def _piped(self, value: _Expression, function: str) -> _Expression:
        stages = list(value.stages)
        if stages and stages[-1][0] == function:
            stages[-1] = (function, stages[-1][1] + 1)
        else:
            stages.append((function, 1))
        return _Expression(value.head, value.whole, stages)

    def _function(self, step: OpStep | CallStep) -> str:
        """What a step applies, configured; the name of the tied function where its weights are shared."""
        if isinstance(step, OpStep):
            known = self._defaults(step.operation)
            name = step.operation.name
            given = [(slot, value) for slot, value in step.slots if slot not in known or known[slot].value != value]
        else:
            callee = self._parameters[step.block.name]
            name = self._class_names[step.block.name]
            given = [(callee[slot].name, value) for slot, value in step.arguments]
        arguments = ", ".join(f"{slot}={self._written(value)}" for slot, value in given)
        function = f"{name}({arguments})" if arguments else name
        if step.at not in self._shared_homes or (isinstance(step, OpStep) and not step.operation.weights):
            return function
        if isinstance(step, OpStep) and len(self._sharing[step.at]) > 1:
            # No function is both: the addresses say that the weights are the same.
            address = f"{self._block.example.address}{step.address}"
            home = f"{self._block.example.home}{step.at}"
            return f"{function} at {quoted(address)}" + (f" tied {quoted(home)}" if address != home else "")
        if step.at not in self._tied:
            self._tied[step.at] = next(self._tied_names)
            self._lines.append(f"  {self._tied[step.at]} = tie {function}")
        return self._tied[step.at]

    def _written(self, value: object) -> str:
        if isinstance(value, Parameter):
            return self._own[value.name].name
        return literal(value)

    def _operand(self, value: _Expression) -> str:
        return self._short(value).operand()

    def _short(self, value: _Expression) -> _Expression:
        """The expression itself when it is short, else a name that it is bound to."""
        return value if len(str(value)) <= INLINE else _Expression(self._name(value))

    def _name(self, value: _Expression) -> str:
        if value.whole and not value.stages and value.head.isidentifier():
            return value.head
        return self._bound(value)

    def _bound(self, value: _Expression) -> str:
        name = next(self._names)
        self._lines += _wrapped(f"  {name} = ", value)
        return name


_OPERATORS = {"add": "+", "sub": "-", "mul": "*", "div": "/"}


def _wrapped(start: str, value: _Expression) -> list[str]:
    """The expression on one line, or a stage a line where that is too long."""
    line = f"{start}{value}"
    if len(line) <= WIDTH or not value.stages:
        return [line]
    head, *stages = value.parts()
    return [f"{start}{head}", *(f"    |> {stage}" for stage in stages)]


def _names(base: str, count: int, taken: set[str]) -> Iterator[str]:
    """Names that are not taken: the base alone when one is needed, else numbered."""
    if count == 1 and base not in taken:
        yield base
    for number in itertools.count(1):
        if f"{base}{number}" not in taken:
            yield f"{base}{number}"


def _class_names(graph: Graph, classes: Iterable[BlockClass]) -> dict[str, str]:
    """What the blocks are called: as they are, unless an op of the program has that name."""
    taken = {node.operation.name for node in graph.nodes} | {"repeat"}
    found: dict[str, str] = {}
    known = {block.name for block in classes}
    for block in classes:
        name = block.name
        while name in taken or (name != block.name and name in known):
            name += "_block"
        taken.add(name)
        found[block.name] = name
    return found


def _called(block: BlockClass, names: Mapping[str, str]) -> set[str]:
    return {step.operation.name if isinstance(step, OpStep) else names[step.block.name] for step in block.body}


def _parameters(
    block: BlockClass, names: Mapping[str, str], known: Mapping[str, Mapping[str, _Named]]
) -> dict[str, _Named]:
    """A block's parameters: named as they are unless the body calls something so, with types read
    off the values in its example."""
    types = dict.fromkeys(block.parameters, "")
    for step in block.body:
        for slot, value in step.slots if isinstance(step, OpStep) else step.arguments:
            if isinstance(value, Parameter) and not types[value.name]:
                types[value.name] = (
                    _type_name(step.operation.attribute(slot))
                    if isinstance(step, OpStep)
                    else known[step.block.name][slot].type
                )
    found: dict[str, _Named] = {}
    taken = _called(block, names)
    for parameter, type_ in types.items():
        name = parameter
        while name in taken or (name != parameter and name in types):
            name += "_"
        taken.add(name)
        found[parameter] = _Named(name, type_)
    return found


def _type_name(value: object) -> str:
    match value:
        case bool() | int() | float() | str():
            return type(value).__name__
        case tuple():
            kinds = {_type_name(item) for item in value}
            return f"list[{kinds.pop()}]" if len(kinds) == 1 else "list"
    return ""
