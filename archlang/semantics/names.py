"""Static checks of a module: every name is known, and calls of known items fit their parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from archlang.diagnostics import ArchError, Collector, Diagnostic, Label, Span, did_you_mean, error
from archlang.semantics.derived import ANY, Layer
from archlang.semantics.modules import TABLE_COSTS, ModuleScope, library_modules
from archlang.semantics.parameters import counted
from archlang.semantics.rewriting import OTHERS
from archlang.semantics.sites import assigned, target_names
from archlang.syntax import ast

INITIALISERS = {  # and how many numbers each takes
    "zeros": 0,
    "ones": 0,
    "constant": 1,
    "uniform": 2,
    "normal": 2,
    "trunc_normal": 2,
    "kaiming_uniform": 0,
    "kaiming_normal": 0,
    "xavier_uniform": 0,
    "fan_in_uniform": 0,
}
TRAITS = ("additive", "commutative", "elementwise", "extern", "identity", "keeps_zeros", "stochastic", "zeros")
COST_RULES = ("macs", "matmul_macs", "bops")


def check_names(module: ModuleScope) -> list[Diagnostic]:
    """All unknown names and ill-fitting calls in a module's own items."""
    checker = _Checker(module)
    for declaration in module.declarations():
        checker.item(declaration)
    return list(checker.found)


class _Checker:
    def __init__(self, module: ModuleScope):
        self._module = module
        self._bodies: list[Mapping[str, object]] = []  # the names that the bodies around a place bind
        self._in_op = False
        self.found = Collector()

    # ------------------------------------------------------------------ items

    def item(self, item: ast.Item) -> None:
        match item:
            case ast.Constant(_, value):
                self._expr(value, {})
            case ast.Def(_, parameters, result, body):
                scope = self._parameters(parameters, {})
                self._type(result, scope)
                self._body(body, scope)
            case ast.Block() | ast.Space():
                # The defaults of a block may use the sizes of its inputs.
                late = isinstance(item, ast.Block)
                scope = self._parameters(item.config, {}, defaults=not late)
                scope = self._parameters(item.inputs, scope)
                for parameter in item.config if late else ():
                    self._expr(parameter.default, scope)
                if isinstance(item, ast.Block) and item.limit is not None:
                    self._expr(item.limit, {})
                self._type(item.result, scope, result=True)
                self._body(item.body, scope)
            case ast.Op():
                self._in_op = True
                self._op(item)
                self._in_op = False
            case ast.Derived():
                try:
                    layer = self._module.rewritten(item).layers[-1]
                except ArchError as problem:
                    self.found.extend(problem.diagnostics)
                    return
                inner = _Checker(layer.scope)
                inner._rules(layer)
                self.found.extend(inner.found)

    def _rules(self, layer: Layer) -> None:
        statements = layer.declaration.statements
        self._bodies.append(assigned(statements))
        scope = self._statements(statements, {})
        for rule in layer.declaration.rules:
            inner = {**scope, **dict.fromkeys(rule.pattern.names)}
            self._pattern(rule.pattern, layer, scope)
            self._expr(rule.pattern.condition, inner)
            self._expr(rule.replacement, {**inner, OTHERS: None})
        self._bodies.pop()

    def _pattern(self, pattern: ast.Pattern, layer: Layer, scope: dict[str, None]) -> None:
        for argument in pattern.arguments or ():
            if not isinstance(argument.value, ast.Name):
                self._expr(argument.value, scope)
        try:
            declared = layer.target(pattern).called
        except ArchError as problem:
            self.found.extend(problem.diagnostics)
            return
        if isinstance(declared, ast.Block | ast.Op | ast.Space):
            variadic = any(given.variadic for given in declared.inputs)
            self._fit(pattern.arguments or (), declared.name, declared.config, not variadic)
        elif pattern.arguments is not None:
            what = f"`{ANY}` stands for any call, and is written without arguments"
            self.found.add(error("E0210", what, pattern.span))

    def _op(self, op: ast.Op) -> None:
        scope = self._parameters(op.config, {})
        scope = self._parameters(op.inputs, scope)
        for clause in op.clauses:
            if isinstance(clause, ast.WhereClause):
                scope = {**scope, clause.name: None}
        self._type(op.result, scope)
        self._distinct([clause for clause in op.clauses if isinstance(clause, ast.WhereClause)])
        self._distinct([clause for clause in op.clauses if isinstance(clause, ast.Weight)])
        for clause in op.clauses:
            match clause:
                case ast.WhereClause(_, value):
                    self._expr(value, scope)
                case ast.CostRule(name, value):
                    self._one_of(name, COST_RULES, "a cost rule", clause.span)
                    self._expr(value, scope)
                case ast.Require(condition):
                    self._expr(condition, scope)
                case ast.Trait(name, condition):
                    self._one_of(name, TRAITS, "a trait", clause.span)
                    self._expr(condition, scope)
                case ast.Weight(_, dims, condition, init):
                    for dim in dims:
                        self._expr(dim.size, scope)
                    self._expr(condition, scope)
                    self._init(init, scope)

    def _init(self, init: ast.Expr | None, scope: dict[str, None]) -> None:
        match init:
            case ast.Name(name):
                self._initialiser(name, 0, init.span)
            case ast.Call(ast.Name(name), arguments):
                self._initialiser(name, len(arguments), init.span)
                for argument in arguments:
                    self._expr(argument.value, scope)
            case None:
                pass
            case _:
                self.found.add(error("E0312", "an initialiser is a name, or a name with numbers", init.span))

    def _distinct(self, clauses: Sequence[ast.WhereClause | ast.Weight]) -> None:
        places: dict[str, Span] = {}
        for clause in clauses:
            if clause.name in places:
                first = Label(places[clause.name], "defined first here")
                self.found.add(error("E0205", f"`{clause.name}` is defined twice", clause.span, first))
            places.setdefault(clause.name, clause.span)

    def _initialiser(self, name: str, given: int, span: Span) -> None:
        self._one_of(name, INITIALISERS, "an initialiser", span)
        needed = INITIALISERS.get(name, given)
        if given != needed:
            takes = f"`{name}` takes {counted(needed, 'number')} and is given {given}"
            self.found.add(error("E0312", takes, span))

    def _one_of(self, name: str, known: Iterable[str], what: str, span: Span) -> None:
        if name not in known:
            self.found.add(
                error(
                    "E0215",
                    f"`{name}` is not {what}",
                    span,
                    hints=did_you_mean(name, known) or [f"known are {', '.join(known)}"],
                )
            )

    def _parameters(
        self, parameters: tuple[ast.Parameter, ...], scope: dict[str, None], defaults: bool = True
    ) -> dict[str, None]:
        for parameter in parameters:
            if parameter.name in scope and not isinstance(parameter.type, ast.TensorTypeExpr):
                note = "parameters, inputs and the dimensions of inputs share their names"
                self.found.add(error("E0205", f"`{parameter.name}` is defined twice", parameter.span, notes=[note]))
            if defaults:
                self._expr(parameter.default, scope)
            scope = {**scope, parameter.name: None}
            if isinstance(parameter.type, ast.TensorTypeExpr):
                for dim in parameter.type.dims:
                    if isinstance(dim, ast.Name | ast.RestDims) and dim.name is not None:
                        scope = {**scope, dim.name: None}
            self._type(parameter.type, scope)
        return scope

    def _type(self, kind: ast.TypeExpr | None, scope: dict[str, None], result: bool = False) -> None:
        match kind:
            case ast.ListType(element):
                self._type(element, scope)
            case ast.TupleType(items):
                for item in items:
                    self._type(item, scope)
            case ast.RecordType(fields):
                for _, item in fields:
                    self._type(item, scope)
            case ast.TensorTypeExpr(_, dims):
                for dim in dims:
                    match dim:
                        case ast.AnyDim() | ast.RestDims():
                            pass
                        case ast.SpliceDims(value):
                            self._expr(value, scope)
                        case ast.Name() if result:
                            pass  # a new name in a block's result stands for any size
                        case _:
                            self._expr(dim, scope)

    # ----------------------------------------------------------- bodies

    def _body(self, body: ast.Body, scope: dict[str, None]) -> None:
        self._bodies.append(assigned(body.statements))
        self._expr(body.result, self._statements(body.statements, scope))
        self._bodies.pop()

    def _statements(self, statements: tuple[ast.Statement, ...], scope: dict[str, None]) -> dict[str, None]:
        for statement in statements:
            match statement:
                case ast.Bind(target, value):
                    self._expr(value, scope)
                    scope = {**scope, **target_names(target)}
                case ast.For(target, iterable, body):
                    self._expr(iterable, scope)
                    inner = self._statements(body, {**scope, **target_names(target)})
                    hidden = set(target_names(target)) - set(scope)
                    scope = {name: None for name in inner if name not in hidden}
                case ast.IfStatement(condition, then, otherwise):
                    self._expr(condition, scope)
                    scope = {**self._statements(then, scope), **self._statements(otherwise, scope)}
                case ast.Require(condition):
                    self._expr(condition, scope)
        return scope

    def _expr(self, expr: ast.Expr | None, scope: dict[str, None]) -> None:
        match expr:
            case None | ast.Number() | ast.String() | ast.Bool():
                pass
            case ast.Name(name):
                if name not in scope and self._module.resolve(name) is None:
                    if self._module.is_lost(name):
                        return  # what is wrong is the `use` that should have brought it in, or a `with`
                    hints = self._bound_later(name) or did_you_mean(name, [*scope, *self._module.names()])
                    hints = hints or self._where_to_find(name)
                    self.found.add(error("E0201", f"there is nothing called `{name}`", expr.span, hints=hints))
            case ast.ListLiteral(items) | ast.TupleLiteral(items):
                for item in items:
                    self._expr(item, scope)
            case ast.RecordLiteral(fields):
                for field in fields:
                    self._expr(field.value, scope)
            case ast.Call(function, arguments):
                self._expr(function, scope)
                for argument in arguments:
                    self._expr(argument.value, scope)
                if expr.others and OTHERS not in scope:
                    what = "`...` stands for arguments in a rule of `with` only"
                    self.found.add(error("E0221", what, expr.span, hints=["name the arguments"]))
                if isinstance(function, ast.Name) and function.name not in scope:
                    self._call(expr, function.name)
            case ast.Index(value, index):
                self._expr(value, scope)
                self._expr(index, scope)
            case ast.Attribute(value):
                self._expr(value, scope)
            case ast.Unary(_, operand):
                self._expr(operand, scope)
            case ast.Binary(_, left, right) | ast.Compose(left, right) | ast.Pipe(left, right):
                self._expr(left, scope)
                self._expr(right, scope)
            case ast.Range(low, high, _, step):
                for part in (low, high, step):
                    self._expr(part, scope)
            case ast.If(condition, then, otherwise):
                self._expr(condition, scope)
                self._body(then, scope)
                self._body(otherwise, scope)
            case ast.Comprehension(element, clauses):
                for clause in clauses:
                    self._expr(clause.iterable, scope)
                    scope = {**scope, **target_names(clause.target)}
                    for condition in clause.conditions:
                        self._expr(condition, scope)
                self._expr(element, scope)
            case ast.Choose(alternatives, count):
                if self._in_op:
                    advice = "make it a parameter of the op, and choose where the op is applied"
                    what = "an op's declaration cannot hold a choice"
                    self.found.add(error("E0405", what, expr.span, hints=[advice]))
                self._expr(count, scope)
                self._expr(alternatives, scope)
            case ast.Share(value) | ast.Tie(value):
                self._expr(value, scope)

    def _table(self, call: ast.Call, name: str) -> None:
        """The table of a cost, read here so that what is wrong with it is told with all other errors."""
        path = call.arguments[1].value if len(call.arguments) == 2 else None
        if path is None:
            return  # told when it is called
        if not isinstance(path, ast.String):
            what = f"`{name}`: the path of the table must be written as a text"
            self.found.add(error("E0301", what, path.span, hints=[f'write for example `{name}(x, "table.csv")`']))
            return
        if not path.value.endswith(".csv"):  # a file reads nothing else
            what = f"`{path.value}` is not the path of a table, which ends in .csv"
            self.found.add(error("E0218", what, path.span))
            return
        try:
            self._module.table(path.value, path.span)
        except ArchError as problem:
            self.found.extend(problem.diagnostics)

    def _bound_later(self, name: str) -> tuple[str, ...]:
        for names in self._bodies:
            if name in names:
                return (f"`{name}` is bound in this body, but not before this place",)
        return ()

    def _where_to_find(self, name: str) -> tuple[str, ...]:
        """The library module that has the name; spaces and models are no parts to build with."""
        for library in library_modules():
            if library.count(".") == 1 and name in self._module.library(library).items:
                return (f"`{library}` has it: add `use {library}`",)
        return ()

    def _call(self, call: ast.Call, name: str) -> None:
        """Arguments against the parameters of a block, op or function of the module."""
        declared = self._module.resolve(name)
        positional = True
        if declared == "builtin" and name in TABLE_COSTS:
            self._table(call, name)
        if isinstance(declared, ast.Def):
            parameters = declared.parameters
        elif isinstance(declared, ast.Op) and any(given.variadic for given in declared.inputs):
            parameters, positional = declared.config, False
        elif isinstance(declared, ast.Block | ast.Op | ast.Space):
            parameters = declared.config or declared.inputs
        else:
            return
        given, shown = self._fit(call.arguments, name, parameters, positional)
        missing = [p.name for p in parameters if p.default is None and p.name not in given and not p.variadic]
        if missing and positional and not call.others:
            needed = " and ".join(f"`{parameter}`" for parameter in missing)
            self.found.add(error("E0213", f"`{name}` needs {needed}", call.span, hints=[shown]))

    def _fit(
        self,
        arguments: Sequence[ast.Argument],
        name: str,
        parameters: Sequence[ast.Parameter],
        positional: bool,
    ) -> tuple[dict[str, Span], str]:
        """The parameters that are given and where, each once, and what parameters there are."""
        names = [parameter.name for parameter in parameters]
        shown = ", ".join(p.name if p.default is None else f"{p.name}=…" for p in parameters)
        shown = f"the parameters are ({shown})" if shown else f"`{name}` has no parameters"
        given: dict[str, Span] = {}
        position = 0
        for argument in arguments:
            target = argument.name
            if target is None:
                if not positional:
                    continue
                if position >= len(names):
                    self.found.add(
                        error(
                            "E0210",
                            f"`{name}` takes {counted(len(names), 'argument')}",
                            argument.span,
                            hints=[shown],
                        )
                    )
                    continue
                target = names[position]
                position += 1
            elif target not in names:
                self.found.add(
                    error(
                        "E0211",
                        f"`{name}` has no parameter `{target}`",
                        argument.span,
                        hints=did_you_mean(target, names) or [shown],
                    )
                )
                continue
            if target in given:
                first = Label(given[target], "given first here")
                self.found.add(error("E0212", f"`{target}` is given twice", argument.span, first))
            given[target] = argument.span
        return given, shown
