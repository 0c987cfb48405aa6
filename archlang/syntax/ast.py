"""The abstract syntax of `.arch`: frozen nodes whose equality ignores where they stand."""

from __future__ import annotations

import attrs

from archlang.diagnostics import Source, Span


def _span() -> Span:
    """A node's place in the text; not part of its equality."""
    return attrs.field(eq=False, repr=False, kw_only=True)  # type: ignore[no-any-return]


# ---------------------------------------------------------------- expressions


@attrs.frozen
class Number:
    """A literal; `text` keeps how it was written (`1e-3`, `600M`), without underscores."""

    value: int | float
    text: str = attrs.field(eq=False)
    span: Span = _span()


@attrs.frozen
class String:
    value: str
    span: Span = _span()


@attrs.frozen
class Bool:
    value: bool
    span: Span = _span()


@attrs.frozen
class Name:
    name: str
    span: Span = _span()


@attrs.frozen
class ListLiteral:
    items: tuple[Expr, ...]
    span: Span = _span()


@attrs.frozen
class TupleLiteral:
    items: tuple[Expr, ...]
    span: Span = _span()


@attrs.frozen
class Field:
    """One `name: value` of a record or of labelled alternatives."""

    name: str
    value: Expr
    span: Span = _span()


@attrs.frozen
class RecordLiteral:
    fields: tuple[Field, ...]
    span: Span = _span()


@attrs.frozen
class Argument:
    """An argument of a call; `name` is None for a positional one."""

    value: Expr
    name: str | None = None
    span: Span = _span()


@attrs.frozen
class Call:
    """`function(arguments)`: configures a block or op, or calls a function. `others` marks `...` at the
    end, in a replacement: the arguments of the call that is rewritten which its pattern does not name."""

    function: Expr
    arguments: tuple[Argument, ...]
    others: bool = False
    span: Span = _span()


@attrs.frozen
class Index:
    value: Expr
    index: Expr
    span: Span = _span()


@attrs.frozen
class Attribute:
    """`value.name`: a field of a record."""

    value: Expr
    name: str
    span: Span = _span()


@attrs.frozen
class Unary:
    """`-x` or `not x`; `operator` is "-" or "not"."""

    operator: str
    operand: Expr
    span: Span = _span()


@attrs.frozen
class Binary:
    """Arithmetic `+ - * / // % ^`, comparison `== != < <= > >=`, or `and`, `or`."""

    operator: str
    left: Expr
    right: Expr
    span: Span = _span()


@attrs.frozen
class Range:
    """`low..high` (inclusive) or `low..<high`, with `step`. Either end may be missing in an index."""

    low: Expr | None
    high: Expr | None
    exclusive: bool = False
    step: Expr | None = None
    span: Span = _span()


@attrs.frozen
class If:
    """`if condition { … } else { … }` as an expression."""

    condition: Expr
    then: Body
    otherwise: Body
    span: Span = _span()


@attrs.frozen
class Comprehension:
    """`[element for target in iterable if condition …]`."""

    element: Expr
    clauses: tuple[Clause, ...]
    span: Span = _span()


@attrs.frozen
class Clause:
    target: Target
    iterable: Expr
    conditions: tuple[Expr, ...] = ()
    span: Span = _span()


@attrs.frozen
class Pipe:
    """`value |> function`; `address` pins the address of what is applied (`at "stage[0]/conv"`),
    `weights` that of its weights where it is another (`tied "stage[0]/conv"`, under `tie`)."""

    value: Expr
    function: Expr
    address: str | None = None
    weights: str | None = None
    span: Span = _span()


@attrs.frozen
class Compose:
    """`first >> second`."""

    first: Expr
    second: Expr
    span: Span = _span()


@attrs.frozen
class Choose:
    """`choose alternatives` or `choose count of alternatives [ordered] [repeated]`, `log`, `as name`.

    `alternatives` is a `RecordLiteral` for labelled ones, a `Range` for numbers, or a list.
    """

    alternatives: Expr
    count: Expr | None = None
    ordered: bool = False
    repeated: bool = False
    log: bool = False
    name: str | None = None
    span: Span = _span()


@attrs.frozen
class Share:
    """`share f`: one set of decisions for all calls of the value."""

    value: Expr
    span: Span = _span()


@attrs.frozen
class Tie:
    """`tie f`: one set of weights, and so of decisions, for all calls of the value."""

    value: Expr
    span: Span = _span()


Expr = (
    Number
    | String
    | Bool
    | Name
    | ListLiteral
    | TupleLiteral
    | RecordLiteral
    | Call
    | Index
    | Attribute
    | Unary
    | Binary
    | Range
    | If
    | Comprehension
    | Pipe
    | Compose
    | Choose
    | Share
    | Tie
)


# ----------------------------------------------------------------- statements


@attrs.frozen
class NameTarget:
    name: str
    span: Span = _span()


@attrs.frozen
class TupleTarget:
    items: tuple[Target, ...]
    span: Span = _span()


Target = NameTarget | TupleTarget


@attrs.frozen
class Bind:
    target: Target
    value: Expr
    span: Span = _span()


@attrs.frozen
class For:
    """A loop that rebinds outer names; it has no value of its own."""

    target: Target
    iterable: Expr
    body: tuple[Statement, ...]
    span: Span = _span()


@attrs.frozen
class IfStatement:
    """An `if` that rebinds outer names; it has no value of its own."""

    condition: Expr
    then: tuple[Statement, ...]
    otherwise: tuple[Statement, ...] = ()
    span: Span = _span()


@attrs.frozen
class Require:
    condition: Expr
    message: str | None = None
    span: Span = _span()


Statement = Bind | For | IfStatement | Require


@attrs.frozen
class Body:
    """Statements, then the expression that is the value."""

    statements: tuple[Statement, ...]
    result: Expr
    span: Span = _span()


# ---------------------------------------------------------------------- types


@attrs.frozen
class NamedType:
    """`int float bool str block record any tensor`."""

    name: str
    span: Span = _span()


@attrs.frozen
class ListType:
    element: TypeExpr
    span: Span = _span()


@attrs.frozen
class TupleType:
    items: tuple[TypeExpr, ...]
    span: Span = _span()


@attrs.frozen
class RecordType:
    fields: tuple[tuple[str, TypeExpr], ...]
    span: Span = _span()


@attrs.frozen
class AnyDim:
    """`_`: any one dimension."""

    span: Span = _span()


@attrs.frozen
class RestDims:
    """`...`: any number of dimensions; `...lead` binds them as a list of ints."""

    name: str | None = None
    span: Span = _span()


@attrs.frozen
class SpliceDims:
    """`...(expr)`: the dimensions in a list, in a result type (`...lead` stands for `...(lead)`)."""

    value: Expr
    span: Span = _span()


@attrs.frozen
class TensorTypeExpr:
    """`f32[n, c, h, w]`, dtype optional; a dimension is an expression, `_` or `...`."""

    dtype: str | None
    dims: tuple[Expr | AnyDim | RestDims | SpliceDims, ...]
    span: Span = _span()


TypeExpr = NamedType | ListType | TupleType | RecordType | TensorTypeExpr


# ---------------------------------------------------------------------- items


@attrs.frozen
class Parameter:
    """One entry of a parameter list; `variadic` marks `*xs: [n, c]` (op inputs only)."""

    name: str
    type: TypeExpr | None = None
    default: Expr | None = None
    variadic: bool = False
    span: Span = _span()


@attrs.frozen
class Use:
    """`use std.nn` · `use std.blocks: mbconv` · `use "./cells.arch": cell`.

    `module` is `std.nn` or the path as written; `names` is None when all are brought in.
    """

    module: str
    is_path: bool
    names: tuple[tuple[str, Span], ...] | None = attrs.field(
        default=None, eq=lambda names: names and tuple(name for name, _ in names)
    )
    span: Span = _span()


@attrs.frozen
class Constant:
    name: str
    value: Expr
    doc: str | None = None
    span: Span = _span()
    name_span: Span = _span()


@attrs.frozen
class Def:
    name: str
    parameters: tuple[Parameter, ...]
    result: TypeExpr | None
    body: Body
    doc: str | None = None
    span: Span = _span()
    name_span: Span = _span()


@attrs.frozen
class Block:
    """`block f(config)(inputs) -> type limit n { … }`; one list means inputs only."""

    name: str
    config: tuple[Parameter, ...]
    inputs: tuple[Parameter, ...]
    result: TypeExpr | None
    body: Body
    limit: Expr | None = None
    doc: str | None = None
    span: Span = _span()
    name_span: Span = _span()


@attrs.frozen
class Space:
    """`space s(config)(inputs) -> type { … }`; either list may be left out (one list whose
    entries all have tensor types is the inputs)."""

    name: str
    config: tuple[Parameter, ...]
    inputs: tuple[Parameter, ...]
    result: TypeExpr | None
    body: Body
    doc: str | None = None
    span: Span = _span()
    name_span: Span = _span()


@attrs.frozen
class Pattern:
    """`conv2d(out, kernel=k, ...) as f in block at "address" if condition`: which calls a rule rewrites.

    `called` is `_` for any. An argument that is a `Name` is captured, another is compared. `arguments` are
    None where no list stands: then there may be any, as with `others` (`...`).
    """

    called: Name
    arguments: tuple[Argument, ...] | None = None
    others: bool = False
    original: str | None = None
    within: Name | None = None
    address: String | None = None
    condition: Expr | None = None
    span: Span = _span()

    @property
    def names(self) -> dict[str, Span]:
        """The names that the pattern binds, and where."""
        found = {
            argument.value.name: argument.value.span
            for argument in self.arguments or ()
            if isinstance(argument.value, Name) and argument.value.name != "_"
        }
        return found if self.original is None else {**found, self.original: self.span}


@attrs.frozen
class Rule:
    """`pattern => replacement`."""

    pattern: Pattern
    replacement: Expr
    span: Span = _span()


@attrs.frozen
class Derived:
    """`space t = s with { … }`: rules that rewrite calls, and names that they have in common."""

    name: str
    base: Name
    entries: tuple[Rule | Bind | Require, ...]
    doc: str | None = None
    span: Span = _span()
    name_span: Span = _span()

    @property
    def rules(self) -> tuple[Rule, ...]:
        return tuple(entry for entry in self.entries if isinstance(entry, Rule))

    @property
    def statements(self) -> tuple[Bind | Require, ...]:
        return tuple(entry for entry in self.entries if not isinstance(entry, Rule))


@attrs.frozen
class WhereClause:
    """`where name = value, …`: one of them."""

    name: str
    value: Expr
    span: Span = _span()


@attrs.frozen
class WeightDim:
    """A dimension of a weight; `center` marks the centred slice (`kernel @ center`)."""

    size: Expr
    center: bool = False
    span: Span = _span()


@attrs.frozen
class Weight:
    """`weight name: [dims] if condition init initializer`, or `state …` (`trained` False)."""

    name: str
    dims: tuple[WeightDim, ...]
    condition: Expr | None
    init: Expr | None
    trained: bool = True
    span: Span = _span()


@attrs.frozen
class CostRule:
    """`macs expr`, and other cost clauses by name."""

    name: str
    value: Expr
    span: Span = _span()


@attrs.frozen
class Trait:
    """`commutative` · `elementwise` · `identity if condition` …"""

    name: str
    condition: Expr | None = None
    span: Span = _span()


OpClause = WhereClause | Require | Weight | CostRule | Trait


@attrs.frozen
class Op:
    """A primitive with its shape rule, weights, costs and traits."""

    name: str
    config: tuple[Parameter, ...]
    inputs: tuple[Parameter, ...]
    result: TensorTypeExpr
    clauses: tuple[OpClause, ...] = ()
    doc: str | None = None
    span: Span = _span()
    name_span: Span = _span()


Item = Use | Constant | Def | Block | Space | Derived | Op


@attrs.frozen
class Comment:
    """A `# …` comment; `own_line` when nothing stands before it on its line."""

    text: str
    own_line: bool
    span: Span = _span()


@attrs.frozen
class Module:
    """A parsed file. Comments ride along for the formatter and are not part of equality."""

    items: tuple[Item, ...]
    comments: tuple[Comment, ...] = attrs.field(default=(), eq=False, repr=False)
    doc: str | None = attrs.field(default=None, eq=False)
    source: Source = attrs.field(eq=False, repr=False, kw_only=True)
