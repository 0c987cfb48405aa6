"""The actions of the grammar: what each matched rule becomes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from archlang.diagnostics import Diagnostic, Label, Source, Span, error
from archlang.syntax import ast
from archlang.syntax.literals import number_value, string_value
from archlang.syntax.operators import Pin, Sequence, opens_with_list
from archlang.syntax.tokens import Token
from archlang.syntax.typenames import check_type_name

Parts = list[Any]


@attrs.frozen(eq=False)
class Braces:
    """What stands between `{` and `}` as a body: statements, and a value or none."""

    statements: tuple[ast.Statement, ...]
    result: ast.Expr | None
    span: Span


@attrs.frozen(eq=False)
class OpenIf:
    """An `if` of which a branch has no value: a statement, or an error where a value is needed."""

    condition: ast.Expr
    then: Braces
    otherwise: Braces | None
    span: Span


class Builder:
    """Makes AST nodes for one item; every method takes the start and the end of the matched text
    and the parts that the rule keeps. Errors that are found on the way are in `found`."""

    def __init__(self, source: Source, doc: str | None = None):
        self.source = source
        self.doc = doc
        self.found: list[Diagnostic] = []
        self._open_ifs: dict[int, OpenIf] = {}

    def finish(self) -> None:
        """Report the `if`s without a value that stand where one is needed."""
        for found in self._open_ifs.values():
            if found.otherwise is None:
                self.report(
                    "E0113",
                    "an `if` that gives a value needs an `else`",
                    found.span,
                    hints=["write `if condition { a } else { b }`"],
                )
            else:
                missing = found.then if found.then.result is None else found.otherwise
                self._no_value(missing, "this branch gives no value")
        self._open_ifs = {}

    def report(self, code: str, message: str, *places: Span | Label, hints: Iterable[str] = ()) -> None:
        self.found.append(error(code, message, *places, hints=hints))

    def span(self, start: int, end: int) -> Span:
        return Span(self.source, start, end)

    def at(self, token: Token) -> Span:
        return Span(self.source, token.start, token.end)

    # --------------------------------------------------------------------- items

    def use(self, start: int, end: int, parts: Parts) -> ast.Use:
        is_path = isinstance(parts[0], Token)
        if is_path:
            module, names = self._text(parts[0]), parts[1:]
        else:
            module = ".".join(part for part in parts if isinstance(part, str))
            names = [part for part in parts if isinstance(part, Token)]
        pairs = tuple((token.text, self.at(token)) for token in names) or None
        return ast.Use(module, is_path, pairs, span=self.span(start, end))

    def module_part(self, start: int, end: int, parts: Parts) -> str:
        return parts[0].text  # type: ignore[no-any-return]

    def constant(self, start: int, end: int, parts: Parts) -> ast.Constant:
        name, value = parts
        return ast.Constant(name.text, value, self.doc, span=self.span(start, end), name_span=self.at(name))

    def def_(self, start: int, end: int, parts: Parts) -> ast.Def:
        name, parameters = parts[0], parts[1]
        self._distinct(parameters, "parameter")
        self._no_variadic(parameters, "only the inputs of an op may be variadic")
        body = self.body(parts[-1])
        result = parts[2] if len(parts) == 4 else None
        return ast.Def(
            name.text, parameters, result, body, self.doc, span=self.span(start, end), name_span=self.at(name)
        )

    def block(self, start: int, end: int, parts: Parts) -> ast.Block:
        name, config, inputs, result, rest = self._head(parts)
        self._no_variadic((*config, *inputs), "only the inputs of an op may be variadic")
        return ast.Block(
            name.text,
            config,
            inputs,
            result,
            self.body(rest[-1]),
            rest[0] if len(rest) == 2 else None,
            self.doc,
            span=self.span(start, end),
            name_span=self.at(name),
        )

    def space(self, start: int, end: int, parts: Parts) -> ast.Space:
        name, config, inputs, result, rest = self._head(parts)
        self._no_variadic((*config, *inputs), "only the inputs of an op may be variadic")
        two = sum(isinstance(part, tuple) for part in parts[1:]) == 2
        if not two and not all(
            isinstance(entry.type, ast.TensorTypeExpr) and entry.default is None for entry in inputs
        ):
            config, inputs = inputs, ()
        return ast.Space(
            name.text,
            config,
            inputs,
            result,
            self.body(rest[-1]),
            self.doc,
            span=self.span(start, end),
            name_span=self.at(name),
        )

    def derived(self, start: int, end: int, parts: Parts) -> ast.Derived:
        name, base, entries = parts
        span = self.span(start, end)
        return ast.Derived(name.text, base, entries, self.doc, span=span, name_span=self.at(name))

    def rewritten(self, start: int, end: int, parts: Parts) -> ast.Name:
        return ast.Name(parts[0].text, span=self.at(parts[0]))

    def rules(self, start: int, end: int, parts: Parts) -> tuple[ast.Rule | ast.Bind | ast.Require, ...]:
        return tuple(parts)

    def binding(self, start: int, end: int, parts: Parts) -> ast.Bind:
        name, value = parts
        return ast.Bind(ast.NameTarget(name.text, span=self.at(name)), value, span=self.span(start, end))

    def rule(self, start: int, end: int, parts: Parts) -> ast.Rule:
        return ast.Rule(parts[0], parts[1], span=self.span(start, end))

    def pattern(self, start: int, end: int, parts: Parts) -> ast.Pattern:
        called, *rest = parts
        given: dict[str, Any] = {}
        for word, value, span in rest:
            if word in given:
                self.report("E0120", f"`{word}` is given twice", span)
            given[word] = value
        arguments, others = given.get("(", (None, False))
        self._in_order(arguments or ())
        captured = [argument.value for argument in arguments or () if isinstance(argument.value, ast.Name)]
        self._distinct([name for name in captured if name.name != "_"], "capture")
        return ast.Pattern(
            called,
            arguments,
            others,
            given.get("as"),
            given.get("in"),
            given.get("at"),
            given.get("if"),
            span=self.span(start, end),
        )

    def pattern_arguments(self, start: int, end: int, parts: Parts) -> tuple[str, Any, Span]:
        return "(", self._arguments(parts), self.span(start, end)

    def qualifier_as(self, start: int, end: int, parts: Parts) -> tuple[str, str, Span]:
        return "as", parts[0].text, self.span(start, end)

    def qualifier_in(self, start: int, end: int, parts: Parts) -> tuple[str, ast.Name, Span]:
        return "in", parts[0], self.span(start, end)

    def qualifier_at(self, start: int, end: int, parts: Parts) -> tuple[str, ast.String, Span]:
        return "at", self.string(start, end, parts), self.span(start, end)

    def guard(self, start: int, end: int, parts: Parts) -> tuple[str, ast.Expr, Span]:
        return "if", parts[0], self.span(start, end)

    def op(self, start: int, end: int, parts: Parts) -> ast.Op:
        name, config, inputs, result, clauses = self._head(parts)
        self._no_variadic(config, "only the inputs of an op may be variadic")
        assert result is not None
        if not isinstance(result, ast.TensorTypeExpr):
            self.report(
                "E0114",
                "the result of an op is one tensor",
                result.span,
                hints=["write its shape: `-> [n, out]`"],
            )
            result = ast.TensorTypeExpr(None, (), span=result.span)
        return ast.Op(
            name.text,
            config,
            inputs,
            result,
            tuple(clauses),
            self.doc,
            span=self.span(start, end),
            name_span=self.at(name),
        )

    def _head(self, parts: Parts) -> tuple[Token, Any, Any, ast.TypeExpr | None, Parts]:
        """The name, config, inputs and result type at the start of an item, and what follows."""
        name, rest = parts[0], parts[1:]
        lists = []
        while rest and isinstance(rest[0], tuple):
            lists.append(rest.pop(0))
        result = None
        if rest and isinstance(rest[0], ast.TypeExpr):
            result = rest.pop(0)
        config, inputs = ((), *lists)[-2:] if lists else ((), ())
        self._distinct([*config, *inputs], "parameter")
        return name, config, inputs, result, rest

    def result(self, start: int, end: int, parts: Parts) -> Any:
        return parts[0]

    def limit(self, start: int, end: int, parts: Parts) -> Any:
        return parts[0]

    def parameters(self, start: int, end: int, parts: Parts) -> tuple[ast.Parameter, ...]:
        return tuple(parts)

    def parameter(self, start: int, end: int, parts: Parts) -> ast.Parameter:
        return self._parameter(start, end, parts, None, None)

    def parameter_type(self, start: int, end: int, parts: Parts) -> ast.Parameter:
        return self._parameter(start, end, parts[:-1], parts[-1], None)

    def parameter_default(self, start: int, end: int, parts: Parts) -> ast.Parameter:
        return self._parameter(start, end, parts[:-1], None, parts[-1])

    def parameter_typed(self, start: int, end: int, parts: Parts) -> ast.Parameter:
        return self._parameter(start, end, parts[:-2], parts[-2], parts[-1])

    def _parameter(
        self, start: int, end: int, names: Parts, kind: ast.TypeExpr | None, default: ast.Expr | None
    ) -> ast.Parameter:
        return ast.Parameter(names[-1].text, kind, default, len(names) == 2, span=self.span(start, end))

    def _no_variadic(self, parameters: Iterable[ast.Parameter], message: str) -> None:
        for parameter in parameters:
            if parameter.variadic:
                self.report("E0119", message, parameter.span, hints=["take a list instead: `xs: list[any]`"])

    def _distinct(self, entries: Iterable[Any], what: str) -> None:
        """Report names that occur twice in one list."""
        seen: dict[str, Span] = {}
        for entry in entries:
            if entry.name in seen:
                self.report(
                    "E0120",
                    f"the {what} `{entry.name}` is given twice",
                    entry.span,
                    Label(seen[entry.name], "given first here"),
                )
            else:
                seen[entry.name] = entry.span

    # --------------------------------------------------------------- op clauses

    def where(self, start: int, end: int, parts: Parts) -> ast.WhereClause:
        return ast.WhereClause(parts[0].text, parts[1], span=self.span(start, end))

    def weight(self, start: int, end: int, parts: Parts) -> ast.Weight:
        kind, name, dims = parts[:3]
        given = dict(parts[3:])
        return ast.Weight(
            name.text,
            dims,
            given.get("if"),
            given.get("init"),
            kind.kind == "weight",
            span=self.span(start, end),
        )

    def weight_dims(self, start: int, end: int, parts: Parts) -> tuple[ast.WeightDim, ...]:
        return tuple(parts)

    def weight_dim(self, start: int, end: int, parts: Parts) -> ast.WeightDim:
        return ast.WeightDim(parts[0], False, span=self.span(start, end))

    def weight_dim_center(self, start: int, end: int, parts: Parts) -> ast.WeightDim:
        return ast.WeightDim(parts[0], True, span=self.span(start, end))

    def weight_if(self, start: int, end: int, parts: Parts) -> tuple[str, ast.Expr]:
        return ("if", parts[0])

    def weight_init(self, start: int, end: int, parts: Parts) -> tuple[str, ast.Expr]:
        return ("init", parts[0])

    def cost(self, start: int, end: int, parts: Parts) -> ast.CostRule:
        return ast.CostRule(parts[0].text, parts[1], span=self.span(start, end))

    def trait(self, start: int, end: int, parts: Parts) -> ast.Trait:
        return ast.Trait(parts[0].text, parts[1] if len(parts) == 2 else None, span=self.span(start, end))

    # --------------------------------------------------------------------- types

    def named_type(self, start: int, end: int, parts: Parts) -> ast.TypeExpr:
        span = self.span(start, end)
        self.found.extend(check_type_name(parts[0].text, span))
        return ast.NamedType(parts[0].text, span=span)

    def tensor_type(self, start: int, end: int, parts: Parts) -> ast.TypeExpr:
        dtype = None
        if parts and isinstance(parts[0], Token):
            token = parts[0]
            self.found.extend(check_type_name(token.text, self.at(token), tensor=True))
            dtype, parts = token.text, parts[1:]
        return ast.TensorTypeExpr(dtype, tuple(parts), span=self.span(start, end))

    def list_type(self, start: int, end: int, parts: Parts) -> ast.ListType:
        span = self.span(start, end)
        return ast.ListType(parts[0] if parts else ast.NamedType("any", span=span), span=span)

    def tuple_type(self, start: int, end: int, parts: Parts) -> ast.TupleType:
        return ast.TupleType(tuple(parts), span=self.span(start, end))

    def record_type(self, start: int, end: int, parts: Parts) -> ast.RecordType:
        self._distinct([field for field, _ in parts], "field")
        return ast.RecordType(tuple((field.name, kind) for field, kind in parts), span=self.span(start, end))

    def field_type(self, start: int, end: int, parts: Parts) -> tuple[ast.NameTarget, ast.TypeExpr]:
        return ast.NameTarget(parts[0].text, span=self.at(parts[0])), parts[1]

    def size(self, start: int, end: int, parts: Parts) -> ast.Expr | ast.AnyDim:
        value = parts[0]
        return ast.AnyDim(span=value.span) if isinstance(value, ast.Name) and value.name == "_" else value

    def rest_dims(self, start: int, end: int, parts: Parts) -> ast.RestDims:
        return ast.RestDims(parts[1].text if len(parts) == 2 else None, span=self.span(start, end))

    def splice_dims(self, start: int, end: int, parts: Parts) -> ast.SpliceDims:
        return ast.SpliceDims(parts[1], span=self.span(start, end))

    # ---------------------------------------------------------------- statements

    def braces(self, start: int, end: int, parts: Parts) -> Braces:
        statements: list[ast.Statement] = []
        result: ast.Expr | None = None
        for number, entry in enumerate(parts, 1):
            if isinstance(entry, OpenIf):
                statements.append(self._if_statement(entry))
            elif isinstance(entry, ast.Statement):
                statements.append(entry)
            elif number == len(parts):
                result = entry
            else:
                self._unused(entry)
        return Braces(tuple(statements), result, self.span(start, end))

    def body(self, braces: Braces) -> ast.Body:
        """Braces that must give a value."""
        if braces.result is None:
            self._no_value(braces, "this body gives no value")
            nothing = ast.TupleLiteral((), span=braces.span)
            return ast.Body(braces.statements, nothing, span=braces.span)
        return ast.Body(braces.statements, braces.result, span=braces.span)

    def _no_value(self, braces: Braces, message: str) -> None:
        end = braces.span.end
        hints = ["end it with the expression that is its value"]
        last = braces.statements[-1] if braces.statements else None
        if isinstance(last, ast.Bind) and isinstance(last.target, ast.NameTarget):
            hints = [f"end it with its value, such as `{last.target.name}`"]
        self.report("E0112", message, Span(self.source, end - 1, end), hints=hints)

    def _unused(self, value: ast.Expr) -> None:
        hints = ["bind it to a name, or remove it; only the last line of a body is its value"]
        if isinstance(value, ast.Binary) and value.operator == "==" and isinstance(value.left, ast.Name):
            hints = [f"a binding is written with one `=`: `{value.left.name} = …`"]
        self.report("E0111", "this value is not used", value.span, hints=hints)

    def _if_statement(self, found: OpenIf) -> ast.IfStatement:
        self._open_ifs.pop(id(found), None)
        otherwise = found.otherwise
        for branch in (found.then, otherwise):
            if branch is not None and branch.result is not None:
                self._unused(branch.result)
        return ast.IfStatement(
            found.condition, found.then.statements, otherwise.statements if otherwise else (), span=found.span
        )

    def bind(self, start: int, end: int, parts: Parts) -> ast.Bind:
        return ast.Bind(self._as_target(parts[0]), parts[1], span=self.span(start, end))

    def bind_many(self, start: int, end: int, parts: Parts) -> ast.Bind:
        targets = tuple(self._as_target(part) for part in parts[:-1])
        span = targets[0].span.to(targets[-1].span)
        return ast.Bind(ast.TupleTarget(targets, span=span), parts[-1], span=self.span(start, end))

    def _as_target(self, value: Any) -> ast.Target:
        match value:
            case ast.Name(name):
                return ast.NameTarget(name, span=value.span)
            case ast.TupleLiteral(items) if items:
                return ast.TupleTarget(tuple(self._as_target(item) for item in items), span=value.span)
        hints = ["the left of `=` is a name, or names in brackets: `(a, b) = …`"]
        if isinstance(value, ast.Index | ast.Attribute):
            hints.append("values never change: build a new list or record")
        self.report("E0117", "this cannot be bound", value.span, hints=hints)
        return ast.NameTarget("_", span=value.span)

    def for_(self, start: int, end: int, parts: Parts) -> ast.For:
        target, iterable, braces = parts
        if braces.result is not None:
            self._unused(braces.result)
        return ast.For(target, iterable, braces.statements, span=self.span(start, end))

    def require(self, start: int, end: int, parts: Parts) -> ast.Require:
        message = self._text(parts[1]) if len(parts) == 2 else None
        return ast.Require(parts[0], message, span=self.span(start, end))

    def target(self, start: int, end: int, parts: Parts) -> ast.Target:
        return parts[0] if len(parts) == 1 else ast.TupleTarget(tuple(parts), span=self.span(start, end))

    def name_target(self, start: int, end: int, parts: Parts) -> ast.NameTarget:
        return ast.NameTarget(parts[0].text, span=self.span(start, end))

    def tuple_target(self, start: int, end: int, parts: Parts) -> ast.TupleTarget:
        return ast.TupleTarget(tuple(parts), span=self.span(start, end))

    # --------------------------------------------------------------- expressions

    def operations(self, start: int, end: int, parts: Parts) -> ast.Expr:
        return Sequence(self.source, parts, self.found).expression()

    def pin(self, start: int, end: int, parts: Parts) -> Pin:
        texts = [self._text(part) for part in parts]
        return Pin(texts[0], texts[1] if len(texts) == 2 else None, start, end)

    def open_range(self, start: int, end: int, parts: Parts) -> ast.Expr:
        if isinstance(parts[0], Token) and parts[0].kind == "RANGE":
            parts.insert(0, None)
        if isinstance(parts[-1], Token):
            parts.append(None)
        return Sequence(self.source, parts, self.found).expression()

    def choose(self, start: int, end: int, parts: Parts) -> ast.Choose:
        count: ast.Expr | None = None
        alternatives, *modifiers = parts
        if modifiers and isinstance(modifiers[0], Token):
            count, alternatives, modifiers = alternatives, modifiers[1], modifiers[2:]
        if opens_with_list(alternatives) and not alternatives.span.text.startswith("("):
            self.report(
                "E0125",
                "this choice could be read two ways",
                alternatives.span,
                hints=[
                    "put the choice in brackets, `(choose [1, 2]) + 3`, or all that it chooses from, `choose (xs + ys)`"
                ],
            )
        given: dict[str, Any] = {}
        for word, value, span in modifiers:
            if word in given:
                self.report("E0120", f"`{word}` is given twice", span)
            elif word in ("ordered", "repeated") and count is None:
                self.report("E0121", f"`{word}` needs a number of picks", span, hints=["write `choose 2 of xs`"])
            given[word] = value
        return ast.Choose(
            alternatives,
            count,
            "ordered" in given,
            "repeated" in given,
            "log" in given,
            given.get("as"),
            span=self.span(start, end),
        )

    def modifier(self, start: int, end: int, parts: Parts) -> tuple[str, str | None, Span]:
        token = parts[0]
        span = self.span(start, end)
        return ("as", token.text, span) if token.kind == "NAME" else (token.text, None, span)

    def share(self, start: int, end: int, parts: Parts) -> ast.Share:
        return ast.Share(parts[0], span=self.span(start, end))

    def tie(self, start: int, end: int, parts: Parts) -> ast.Tie:
        return ast.Tie(parts[0], span=self.span(start, end))

    def call(self, start: int, end: int, parts: Parts) -> ast.Call:
        arguments, others = self._arguments(parts[1:])
        self._in_order(arguments)
        return ast.Call(parts[0], arguments, others, span=self.span(start, end))

    def _arguments(self, parts: Parts) -> tuple[tuple[ast.Argument, ...], bool]:
        """The arguments of a list, and whether `...` stands at its end."""
        others = bool(parts) and isinstance(parts[-1], Token)
        return tuple(parts[:-1] if others else parts), others

    def _in_order(self, arguments: tuple[ast.Argument, ...]) -> None:
        named = [argument for argument in arguments if argument.name is not None]
        self._distinct(named, "argument")
        for argument in arguments[arguments.index(named[0]) :] if named else ():
            if argument.name is None:
                self.report(
                    "E0122",
                    "an argument without a name stands before those with one",
                    argument.span,
                    hints=["name it too, or move it to the front"],
                )

    def argument(self, start: int, end: int, parts: Parts) -> ast.Argument:
        return ast.Argument(parts[0], None, span=self.span(start, end))

    def argument_named(self, start: int, end: int, parts: Parts) -> ast.Argument:
        return ast.Argument(parts[1], parts[0].text, span=self.span(start, end))

    def index(self, start: int, end: int, parts: Parts) -> ast.Index:
        return ast.Index(parts[0], parts[1], span=self.span(start, end))

    def attribute(self, start: int, end: int, parts: Parts) -> ast.Attribute:
        return ast.Attribute(parts[0], parts[1].text, span=self.span(start, end))

    def name(self, start: int, end: int, parts: Parts) -> ast.Name:
        name, span = parts[0].text, Span(self.source, start, end)
        if name in ("True", "False"):
            self.report("E0124", f"`{name}` is no name", span, hints=[f"write `{name.lower()}`"])
        return ast.Name(name, span=span)

    def number(self, start: int, end: int, parts: Parts) -> ast.Number:
        span = Span(self.source, start, end)
        text = parts[0].text.replace("_", "")
        return ast.Number(number_value(parts[0].text, span, self.found), text, span=span)

    def string(self, start: int, end: int, parts: Parts) -> ast.String:
        return ast.String(self._text(parts[0]), span=self.span(start, end))

    def true(self, start: int, end: int, parts: Parts) -> ast.Bool:
        return ast.Bool(True, span=self.span(start, end))

    def false(self, start: int, end: int, parts: Parts) -> ast.Bool:
        return ast.Bool(False, span=self.span(start, end))

    def group(self, start: int, end: int, parts: Parts) -> ast.Expr:
        return attrs.evolve(parts[0], span=self.span(start, end))  # type: ignore[no-any-return]

    def tuple_literal(self, start: int, end: int, parts: Parts) -> ast.TupleLiteral:
        return ast.TupleLiteral(tuple(parts), span=self.span(start, end))

    def list_literal(self, start: int, end: int, parts: Parts) -> ast.ListLiteral:
        return ast.ListLiteral(tuple(parts), span=self.span(start, end))

    def comprehension(self, start: int, end: int, parts: Parts) -> ast.Comprehension:
        return ast.Comprehension(parts[0], tuple(parts[1:]), span=self.span(start, end))

    def clause(self, start: int, end: int, parts: Parts) -> ast.Clause:
        return ast.Clause(parts[0], parts[1], span=self.span(start, end))

    def clause_if(self, start: int, end: int, parts: Parts) -> ast.Clause:
        clause, condition = parts
        return ast.Clause(clause.target, clause.iterable, (*clause.conditions, condition), span=self.span(start, end))

    def record_literal(self, start: int, end: int, parts: Parts) -> ast.RecordLiteral:
        self._distinct(parts, "field")
        return ast.RecordLiteral(tuple(parts), span=self.span(start, end))

    def field(self, start: int, end: int, parts: Parts) -> ast.Field:
        return ast.Field(parts[0].text, parts[1], span=self.span(start, end))

    def if_(self, start: int, end: int, parts: Parts) -> ast.If | OpenIf:
        condition, then = parts[:2]
        otherwise = parts[2] if len(parts) == 3 else None
        if isinstance(otherwise, ast.If):
            otherwise = Braces((), otherwise, otherwise.span)
        elif isinstance(otherwise, OpenIf):
            otherwise = Braces((self._if_statement(otherwise),), None, otherwise.span)
        span = self.span(start, end)
        if otherwise is not None and then.result is not None and otherwise.result is not None:
            return ast.If(condition, self.body(then), self.body(otherwise), span=span)
        found = OpenIf(condition, then, otherwise, span)
        self._open_ifs[id(found)] = found
        return found

    # ------------------------------------------------------------------- helpers

    def _text(self, token: Token) -> str:
        return string_value(token, self.source, self.found)
