"""A program as `.arch` text that keeps its blocks: what a person would have written without choices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import attrs

from archlang.ir.drafting import draft
from archlang.ir.graph import Graph, Operation
from archlang.ir.passes import without_dead_code
from archlang.ir.raising import relative, tokens
from archlang.ir.settling import DIMS, Applied, Class, Looped, Step, forms_below, settled
from archlang.ir.sizes import MISSING
from archlang.ir.text import literal, names_in_scope, quoted, result_text, space_head, text_head
from archlang.ir.units import (
    Default,
    Defaults,
    Form,
    LibraryUnit,
    LoopUnit,
    OpUnit,
    Recognise,
    Recognised,
    Unit,
    units_in,
)

WIDTH = 100
INLINE = 48  # the longest operand that gets no name
POSITIONAL = 3  # arguments that need no name, where they have no default


def _none(operation: Operation) -> Mapping[str, Default]:
    return {}


def unknown(graph: Graph, whole: bool) -> Recognised | None:
    return None


def program_source(
    graph: Graph,
    notes: Iterable[str] = (),
    values: Mapping[str, object] | None = None,
    uses: Iterable[str] = ("std.nn",),
    items: Iterable[str] = (),
    defaults: Defaults = _none,
    recognise: Recognise = unknown,
    reserved: Iterable[str] = (),
) -> str:
    """The graph as a space that applies one `block` for each block of the program.

    Blocks that differ in numbers only are one block with parameters, and what repeats is a loop.
    Evaluating the text gives the same network: the same canonical hash, at other addresses.
    `defaults` says which attributes need not be written, `recognise` which parts are blocks of the
    library; nothing is called like one of the `reserved` words. The other arguments are as for
    `flat_text`.
    """
    graph = without_dead_code(graph)
    top = draft(graph, defaults, recognise)
    library: dict[str, dict[str, None]] = {}
    taken = {node.operation.name for node in graph.nodes} | set(reserved) | {"repeat"}
    for found in _recognised(top):
        library.setdefault(found.module, {})[found.name] = None
        taken |= {found.name}
    lines = text_head(notes, uses, ())
    lines += [f"use {module}: {', '.join(sorted(names))}" for module, names in sorted(library.items())]
    lines += text_head((), (), items)
    classes = settled(top, taken, names_in_scope(graph))
    for written in classes:
        body = _Body(graph, written, taken | {other.name for other in classes})
        lines += ["", *body.text(values)]
    return "\n".join([*lines, ""])


def _recognised(top: Form) -> Iterator[Recognised]:
    for form in forms_below(top, set()):
        for unit in units_in(step.unit for step in form.steps):
            if isinstance(unit, LibraryUnit):
                yield unit.recognised


@attrs.define
class _Expression:
    """The text of a value while it is put together: something, and what it is piped into.

    `whole` when the head needs no brackets as an operand. Stages are functions, with how often each
    is applied in a row and whether it is one of those that give the network its weights.
    """

    head: str
    whole: bool = True
    stages: list[tuple[str, int, bool]] = attrs.field(factory=list)

    def piped(self, function: str, heavy: bool) -> _Expression:
        """This, given to one more function."""
        stages = list(self.stages)
        if stages and stages[-1][0] == function:
            stages[-1] = (function, stages[-1][1] + 1, heavy)
        else:
            stages.append((function, 1, heavy))
        return _Expression(self.head, self.whole, stages)

    def __str__(self) -> str:
        texts = [text if times == 1 else f"repeat({times}, {text})" for text, times, _ in self.stages]
        line = " >> ".join(texts)
        if not texts:
            return self.head
        if len(self.head) + len(line) + 6 <= WIDTH - 10 or len(texts) < 2:
            return f"{self.head} |> {line}"
        line = self.head
        for place, (text, (_, _, heavy)) in enumerate(zip(texts, self.stages, strict=True)):
            line += f" {'|>' if heavy or not place else '>>'} {text}"
        return line

    def operand(self) -> str:
        return str(self) if self.whole and not self.stages else f"({self})"

    @property
    def name(self) -> bool:
        return self.whole and not self.stages and self.head.isidentifier()


class _Body:
    """The text of one block, or of the program itself."""

    def __init__(self, graph: Graph, written: Class, taken: set[str]):
        self._graph = graph
        self._class = written
        self._form = written.form
        self._top = not written.form.instance.address
        self._lines: list[str] = []
        self._indent = "  "
        self._uses = Counter(value for step in written.steps for value in step.inputs)
        self._uses.update(self._form.outputs)
        self._taken = taken | {parameter.name for parameter in written.parameters} | set(written.dims)
        self._taken |= _variables(step.what for step in written.steps)
        self._tied: dict[str, str] = {}
        self._sharing: dict[str | None, set[object]] = {}
        for step in written.steps:
            unit = step.what.example
            if isinstance(unit, OpUnit):
                self._sharing.setdefault(unit.home, set()).add((unit.key, repr(unit.values)))
        self._own: set[str] = set()  # names that this body binds
        self._lasting: set[str] = set()  # those that no later loop may bind anew
        self._values: dict[int, _Expression] = {}
        if self._top:
            self._inputs = [given.name for given in graph.inputs]
            self._taken |= names_in_scope(graph)
        else:
            self._inputs = [self._free(self._input(place)) for place in range(len(self._form.inputs))]
        for value, name in zip(self._form.inputs, self._inputs, strict=True):
            self._values[value] = _Expression(name)

    def text(self, values: Mapping[str, object] | None) -> list[str]:
        """The lines of the block (or space)."""
        for step in self._class.steps:
            self._add(step)
        outputs = [self._values[value] for value in self._form.outputs]
        if self._top:
            head = space_head(self._graph)
            if len(outputs) == 1 and not self._graph.outputs[0].name:
                result = str(outputs[0])
            else:
                result = result_text(self._graph.outputs, [self._name(value) for value in self._form.outputs], values)
        else:
            head = self._head()
            result = str(outputs[0]) if len(outputs) == 1 else f"({', '.join(map(str, outputs))})"
        return [head, *self._lines, f"  {result}", "}"]

    # -------------------------------------------------------------- the head

    def _head(self) -> str:
        config = ", ".join(
            f"{own.name}{f': {own.type}' if own.type else ''}{_default(own.default)}" for own in self._class.parameters
        )
        inputs = ", ".join(f"{name}: {self._pattern(place)}" for place, name in enumerate(self._inputs))
        return f"block {self._class.name}{f'({config})' if config else ''}({inputs}) {{"

    def _input(self, place: int) -> str:
        """The name of an input: of several, the program's inputs have theirs."""
        value = self._form.inputs[place]
        if len(self._form.inputs) > 1 and value < len(self._graph.inputs):
            return self._graph.inputs[value].name
        return "x" if place == 0 else "context"

    def _pattern(self, place: int) -> str:
        """The type of an input, by rank: the first binds names, for what is beside it may have other sizes."""
        rank = len(self._form.types[self._form.inputs[place]].shape)
        names = (self._class.dims if place == 0 else None) or DIMS.get(rank)
        if names is None:
            return "[...]"
        free = place == 0 and not set(names) & {own.name for own in self._class.parameters}
        return f"[{', '.join(names if free else '_' * rank)}]"

    # -------------------------------------------------------------- the body

    def _add(self, step: Step) -> None:
        given = [self._values[value] for value in step.inputs]
        if isinstance(step.what, Looped):
            result = self._loop(step, given)
        else:
            result = self._applied(step.what, given, [self._uses[value] for value in step.inputs])
        if len(step.results) == 1:
            (value,) = step.results
            if self._uses[value] != 1 and not result.name:
                result = self._bound(result, self._called(step))
            self._values[value] = result
            return
        names = [self._free("y") for _ in step.results]
        self._line(f"({', '.join(names)}) = {result}")
        self._values.update(zip(step.results, map(_Expression, names), strict=True))

    def _applied(self, what: Applied, given: Sequence[_Expression], uses: Sequence[int] = ()) -> _Expression:
        function = self._function(what)
        if " at " in function and what.home in self._form.tied:
            # What has an address cannot be in the middle of a pipe.
            items = [str(value) if value.name else self._bound(value, "y").head for value in given]
            whole = items[0] if len(items) == 1 else f"[{', '.join(items)}]"
            return self._bound(_Expression(f"{whole} |> {function}", whole=False), "y")
        heavy = not isinstance(what.example, OpUnit) or "kernel" in _weights(what.example)
        if len(given) == 1:
            return given[0].piped(function, heavy)
        symbol = _OPERATORS.get(what.function)
        is_op = isinstance(what.example, OpUnit)
        if symbol is not None and is_op and not what.arguments and len(given) == 2:
            left, right = (self._operand(value) for value in given)
            return _Expression(f"{left} {symbol} {right}", whole=False)
        opening, closing = "[]" if is_op else "()"
        items = [str(self._short(value)) for value in given]
        return _Expression(f"{opening}{', '.join(items)}{closing}").piped(function, heavy)

    def _loop(self, step: Step, given: list[_Expression]) -> _Expression:
        assert isinstance(step.what, Looped)
        stage = self._stage(step.what)
        if stage is not None:
            return self._staged(given[0], step.what, stage)
        # What is carried gets a name, its own where it has one that is used no further.
        start = given[0]
        last = (
            start.head not in self._lasting
            and self._inputs.count(start.head)
            and self._uses[self._form.inputs[self._inputs.index(start.head)]] == 1
        )
        if start.name and self._uses[step.inputs[0]] == 1 and (start.head in self._own or (last and start.head == "x")):
            name = start.head
        elif last and start.head == "x":
            name = start.head
            self._line(f"{name} = {start}")
        else:
            name = self._free("x" if "x" not in self._inputs else "y")
            self._own.add(name)
            self._line(f"{name} = {start}")
        unit = step.what.example
        assert isinstance(unit, LoopUnit)
        others: dict[int, str] = {}
        for value, expression in zip(unit.others, given[1:], strict=True):
            place = step.inputs[1 + list(unit.others).index(value)]
            others[value] = expression.head if expression.name else self._name(place)
        self._for(step.what, name, others)
        if self._uses[step.results[0]] != 1:
            self._lasting.add(name)
        return _Expression(name)

    def _for(self, loop: Looped, name: str, others: Mapping[int, str]) -> None:
        """The lines of a loop that rebinds a name."""
        if loop.rows is None:
            index = self._free("i")
            self._line(f"for {index} in 0..<{_factor(loop.count.text)} {{")
        else:
            variables = ", ".join(loop.variables)
            self._line(f"for {f'({variables})' if len(loop.variables) > 1 else variables} in {loop.rows.text} {{")
        self._indent += "  "
        value = _Expression(name)
        for what, carried, places in loop.links:
            if isinstance(what, Applied):
                given = [_Expression(others[place]) for place in places]
                given.insert(carried, value)
                value = self._applied(what, given)
                continue
            stage = self._stage(what)
            if stage is not None:
                value = self._staged(value, what, stage)
                continue
            if not value.name:
                self._line(f"{name} = {value}")
            self._for(what, name, others)
            value = _Expression(name)
        if not value.name:
            self._line(f"{name} = {value}")
        self._indent = self._indent[:-2]
        self._line("}")

    def _staged(self, value: _Expression, loop: Looped, stages: list[str]) -> _Expression:
        """The value given to a loop that is one function."""
        if loop.count.value == 1:
            for stage in stages:
                value = value.piped(stage, True)
            return value
        inner = " >> ".join(stages)
        return _Expression(value.head, value.whole, [*value.stages, (f"repeat({loop.count.text}, {inner})", 1, True)])

    def _stage(self, loop: Looped) -> list[str] | None:
        """The functions that are repeated, one after the other; None where it takes a statement."""
        if loop.rows is not None:
            return None
        found: list[str] = []
        for what, _, others in loop.links:
            if others:
                return None
            if isinstance(what, Applied):
                found.append(self._function(what))
                continue
            inner = self._stage(what)
            if inner is None:
                return None
            found += inner if what.count.value == 1 else [f"repeat({what.count.text}, {' >> '.join(inner)})"]
        return found

    def _function(self, what: Applied) -> str:
        """What a step applies, configured; the name of the tied function where its weights are shared."""
        texts: list[str] = []
        named = False
        for place, (slot, value) in enumerate(what.arguments):
            plain = isinstance(what.example, OpUnit | LibraryUnit)
            named = named or place >= what.positional
            named = named or (place >= POSITIONAL if plain else place > 0 and value.text != slot)
            texts.append(f"{slot}={value.text}" if named else value.text)
        function = f"{what.function}({', '.join(texts)})" if texts else what.function
        if what.home is None or what.home not in self._form.tied:
            return function
        if isinstance(what.example, OpUnit) and len(self._sharing[what.home]) > 1:
            # No function is both: the addresses say that the weights are the same.
            node, frame = what.example.node, self._form.instance
            address = relative(node.address, frame.address).lstrip("/")
            home = relative(node.weights_at, frame.home).lstrip("/")
            return f"{function} at {quoted(address)}" + (f" tied {quoted(home)}" if address != home else "")
        if what.home not in self._tied:
            name = self._tied[what.home] = self._free("tied")
            self._line(f"{name} = tie {function}")
        return self._tied[what.home]

    def _operand(self, value: _Expression) -> str:
        return self._short(value).operand()

    def _short(self, value: _Expression) -> _Expression:
        """The expression itself when it is short, else a name that it is bound to."""
        if len(str(value)) <= INLINE:
            return value
        place = next((place for place, known in self._values.items() if known is value), None)
        return self._bound(value, "y") if place is None else _Expression(self._name(place))

    def _name(self, place: int) -> str:
        """The name of a value, bound if it has none."""
        value = self._values[place]
        if not value.name:
            made = next((step for step in self._class.steps if place in step.results), None)
            value = self._values[place] = self._bound(value, self._called(made) if made else "y")
        return value.head

    def _bound(self, value: _Expression, name: str) -> _Expression:
        name = self._free(name)
        self._own.add(name)
        self._line(f"{name} = {value}")
        return _Expression(name)

    def _called(self, step: Step) -> str:
        """What the result of a step is called: the module that makes it, where its name says anything."""
        unit = step.what.example
        inner = tokens(relative(unit.address, self._form.instance.address))
        for token in inner[: 1 if isinstance(unit, OpUnit) else None]:
            name = token.partition("#")[0].strip("_").rstrip("0123456789").rstrip("_")
            if token[0] in "[:" or not name.isidentifier() or len(name) < 3 or name in self._taken:
                continue
            if not name.lower().startswith(_PLAIN) and name.islower() and name not in _words(unit):
                return name
        return "y"

    def _free(self, base: str) -> str:
        """The name, or with a number where something has it; taken from now on."""
        name, number = base, 1
        while name in self._taken:
            number += 1
            name = f"{base}{number}"
        self._taken.add(name)
        return name

    def _line(self, text: str) -> None:
        self._lines.append(f"{self._indent}{text}")


_OPERATORS = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
_PLAIN = (
    "conv",
    "fc",
    "linear",
    "dense",
    "bn",
    "norm",
    "layernorm",
    "proj",
    "lin",
    "relu",
    "act",
    "drop",
    "pool",
    "layer",
)


def _words(unit: Unit) -> set[str]:
    return {node.operation.name for node in unit.nodes}


def _weights(unit: Unit) -> set[str]:
    return {weight.name for node in unit.nodes for weight in node.operation.weights}


def _variables(whats: Iterable[Applied | Looped]) -> set[str]:
    found: set[str] = set()
    for what in whats:
        if isinstance(what, Looped):
            found |= set(what.variables) | _variables(inner for inner, _, _ in what.links)
    return found


def _factor(text: str) -> str:
    return text if text.isalnum() else f"({text})"


def _default(value: object) -> str:
    return "" if value is MISSING else f" = {literal(value)}"
