"""The source of one block's function."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any

from archlang.ir.block_classes import BlockClass, CallStep, OpStep, Parameter
from archlang.ir.graph import Graph, Node
from archlang.ir.raising import tokens
from archlang.lowering.block_source import annotation, python_parameters, summary
from archlang.lowering.declared import Function
from archlang.lowering.dialect import Dialect
from archlang.lowering.forward_source import Forward
from archlang.lowering.names import identifier
from archlang.lowering.source import laid_out, literal, unparse
from archlang_numpy.dialect import AT, INDEX, WEIGHTS
from archlang_numpy.lowering import LOWERINGS, ArrayFunction

_INDEX = re.compile(r"\[(\d+)\]")


class FunctionSource(Forward):
    """Writes a block as a function: `def cell(x: Array, w: Weights, at: str, stride: int) -> Array`.

    It looks its weights up in `w` under its own address `at`. `names` gives the names of the
    functions by `BlockClass.name`; `reserved` are names that variables must not take.
    """

    indent = 0

    def __init__(
        self, dialect: Dialect, graph: Graph, block: BlockClass, names: Mapping[str, str], reserved: frozenset[str]
    ) -> None:
        self._functions = names
        self._taken = reserved
        self._parameters = python_parameters(block, reserved)
        paths = [names[step.block.name] if isinstance(step, CallStep) else None for step in block.body]
        super().__init__(dialect, graph, block, paths, set(), reserved | set(self._parameters.values()), {})

    def text(self) -> str:
        """The function definition."""
        return "\n".join(self.lines())

    def _head(self, given: Sequence[str], result: str) -> list[str]:
        block = self._block
        parts = [*given, *(part for part, _ in self._passed(block, ""))]
        parts += [f"{self._parameters[name]}: {annotation(values)}" for name, values in block.parameters.items()]
        is_top = not block.example.address
        return [
            *laid_out(f"def {self._functions[block.name]}({', '.join(parts)}){result}:", 0),
            f'    """{summary(self._graph, block, is_top)}"""',
        ]

    @staticmethod
    def _passed(block: BlockClass, at: str) -> list[tuple[str, str]]:
        """The parameters for weights that a block's function has, with the arguments at an address."""
        if not block.example.address:
            return [(f"{WEIGHTS}: Weights", WEIGHTS)]
        return [(f"{WEIGHTS}: Weights", WEIGHTS), (f"{AT}: str", at)] if _weighted(block) else []

    def _passes(self, step: OpStep) -> bool:
        lowered = LOWERINGS.get(step.operation.name)
        return isinstance(lowered, ArrayFunction) and lowered.passes

    def _wanted(self, position: int, step: OpStep | CallStep) -> str:
        """The name of the block or layer, unless it only says which block or op that is."""
        last = next((token for token in reversed(tokens(step.address)) if token[0] not in "[:"), "y")
        if isinstance(step, OpStep) and (not step.operation.weights or last.partition("#")[0] == step.operation.name):
            return "y"
        wanted = identifier(last)
        return "y" if wanted in self._taken else wanted

    def _expression(self, position: int) -> str:
        step = self._block.body[position]
        if isinstance(step, CallStep):
            given = [self._names[value] for value in self._inputs(step)]
            return self._call(step, given, self._address(step.at))
        return super()._expression(position)

    def _call(self, step: CallStep, given: list[str], at: str) -> str:
        """A block's function applied to variables, with its weights at an address (an expression)."""
        inner = python_parameters(step.block, self._taken)
        parts = given + [argument for _, argument in self._passed(step.block, at)]
        parts += [f"{inner[name]}={unparse(self._slot(value))}" for name, value in step.arguments]
        return f"{self._functions[step.block.name]}({', '.join(parts)})"

    def _arguments(self, lowered: Function, step: OpStep) -> dict[str, ast.expr]:
        """The op's weights, and its attributes other than the defaults of the function."""
        parameters = inspect.signature(lowered.function).parameters
        found: dict[str, ast.expr] = {}
        for weight in step.operation.weights:
            found[weight.name] = ast.Name(f"{WEIGHTS}[{self._address(f'{step.at}.{weight.name}')}]")
        for name, value in step.slots:
            if isinstance(value, Parameter) or value != parameters[name].default:
                found[name] = self._slot(value)
        return found

    def _slot(self, value: Any) -> ast.expr:
        return ast.Name(self._parameters[value.name]) if isinstance(value, Parameter) else literal(value)

    def _address(self, *parts: str) -> str:
        """The expression for an address relative to the block's, with the loop's index between parts."""
        texts = [part.replace("\\", "\\\\").replace('"', "\\x22") for part in parts]
        base = f"{{{AT}}}" if self._block.example.address else ""
        if not base and len(texts) == 1:
            return f'"{texts[0]}"'
        return f'f"{base}{f"{{{INDEX}}}".join(text.replace("{", "{{").replace("}", "}}") for text in texts)}"'

    def _loop_length(self, position: int) -> int:
        return self._run(position)[0]

    def _loop(self, position: int, length: int, target: str) -> tuple[str, str]:
        step = self._block.body[position]
        assert isinstance(step, CallStep)
        _, start, parts = self._run(position)
        index = INDEX if len(parts) > 1 else "_"
        span = f"{start}, {start + length}" if start else f"{length}"
        return f"for {index} in range({span}):", self._call(step, [target], self._address(*parts))

    def _run(self, position: int) -> tuple[int, int, tuple[str, ...]]:
        """How many steps from here apply one block, each to the result of the one before, at addresses
        that count on; the number that they start with, and the parts of the address around it."""
        first = self._block.body[position]
        found: tuple[int, int, tuple[str, ...]] = (1, 0, ())
        if not isinstance(first, CallStep):
            return found
        places = [(int(at[1]), (first.at[: at.start(1)], first.at[at.end(1) :])) for at in _INDEX.finditer(first.at)]
        for start, parts in [*places, (0, (first.at,))]:
            length = 1
            for step in self._block.body[position + 1 :]:
                same = isinstance(step, CallStep) and (step.block, repr(step.arguments), step.at) == (
                    first.block,
                    repr(first.arguments),
                    str(start + length).join(parts),
                )
                if not (same and self._chained(position + length - 1, 2)):
                    break
                length += 1
            found = max(found, (length, start, parts), key=lambda run: run[0])
        return found


def _weighted(block: BlockClass) -> bool:
    """Whether a block has weights, itself or in blocks that it calls."""
    return any(
        isinstance(step.item, Node) and step.item.operation.weights
        for instance in block.example.walk()
        for step in instance.body
    )
