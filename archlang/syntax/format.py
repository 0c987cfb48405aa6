"""From syntax trees to canonical text: two spaces, lines of up to 100, comments kept.

Parsing what is formatted gives the tree that was formatted, and formatting it again the same text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from archlang.diagnostics import Span
from archlang.syntax import ast
from archlang.syntax.blanks import blank_before, blank_follows
from archlang.syntax.literals import quoted
from archlang.syntax.operators import BINDING, COMPOSE, NEGATIVE, NOT, PIPE, POWER, RANGE, opens_with_list
from archlang.syntax.pretty import (
    EMPTY_LINE,
    HARD,
    LINE,
    SOFT,
    Doc,
    Line,
    Suffix,
    concat,
    group,
    is_hard,
    join,
    layout,
    nest,
)

__all__ = ["format_expression", "format_item", "format_module", "format_type"]

WIDTH = 100
_POSTFIX = POWER + 1
_ATOM = POWER + 2


def format_module(module: ast.Module) -> str:
    """The whole file as canonical text, with its documentation and comments."""
    return _Formatter(module.comments).module(module)


def format_item(item: ast.Item) -> str:
    """An item as canonical text, with its documentation, without a line end after it."""
    return layout(_Formatter(()).item(item), WIDTH)


def format_expression(expr: ast.Expr, width: int = WIDTH) -> str:
    """An expression as canonical text."""
    return layout(_Formatter(()).expr(expr), width)


def format_type(kind: ast.TypeExpr, width: int = WIDTH) -> str:
    """A type as canonical text."""
    return layout(_Formatter(()).type(kind), width)


class _Formatter:
    def __init__(self, comments: Sequence[ast.Comment]):
        self._comments = sorted(comments, key=lambda comment: comment.span.start)
        self._next = 0

    # ------------------------------------------------------------------ comments

    def _take_before(self, offset: int) -> list[ast.Comment]:
        first = self._next
        while self._next < len(self._comments) and self._comments[self._next].span.start < offset:
            self._next += 1
        return self._comments[first : self._next]

    def _is_next_before(self, offset: int) -> bool:
        return self._next < len(self._comments) and self._comments[self._next].span.start < offset

    def _take_on_line(self, end: int) -> list[Doc]:
        """The comment that stands behind an offset on its line."""
        if self._next < len(self._comments):
            comment = self._comments[self._next]
            text = comment.span.source.text
            if not comment.own_line and not text[end : comment.span.start].strip(" \t\r,"):
                self._next += 1
                return [Suffix("  " + comment.text)]
        return []

    def _element(self, span: Span, content: Callable[[], Doc], *, before: Doc = "", after: Doc = "") -> Doc:
        """A part of a list, with the comments before it, in it and behind it."""
        if self._next >= len(self._comments):
            return concat(before, content(), after)
        comments = self._take_before(span.start)
        doc = content()
        comments += self._take_before(span.end)
        lines = [part for comment in comments for part in (comment.text, HARD)]
        return concat(*lines, before, doc, after, *self._take_on_line(span.end))

    def _dangling(self, end: int) -> list[Doc]:
        """The comments that stand after the last part of a list."""
        return [part for comment in self._take_before(end) for part in (HARD, comment.text)]

    # --------------------------------------------------------------------- items

    def module(self, module: ast.Module) -> str:
        parts: list[Doc] = []
        text = module.source.text
        doc_start = text.find("##") if module.doc is not None else 0
        for comment in self._take_before(doc_start):
            parts += [_plain(comment.text), HARD, *([EMPTY_LINE] if blank_follows(comment.span) else [])]
        if module.doc is not None:
            parts += [_doc(module.doc), HARD]
        previous: ast.Item | None = None
        for item in module.items:
            comments = self._take_before(item.span.start)
            doc = self.item(item)
            inside = self._take_before(item.span.end)
            behind = self._take_on_line(item.span.end)
            lead: list[Doc] = []
            for comment in comments:
                lead += [_plain(comment.text), HARD, *([EMPTY_LINE] if blank_follows(comment.span) else [])]
            for comment in inside:
                lead += [_plain(comment.text), HARD]
            if parts and not self._is_tight(previous, item, comments + inside, module):
                parts.append(EMPTY_LINE)
            parts += [*lead, doc, *behind, HARD]
            previous = item
        rest = self._take_before(len(text) + 1)
        if rest and parts:
            parts.append(EMPTY_LINE)
        for number, comment in enumerate(rest, 1):
            blank = number < len(rest) and blank_follows(comment.span)
            parts += [_plain(comment.text), HARD, *([EMPTY_LINE] if blank else [])]
        return layout(concat(*parts), WIDTH)

    def _is_tight(
        self, previous: ast.Item | None, item: ast.Item, comments: list[ast.Comment], module: ast.Module
    ) -> bool:
        """Whether no empty line stands before an item."""
        if previous is None:
            return isinstance(item, ast.Use) and not comments and module.doc is not None
        if isinstance(item, ast.Use):
            return isinstance(previous, ast.Use)
        if not isinstance(item, ast.Constant) or not isinstance(previous, ast.Constant):
            return False
        return not blank_follows(previous.span)

    def item(self, item: ast.Item) -> Doc:
        if isinstance(item, ast.Use):
            return self._use(item)
        lead: list[Doc] = [] if item.doc is None else [_doc(item.doc), HARD]
        match item:
            case ast.Constant():
                return concat(*lead, f"{item.name} = ", self.expr(item.value))
            case ast.Def():
                head = [f"def {item.name}", self._parameters(item.parameters)]
            case ast.Block():
                lists = [item.config, item.inputs] if item.config else [item.inputs]
                head = [f"block {item.name}", *(self._parameters(entries) for entries in lists)]
            case ast.Space():
                head = [f"space {item.name}", *(self._parameters(entries) for entries in _space_lists(item))]
            case ast.Op():
                return concat(*lead, self._op(item))
            case ast.Derived():
                head = [f"space {item.name} = {item.base.name} with "]
                return concat(*lead, *head, self._block(item.entries, item.span))
        if item.result is not None:
            head += [" -> ", self.type(item.result)]
        if isinstance(item, ast.Block) and item.limit is not None:
            head += [" limit ", self.expr(item.limit)]
        return concat(*lead, *head, " ", self._body(item.body, broken=True))

    def _use(self, item: ast.Use) -> Doc:
        module = quoted(item.module) if item.is_path else item.module
        if item.names is None:
            return f"use {module}"
        last = len(item.names)
        names = [
            self._element(span, partial(str, name), after="," if number < last else "")
            for number, (name, span) in enumerate(item.names, 1)
        ]
        return group(f"use {module}: ", nest(*join([LINE], names)))

    def _parameters(self, parameters: Sequence[ast.Parameter]) -> Doc:
        return self._bracketed("(", ")", [(entry.span, partial(self._parameter, entry)) for entry in parameters])

    def _parameter(self, parameter: ast.Parameter) -> Doc:
        parts: list[Doc] = [f"*{parameter.name}" if parameter.variadic else parameter.name]
        if parameter.type is not None:
            parts += [": ", self.type(parameter.type)]
        if parameter.default is not None:
            parts += [" = ", self.expr(parameter.default)]
        return concat(*parts)

    def _op(self, op: ast.Op) -> Doc:
        head: list[Doc] = [f"op {op.name}"]
        for entries in [op.config, op.inputs] if op.config else [op.inputs]:
            head.append(self._parameters(entries))
        head += [" -> ", self.type(op.result)]
        clauses: list[Doc] = []
        at = 0
        while at < len(op.clauses):
            wheres: list[ast.WhereClause] = []
            for clause in op.clauses[at:]:
                if not isinstance(clause, ast.WhereClause):
                    break
                wheres.append(clause)
            if wheres:
                parts = [
                    self._element(
                        clause.span,
                        partial(self._where, clause),
                        before="where " if clause is wheres[0] else "",
                        after="," if clause is not wheres[-1] else "",
                    )
                    for clause in wheres
                ]
                rest = [part for entry in parts[1:] for part in (HARD, entry)]
                clauses += [HARD, parts[0], nest(*rest, indent=6)]
                at += len(wheres)
            else:
                clauses += [HARD, self._element(op.clauses[at].span, partial(self._clause, op.clauses[at]))]
                at += 1
        return concat(*head, nest(*clauses))

    def _clause(self, clause: ast.OpClause) -> Doc:
        match clause:
            case ast.Require():
                return self._require(clause)
            case ast.Weight(name, dims, condition, init, trained):
                sizes = [(dim.span, partial(self._weight_dim, dim)) for dim in dims]
                parts: list[Doc] = [f"{'weight' if trained else 'state'} {name}: ", self._bracketed("[", "]", sizes)]
                if condition is not None:
                    parts += [" if ", self.expr(condition)]
                if init is not None:
                    parts += [" init ", self.expr(init)]
                return concat(*parts)
            case ast.CostRule(name, value):
                return concat(f"{name} ", self.expr(value))
            case ast.Trait(name, condition):
                return name if condition is None else concat(f"{name} if ", self.expr(condition))
            case ast.WhereClause():
                return self._where(clause)

    def _where(self, clause: ast.WhereClause) -> Doc:
        return concat(f"{clause.name} = ", self.expr(clause.value))

    def _weight_dim(self, dim: ast.WeightDim) -> Doc:
        return concat(self.expr(dim.size), " @ center" if dim.center else "")

    # --------------------------------------------------------------------- types

    def type(self, kind: ast.TypeExpr) -> Doc:
        match kind:
            case ast.NamedType(name):
                return name
            case ast.ListType(element):
                return concat("list[", self.type(element), "]")
            case ast.TupleType(items):
                inner = join([", "], [self.type(item) for item in items])
                return concat("(", *inner, ",)" if len(items) == 1 else ")")
            case ast.RecordType(fields):
                if not fields:
                    return "{}"
                entries = [concat(f"{name}: ", self.type(inner)) for name, inner in fields]
                return group("{", nest(LINE, *join([",", LINE], entries)), LINE, "}")
            case ast.TensorTypeExpr(dtype, dims):
                return group(dtype or "", "[", *join([", "], [self._dim(dim) for dim in dims]), "]")

    def _dim(self, dim: ast.Expr | ast.AnyDim | ast.RestDims | ast.SpliceDims) -> Doc:
        match dim:
            case ast.AnyDim():
                return "_"
            case ast.RestDims(name):
                return f"...{name or ''}"
            case ast.SpliceDims(value):
                return concat("...(", self.expr(value), ")")
            case _:
                return self.expr(dim)

    # ---------------------------------------------------------------- statements

    def _body(self, body: ast.Body, *, broken: bool = False) -> Doc:
        """A body in braces; one without statements stays on one line where it was written so."""
        text = body.span.source.text[body.span.start + 1 : body.result.span.start]
        if body.statements or "\n" in text or (broken and not text):
            return self._block([*body.statements, body.result], body.span)
        result = self._element(body.result.span, lambda: self.expr(body.result))
        return group("{", nest(LINE, result, *self._dangling(body.span.end - 1)), LINE, "}")

    def _block(self, entries: Sequence[ast.Statement | ast.Rule | ast.Expr], span: Span | None) -> Doc:
        lines: list[Doc] = []
        previous: ast.Statement | ast.Rule | ast.Expr | None = None
        for entry in entries:
            comments = self._comments[self._next : self._next + 1]
            first = comments[0].span if comments and comments[0].span.start < entry.span.start else entry.span
            if previous is not None and blank_before(previous.span, first):
                lines.append(EMPTY_LINE)
            lines += [HARD, self._element(entry.span, partial(self._statement, entry))]
            previous = entry
        if span is not None:
            lines += self._dangling(span.end - 1)
        return concat("{", nest(*lines), HARD, "}") if lines else "{}"

    def _statement(self, entry: ast.Statement | ast.Rule | ast.Expr) -> Doc:
        match entry:
            case ast.Rule(pattern, replacement):
                return concat(self._pattern(pattern), " => ", self.expr(replacement))
            case ast.Bind(target, value):
                return concat(self._target(target), " = ", self.expr(value))
            case ast.For(target, iterable, body):
                head = concat("for ", self._target(target), " in ", self.expr(iterable), " ")
                return concat(head, self._block(body, entry.span))
            case ast.IfStatement():
                return self._if_statement(entry)
            case ast.Require():
                return self._require(entry)
            case _:
                return self.expr(entry)

    def _pattern(self, pattern: ast.Pattern) -> Doc:
        parts: list[Doc] = [pattern.called.name]
        if pattern.arguments is not None:
            parts.append(self._arguments(pattern.arguments, pattern.others, pattern.called.span))
        if pattern.original is not None:
            parts.append(f" as {pattern.original}")
        if pattern.within is not None:
            parts.append(f" in {pattern.within.name}")
        if pattern.address is not None:
            parts.append(f" at {quoted(pattern.address.value)}")
        if pattern.condition is not None:
            parts += [" if ", self.expr(pattern.condition)]
        return concat(*parts)

    def _if_statement(self, entry: ast.IfStatement) -> Doc:
        parts: list[Doc] = ["if ", self.expr(entry.condition), " "]
        if not entry.otherwise:
            return concat(*parts, self._block(entry.then, entry.span))
        parts += [self._block(entry.then, None), " else "]
        if len(entry.otherwise) == 1 and isinstance(entry.otherwise[0], ast.IfStatement):
            return concat(*parts, self._if_statement(entry.otherwise[0]))
        return concat(*parts, self._block(entry.otherwise, entry.span))

    def _require(self, entry: ast.Require) -> Doc:
        condition = self.expr(entry.condition)
        if entry.message is None:
            return concat("require ", condition)
        return group("require ", condition, ",", nest(LINE, quoted(entry.message)))

    def _target(self, target: ast.Target) -> str:
        if isinstance(target, ast.NameTarget):
            return target.name
        inner = ", ".join(self._target(item) for item in target.items)
        return f"({inner},)" if len(target.items) == 1 else f"({inner})"

    # --------------------------------------------------------------- expressions

    def expr(self, expr: ast.Expr, binding: int = 0) -> Doc:
        """The expression, in brackets when its operator binds more loosely than `binding`."""
        if _level(expr) >= binding:
            return self._bare(expr)
        return group("(", nest(SOFT, self._bare(expr)), SOFT, ")")

    def _bare(self, expr: ast.Expr) -> Doc:
        match expr:
            case ast.Name(name):
                return name
            case ast.Number(_, text):
                return text
            case ast.String(value):
                return quoted(value)
            case ast.Bool(value):
                return "true" if value else "false"
            case ast.Call():
                return self._call(expr)
            case ast.Binary() | ast.Compose():
                return self._operations(expr)
            case ast.Pipe():
                return self._pipe(expr)
            case ast.ListLiteral(items):
                return self._items("[", "]", items, expr.span.end - 1)
            case ast.TupleLiteral(items):
                return self._items("(", ",)" if len(items) == 1 else ")", items, expr.span.end - 1)
            case ast.RecordLiteral():
                return self._record(expr)
            case ast.Index(value, index):
                return concat(self.expr(value, _POSTFIX), "[", self.expr(index), "]")
            case ast.Attribute(value, name):
                return concat(self.expr(value, _POSTFIX), f".{name}")
            case ast.Unary(operator, operand):
                level, sign = (NOT, "not ") if operator == "not" else (NEGATIVE, "-")
                return concat(sign, self.expr(operand, level))
            case ast.Range():
                return self._range(expr)
            case ast.If():
                return group(*self._if(expr))
            case ast.Comprehension():
                return self._comprehension(expr)
            case ast.Choose():
                return self._choose(expr)
            case ast.Share(value):
                return concat("share ", self.expr(value, _POSTFIX))
            case ast.Tie(value):
                return concat("tie ", self.expr(value, _POSTFIX))

    def _bracketed(
        self, opening: str, closing: str, entries: Sequence[tuple[Span, Callable[[], Doc]]], end: int | None = None
    ) -> Doc:
        """A list in brackets: on one line, or one entry a line."""
        if not entries:
            return opening + closing
        parts = [
            self._element(span, content, after="," if number < len(entries) else "")
            for number, (span, content) in enumerate(entries, 1)
        ]
        dangling = self._dangling(end) if end is not None else []
        return group(opening, nest(SOFT, *join([LINE], parts), *dangling), SOFT, closing)

    def _items(self, opening: str, closing: str, items: Sequence[ast.Expr], end: int | None = None) -> Doc:
        return self._bracketed(
            opening,
            closing,
            [(item.span, partial(self.expr, item)) for item in items],
            end,
        )

    def _call(self, call: ast.Call) -> Doc:
        function = self.expr(call.function, _POSTFIX)
        if len(call.arguments) == 1 and not call.others and self._hugs(call.arguments[0].value):
            return concat(function, "(", self._argument(call.arguments[0]), ")")
        return concat(function, self._arguments(call.arguments, call.others, call.function.span, call.span.end - 1))

    def _arguments(self, arguments: Sequence[ast.Argument], others: bool, called: Span, end: int | None = None) -> Doc:
        entries: list[tuple[Span, Callable[[], Doc]]]
        entries = [(entry.span, partial(self._argument, entry)) for entry in arguments]
        if others:
            last = arguments[-1].span if arguments else called
            entries.append((Span(last.source, last.end, last.end), lambda: "..."))
        return self._bracketed("(", ")", entries, end)

    def _hugs(self, value: ast.Expr) -> bool:
        """Whether brackets join those around them, as in `f([…])`."""
        return isinstance(value, ast.ListLiteral | ast.RecordLiteral | ast.Comprehension) or (
            isinstance(value, ast.Choose) and isinstance(value.alternatives, ast.RecordLiteral)
        )

    def _argument(self, argument: ast.Argument) -> Doc:
        value = self.expr(argument.value)
        return value if argument.name is None else concat(f"{argument.name}=", value)

    def _record(self, record: ast.RecordLiteral) -> Doc:
        """Fields stay one a line where they were written so."""
        if not record.fields:
            return "{}"
        parts = [self._element(field.span, partial(self._field, field)) for field in record.fields]
        start = record.fields[0].span.start
        text = record.span.source.text[record.span.start : start]
        opening = HARD if "\n" in text and text.lstrip(" (").startswith("{") else LINE
        return group("{", nest(opening, *join([Line(", ")], parts), *self._dangling(record.span.end - 1)), LINE, "}")

    def _field(self, field: ast.Field) -> Doc:
        return concat(f"{field.name}: ", self.expr(field.value))

    def _range(self, expr: ast.Range) -> Doc:
        parts: list[Doc] = []
        if expr.low is not None:
            parts.append(self.expr(expr.low, RANGE + 1))
        parts.append("..<" if expr.exclusive else "..")
        if expr.high is not None:
            parts.append(self.expr(expr.high, RANGE + 1))
        if expr.step is not None:
            parts += [" step ", self.expr(expr.step, RANGE + 1)]
        return concat(*parts)

    def _operations(self, expr: ast.Binary | ast.Compose) -> Doc:
        """Operators that bind alike, each at the start of a line where they do not fit on one."""
        level = _level(expr)
        if level == POWER:
            assert isinstance(expr, ast.Binary)
            return concat(self.expr(expr.left, _POSTFIX), " ^ ", self.expr(expr.right, POWER))
        chain: list[tuple[str, ast.Expr]] = []
        first: ast.Expr = expr
        chains = level != BINDING["=="]
        while isinstance(first, ast.Binary | ast.Compose) and _joins(expr, first) and (chains or not chain):
            if isinstance(first, ast.Compose):
                chain.append((">>", first.second))
                first = first.first
            else:
                chain.append((first.operator, first.right))
                first = first.left
        parts: list[Doc] = []
        head = self.expr(first, level + 1)
        for operator, operand in reversed(chain):
            parts += [LINE, f"{operator} ", self.expr(operand, level + 1)]
        return group(head, nest(*parts))

    def _pipe(self, expr: ast.Pipe) -> Doc:
        """A pipe: on one line, or one stage a line."""
        stages: list[ast.Pipe] = []
        first: ast.Expr = expr
        while isinstance(first, ast.Pipe):
            stages.append(first)
            first = first.value
        value = first
        head = self._element(value.span, lambda: self.expr(value, COMPOSE))
        last = stages[0].function.span
        joins = len(stages) == 1 and self._hugs(stages[0].function) and not is_hard(head)
        joins = joins and not self._is_next_before(last.start)
        lines: list[Doc] = []
        for stage in reversed(stages):
            pin = "" if stage.address is None else f" at {quoted(stage.address)}"
            if stage.weights is not None:
                pin += f" tied {quoted(stage.weights)}"
            content = partial(self.expr, stage.function, COMPOSE)
            lines += [" " if joins else LINE, self._element(stage.function.span, content, before="|> ", after=pin)]
        return concat(head, *lines) if joins else group(head, nest(*lines))

    def _if(self, expr: ast.If) -> list[Doc]:
        then = self._body(expr.then)
        otherwise = expr.otherwise
        parts: list[Doc] = ["if ", self.expr(expr.condition), " ", then, " else "]
        if not otherwise.statements and isinstance(otherwise.result, ast.If):
            return [*parts, *self._if(otherwise.result)]
        return [*parts, self._body(otherwise)]

    def _comprehension(self, expr: ast.Comprehension) -> Doc:
        parts: list[Doc] = [self.expr(expr.element)]
        for clause in expr.clauses:
            parts += [LINE, f"for {self._target(clause.target)} in ", self.expr(clause.iterable)]
            for condition in clause.conditions:
                parts += [LINE, "if ", self.expr(condition)]
        return group("[", nest(SOFT, *parts), SOFT, "]")

    def _choose(self, expr: ast.Choose) -> Doc:
        parts: list[Doc] = ["choose "]
        if expr.count is not None:
            parts += [self._choose_part(expr.count), " of "]
        parts.append(self._choose_part(expr.alternatives))
        for word, given in (("ordered", expr.ordered), ("repeated", expr.repeated), ("log", expr.log)):
            if given:
                parts.append(f" {word}")
        if expr.name is not None:
            parts.append(f" as {expr.name}")
        return concat(*parts)

    def _choose_part(self, expr: ast.Expr) -> Doc:
        in_brackets = isinstance(expr, ast.Choose) or opens_with_list(expr)
        return self.expr(expr, _ATOM if in_brackets else RANGE)


def _joins(expr: ast.Expr, left: ast.Expr) -> bool:
    """Whether an operation's left operand is written without brackets. A quotient that is multiplied,
    `(a // b) * c`, gets them though it needs none."""
    if _level(left) != _level(expr):
        return False
    if isinstance(left, ast.Binary) and left.operator in ("//", "%"):
        return isinstance(expr, ast.Binary) and expr.operator == left.operator
    return True


def _level(expr: ast.Expr) -> int:
    """How tightly the loosest operator of an expression binds."""
    match expr:
        case ast.Pipe():
            return PIPE
        case ast.Compose():
            return COMPOSE
        case ast.Binary(operator):
            return BINDING[operator]
        case ast.Unary(operator):
            return NOT if operator == "not" else NEGATIVE
        case ast.Range() | ast.Choose():
            return RANGE
        case ast.Share() | ast.Tie():
            return POWER
        case ast.Number(value) if value < 0:
            return NEGATIVE
        case ast.If():
            return 0  # it may stand anywhere without brackets, but reads wrongly as an operand
    return _ATOM


def _space_lists(space: ast.Space) -> list[Sequence[ast.Parameter]]:
    """The parameter lists as they must be written to be told apart."""
    if space.config and not space.inputs:
        looks_like_inputs = all(
            isinstance(entry.type, ast.TensorTypeExpr) and entry.default is None for entry in space.config
        )
        return [space.config, ()] if looks_like_inputs else [space.config]
    if space.inputs and not space.config:
        looks_like_inputs = all(
            isinstance(entry.type, ast.TensorTypeExpr) and entry.default is None for entry in space.inputs
        )
        return [space.inputs] if looks_like_inputs else [(), space.inputs]
    return [space.config, space.inputs] if space.config else []


def _doc(text: str) -> Doc:
    return concat(*join([HARD], [f"## {line}".rstrip() for line in text.split("\n")]))


def _plain(text: str) -> str:
    """A comment as it may stand between items, where `##` would be documentation."""
    return text[1:] if text.startswith("##") and not text.startswith("###") else text
