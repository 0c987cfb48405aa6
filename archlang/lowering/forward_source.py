"""The source of the method that runs a block: straight-line code, names reused as values die."""

from __future__ import annotations

import ast
import inspect
import keyword
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from archlang.ir.block_classes import BlockClass, CallStep, OpStep, Parameter
from archlang.ir.graph import Graph
from archlang.ir.raising import tokens
from archlang.lowering.declared import TRAINING, Function, Infix
from archlang.lowering.dialect import Dialect
from archlang.lowering.names import free_name, identifier, plain
from archlang.lowering.source import constant, in_place, laid_out, literal, unparse, uses

_BUILTINS = frozenset({"self", "dict", "range", "slice", "tuple", "max", "block"})


class Forward:
    """Writes `forward`, or what the dialect calls it; the definition is `indent` columns in.

    `paths` are the expressions of the steps' modules (None without), `fields` the names that the
    module's children take, `lists` the lists of children that a loop may run over.
    `needed` collects functions that are called, `kept` the parameters that are read, by
    the attribute that holds them.
    """

    indent: ClassVar[int] = 4

    def __init__(
        self,
        dialect: Dialect,
        graph: Graph,
        block: BlockClass,
        paths: Sequence[str | None],
        fields: set[str],
        reserved: frozenset[str],
        lists: Mapping[str, tuple[str, ...]],
    ) -> None:
        self.needed: list[Callable[..., Any]] = []
        self.kept: dict[str, str] = {}
        self._dialect = dialect
        self._graph = graph
        self._block = block
        self._paths = paths
        self._fields = fields
        self._reserved = reserved | _BUILTINS | frozenset(keyword.kwlist)
        self._lists = {items: name for name, items in lists.items()}
        self._results: list[range] = []
        self._alias = list(range(block.inputs))
        for step in block.body:
            first = len(self._alias)
            self._results.append(range(first, first + step.results))
            if isinstance(step, OpStep) and self._passes(step):
                self._alias.append(self._alias[step.inputs[0]])
            else:
                self._alias += range(first, first + step.results)
        self._last: dict[int, int] = {}
        for position, step in enumerate(block.body):
            for value in self._inputs(step):
                self._last[value] = position
        for value in block.outputs:
            self._last[self._alias[value]] = len(block.body)
        self._names: dict[int, str] = {}
        self._alive: set[str] = set()

    def lines(self) -> list[str]:
        """The definition."""
        block = self._block
        is_top = not block.example.address
        for value in range(block.inputs):
            if is_top:
                wanted = self._identifier(self._graph.inputs[value].name)
            else:
                wanted = "x" if block.inputs == 1 else f"x{value + 1}"
            self._names[value] = self._fresh(wanted)
        typed = f": {self._dialect.annotation}" if self._dialect.annotation else ""
        given = [f"{self._names[value]}{typed}" for value in range(block.inputs)]
        statements: list[tuple[str, str]] = []  # the names assigned and the expression, or a line
        position = 0
        while position < len(block.body):
            length = self._loop_length(position)
            if length > 1:
                self._write_loop(position, length, statements)
            else:
                self._write_step(position, statements)
            position += max(length, 1)
        results, annotation = self._result(is_top)
        body = [expression if not target else f"{target} = {expression}" for target, expression in statements]
        if statements and statements[-1][0] == results:
            body[-1] = f"return {statements[-1][1]}"
        else:
            body.append(f"return {results}")
        result = f" -> {annotation}" if typed else ""
        lines = self._head(given, result)
        for statement in body:
            if statement.startswith("for "):
                head, inner = statement.split("\n")
                lines += [*laid_out(head, self.indent + 4), *laid_out(inner, self.indent + 8)]
            else:
                lines += laid_out(statement, self.indent + 4)
        return lines

    def _head(self, given: Sequence[str], result: str) -> list[str]:
        """The first lines, for typed inputs and the annotation of the result."""
        return laid_out(f"def {self._dialect.method}({', '.join(['self', *given])}){result}:", self.indent)

    def _passes(self, step: OpStep) -> bool:
        """Whether the step's result is its input."""
        return step.operation.name == "identity"

    def _identifier(self, token: str) -> str:
        return identifier(token, self._dialect.reserved)

    def _inputs(self, step: OpStep | CallStep) -> list[int]:
        return [self._alias[value] for value in step.inputs]

    def _fresh(self, wanted: str) -> str:
        name = free_name(wanted, self._reserved | self._alive)
        self._alive.add(name)
        return name

    def _target(self, position: int, step: OpStep | CallStep) -> str:
        """The variable for a step's result: that of an input that dies, else a new one."""
        inputs = dict.fromkeys(self._inputs(step))
        dying = [self._names[value] for value in inputs if self._last[value] == position]
        self._alive.difference_update(dying)
        if dying and step.results == 1:
            kept = dying if len(inputs) == 1 else [name for name in dying if name == "x"]
            if kept:
                self._alive.add(kept[0])
                return kept[0]
        return self._fresh(self._wanted(position, step))

    def _wanted(self, position: int, step: OpStep | CallStep) -> str:
        """The name of the block or layer that gives a value, `y` for a function's."""
        if self._paths[position] is None:
            return "y"
        site = next((token for token in reversed(tokens(step.address)) if token[0] not in "[:"), "y")
        return self._identifier(site)

    def _write_step(self, position: int, statements: list[tuple[str, str]]) -> None:
        step = self._block.body[position]
        results = self._results[position]
        if self._alias[results[0]] != results[0]:
            return
        expression = self._expression(position)
        for result in results:
            # Inputs that die give up their names with the first result.
            first = result == results[0]
            self._names[result] = self._target(position, step) if first else self._fresh(self._wanted(position, step))
        target = ", ".join(self._names[result] for result in results)
        statements.append((target, expression))
        for result in results:
            if result not in self._last:
                self._alive.discard(self._names[result])

    def _expression(self, position: int) -> str:
        step = self._block.body[position]
        given = [self._names[value] for value in self._inputs(step)]
        if self._paths[position] is not None or isinstance(step, CallStep):
            return f"{self._paths[position]}({', '.join(given)})"
        lowered = self._dialect.lowerings.get(step.operation.name)
        if isinstance(lowered, Infix):
            return f" {lowered.symbol} ".join(given)
        assert isinstance(lowered, Function)
        slots = self._arguments(lowered, step)
        written = in_place(lowered.function, given, slots)
        if written is not None:
            self.needed += uses(lowered.function, written, self._dialect.standard)
            return written
        self.needed.append(lowered.function)
        known = inspect.signature(lowered.function).parameters
        kept = {name: value for name, value in slots.items() if constant(value) != (known[name].default,)}
        arguments = given + [f"{name}={unparse(value)}" for name, value in kept.items()]
        return f"{lowered.function.__name__}({', '.join(arguments)})"

    def _arguments(self, lowered: Function, step: OpStep) -> dict[str, ast.expr]:
        """The keyword arguments of an op's function."""
        slots = {name: self._slot(value) for name, value in step.slots}
        if lowered.training:
            slots[TRAINING] = ast.parse("self.training", mode="eval").body
        return slots

    def _slot(self, value: Any) -> ast.expr:
        if not isinstance(value, Parameter):
            return literal(value)
        if value.name not in self.kept:
            name = self._identifier(plain(value.name))
            self.kept[value.name] = free_name(name, self._fields | set(self.kept.values()))
        return ast.Attribute(ast.Name("self"), self.kept[value.name], ast.Load())

    def _loop_length(self, position: int) -> int:
        """How many steps from here run a chain through all of a list of children."""
        first = self._paths[position]
        for items in self._lists:
            if items[0] == first and tuple(self._paths[position : position + len(items)]) == items:
                return len(items) if self._chained(position, len(items)) else 1
        return 1

    def _chained(self, position: int, length: int) -> bool:
        """Whether the steps from here are blocks that each take the result of the one before alone."""
        steps = self._block.body[position : position + length]
        return all(
            isinstance(step, CallStep) and len(step.inputs) == 1 and step.results == 1 for step in steps
        ) and all(
            self._alias[steps[k + 1].inputs[0]] == self._results[position + k][0]
            and self._last.get(self._results[position + k][0]) == position + k + 1
            for k in range(len(steps) - 1)
        )

    def _write_loop(self, position: int, length: int, statements: list[tuple[str, str]]) -> None:
        step = self._block.body[position]
        source = self._names[self._inputs(step)[0]]
        target = self._target(position, step)
        if target != source:
            statements.append((target, source))
        for k in range(position, position + length):
            self._names[self._results[k][0]] = target
        head, expression = self._loop(position, length, target)
        statements.append(("", f"{head}\n{target} = {expression}"))

    def _loop(self, position: int, length: int, target: str) -> tuple[str, str]:
        """The head of a loop over the steps from here, and what a variable becomes in it."""
        items = tuple(path for path in self._paths[position : position + length] if path is not None)
        return f"for block in {self._lists[items]}:", f"block({target})"

    def _result(self, is_top: bool) -> tuple[str, str]:
        """The returned expression and its annotation."""
        values = [self._names[self._alias[value]] for value in self._block.outputs]
        names = [output.name for output in self._graph.outputs] if is_top else [""]
        if is_top and names != [""]:
            pairs = ", ".join(f'"{name}": {value}' for name, value in zip(names, values, strict=True))
            return f"{{{pairs}}}", f"dict[str, {self._dialect.annotation}]"
        if len(values) == 1:
            return values[0], self._dialect.annotation
        return ", ".join(values), f"tuple[{', '.join([self._dialect.annotation] * len(values))}]"
