"""Hypothesis strategies for syntax trees whose parsed text is the same tree."""

from __future__ import annotations

from hypothesis import strategies as st

from archlang.diagnostics import Source, Span
from archlang.syntax import ast
from archlang.syntax.tokens import RESERVED
from archlang.syntax.typenames import DTYPES, TYPE_NAMES

AT = Span(Source("<made>", ""), 0, 0)

SOFT_WORDS = str.split(
    r"""use op block def space where weight state init macs matmul_macs limit at of as tied ordered
    repeated log step center params with list"""
)
identifiers = st.from_regex(r"[a-z_][a-z0-9_]{0,5}", fullmatch=True).filter(lambda name: name not in RESERVED)
names = st.one_of(identifiers, st.sampled_from(SOFT_WORDS))
plain_names = identifiers.filter(lambda name: name != "_")
texts = st.text(max_size=8)


def _number(text: str) -> ast.Number:
    scales = {"k": 10**3, "M": 10**6, "G": 10**9}
    if text[-1] in scales:
        return ast.Number(int(text[:-1]) * scales[text[-1]], text, span=AT)
    return ast.Number(float(text) if "." in text or "e" in text else int(text), text, span=AT)


numbers = st.one_of(
    st.integers(0, 10**20).map(str),
    st.floats(0, 1e300, allow_subnormal=False).map(repr),
    st.integers(0, 999).flatmap(lambda n: st.sampled_from(["k", "M", "G"]).map(lambda s: f"{n}{s}")),
).map(_number)


def unique(entries: st.SearchStrategy, name=lambda entry: entry.name, **sizes):
    return st.lists(entries, unique_by=name, **sizes).map(tuple)


targets = st.recursive(
    names.map(lambda name: ast.NameTarget(name, span=AT)),
    lambda inner: st.lists(inner, min_size=1, max_size=3).map(lambda items: ast.TupleTarget(tuple(items), span=AT)),
    max_leaves=3,
)


class _Maker:
    """Draws expressions and statements with a bound on their size."""

    def __init__(self, draw: st.DrawFn, size: int):
        self.draw = draw
        self.left = size

    def some(self, make, least: int = 0, most: int = 3) -> tuple:
        return tuple(make() for _ in range(self.draw(st.integers(least, most))))

    def maybe(self, make):
        return make() if self.draw(st.booleans()) else None

    def named(self, make) -> tuple:
        found = self.draw(st.lists(names, unique=True, max_size=2))
        return tuple(make(name) for name in found)

    def flag(self) -> bool:
        return self.draw(st.booleans())

    def expr(self) -> ast.Expr:
        self.left -= 1
        kinds = [self.name, self.literal] if self.left <= 0 else list(self.all_kinds())
        return self.draw(st.sampled_from(kinds))()

    def all_kinds(self):
        return [getattr(self, name) for name in sorted(KINDS)]

    def name(self):
        return ast.Name(self.draw(names), span=AT)

    def literal(self):
        return self.draw(
            st.one_of(
                numbers,
                texts.map(lambda text: ast.String(text, span=AT)),
                st.booleans().map(lambda value: ast.Bool(value, span=AT)),
            )
        )

    def list(self):
        return ast.ListLiteral(self.some(self.expr), span=AT)

    def tuple(self):
        return ast.TupleLiteral(self.some(self.expr), span=AT)

    def record(self):
        return ast.RecordLiteral(self.named(lambda name: ast.Field(name, self.expr(), span=AT)), span=AT)

    def call(self):
        function = self.expr()
        first = self.some(lambda: ast.Argument(self.expr(), span=AT), most=2)
        named = self.named(lambda name: ast.Argument(self.expr(), name, span=AT))
        return ast.Call(function, (*first, *named), self.flag(), span=AT)

    def index(self):
        value = self.expr()
        kind = self.draw(st.integers(0, 2))
        if kind == 0:
            return ast.Index(value, ast.Range(None, self.maybe(self.expr), self.flag(), span=AT), span=AT)
        if kind == 1:
            return ast.Index(value, ast.Range(self.expr(), None, span=AT), span=AT)
        return ast.Index(value, self.expr(), span=AT)

    def attribute(self):
        return ast.Attribute(self.expr(), self.draw(names), span=AT)

    def unary(self):
        return ast.Unary(self.draw(st.sampled_from(["-", "not"])), self.expr(), span=AT)

    def binary(self):
        sign = self.draw(st.sampled_from(SIGNS))
        return ast.Binary(sign, self.expr(), self.expr(), span=AT)

    def range(self):
        return ast.Range(self.expr(), self.expr(), self.flag(), self.maybe(self.expr), span=AT)

    def pipe(self):
        pins = self.draw(st.one_of(st.just(()), st.tuples(texts), st.tuples(texts, texts)))
        return ast.Pipe(self.expr(), self.expr(), *pins, span=AT)

    def compose(self):
        return ast.Compose(self.expr(), self.expr(), span=AT)

    def choose(self):
        count = self.maybe(self.expr)
        ordered, repeated = (self.flag(), self.flag()) if count is not None else (False, False)
        name = self.draw(st.none() | names)
        return ast.Choose(self.expr(), count, ordered, repeated, self.flag(), name, span=AT)

    def share(self):
        return ast.Share(self.expr(), span=AT)

    def tie(self):
        return ast.Tie(self.expr(), span=AT)

    def comprehension(self):
        element = self.expr()
        return ast.Comprehension(element, self.some(self.clause, least=1, most=2), span=AT)

    def clause(self):
        return ast.Clause(self.draw(targets), self.expr(), self.some(self.expr, most=2), span=AT)

    def conditional(self):
        return ast.If(self.expr(), self.body(), self.body(), span=AT)

    def body(self):
        return ast.Body(self.some(self.statement, most=2), self.expr(), span=AT)

    def statement(self) -> ast.Statement:
        self.left -= 1
        kind = self.draw(st.integers(0, 3 if self.left > 0 else 1))
        if kind == 0:
            return ast.Bind(self.draw(targets), self.expr(), span=AT)
        if kind == 1:
            return ast.Require(self.expr(), self.draw(st.none() | texts), span=AT)
        if kind == 2:
            return ast.For(self.draw(targets), self.expr(), self.some(self.statement, most=2), span=AT)
        then = self.some(self.statement, most=2)
        return ast.IfStatement(self.expr(), then, self.some(self.statement, most=2), span=AT)


KINDS = str.split(
    r"""name literal list tuple record call index attribute unary binary range pipe compose choose
    share tie comprehension conditional"""
)
SIGNS = ["+", "-", "*", "/", "//", "%", "^", "==", "!=", "<", "<=", ">", ">=", "and", "or"]


@st.composite
def expressions_of(draw: st.DrawFn, size: int) -> ast.Expr:
    return _Maker(draw, size).expr()


@st.composite
def bodies_of(draw: st.DrawFn, size: int) -> ast.Body:
    return _Maker(draw, size).body()


expressions = expressions_of(10)
small = expressions_of(3)
bodies = bodies_of(6)

dims = st.one_of(
    small.filter(lambda dim: not (isinstance(dim, ast.Name) and dim.name == "_")),
    st.just(ast.AnyDim(span=AT)),
    st.builds(lambda name: ast.RestDims(name, span=AT), st.none() | names),
    small.map(lambda value: ast.SpliceDims(value, span=AT)),
)
tensor_types = st.builds(
    lambda dtype, dims: ast.TensorTypeExpr(dtype, tuple(dims), span=AT),
    st.none() | st.sampled_from(DTYPES),
    st.lists(dims, max_size=3),
)
types = st.recursive(
    st.one_of(st.sampled_from(TYPE_NAMES).map(lambda name: ast.NamedType(name, span=AT)), tensor_types),
    lambda inner: st.one_of(
        inner.map(lambda kind: ast.ListType(kind, span=AT)),
        st.lists(inner, max_size=3).map(lambda items: ast.TupleType(tuple(items), span=AT)),
        unique(st.tuples(names, inner), name=lambda entry: entry[0], max_size=2).map(
            lambda fields: ast.RecordType(fields, span=AT)
        ),
    ),
    max_leaves=3,
)


def parameter():
    return st.builds(
        lambda name, kind, value, many: ast.Parameter(name, kind, value, many, span=AT),
        names,
        st.none() | types,
        st.none() | small,
        st.just(False),
    )


def _lists(entries):
    """Two lists of parameters, all with different names."""
    return unique(entries, max_size=4).flatmap(
        lambda found: st.integers(0, len(found)).map(lambda cut: (found[:cut], found[cut:]))
    )


doc_lines = st.from_regex(r"([!-~]([ -~]{0,8}[!-~])?)?", fullmatch=True)
docs = st.none() | st.lists(doc_lines, min_size=1, max_size=3).map("\n".join)
results = st.none() | types
paths = st.text(min_size=1, max_size=8)

uses = st.builds(
    lambda module, names: ast.Use(module[1], module[0], tuple((name, AT) for name in names) or None, span=AT),
    st.one_of(
        st.lists(names, min_size=1, max_size=3).map(lambda parts: (False, ".".join(parts))),
        paths.map(lambda path: (True, path)),
    ),
    st.lists(names, max_size=3, unique=True),
)
constants = st.builds(
    lambda name, value, doc: ast.Constant(name, value, doc, span=AT, name_span=AT), names, expressions, docs
)
defs = st.builds(
    lambda name, entries, result, body, doc: ast.Def(name, entries, result, body, doc, span=AT, name_span=AT),
    names,
    unique(parameter(), max_size=3),
    results,
    bodies,
    docs,
)
blocks = st.builds(
    lambda name, lists, result, body, limit, doc: ast.Block(
        name, *lists, result, body, limit, doc, span=AT, name_span=AT
    ),
    names,
    _lists(parameter()),
    results,
    bodies,
    st.none() | small,
    docs,
)
spaces = st.builds(
    lambda name, lists, result, body, doc: ast.Space(name, *lists, result, body, doc, span=AT, name_span=AT),
    names,
    _lists(parameter()),
    results,
    bodies,
    docs,
)
weights = st.builds(
    lambda name, dims, condition, init, trained: ast.Weight(name, tuple(dims), condition, init, trained, span=AT),
    names,
    st.lists(st.builds(lambda size, center: ast.WeightDim(size, center, span=AT), small, st.booleans()), max_size=3),
    st.none() | small,
    st.none() | small,
    st.booleans(),
)
clauses = st.one_of(
    st.builds(lambda name, value: ast.WhereClause(name, value, span=AT), names, small),
    st.builds(lambda value, message: ast.Require(value, message, span=AT), small, st.none() | texts),
    weights,
    st.builds(lambda name, value: ast.CostRule(name, value, span=AT), st.sampled_from(["macs", "matmul_macs"]), small),
    st.builds(
        lambda name, value: ast.Trait(name, value, span=AT),
        st.sampled_from(["additive", "commutative", "elementwise", "identity", "keeps_zeros", "stochastic", "zeros"]),
        st.none() | small,
    ),
)


@st.composite
def ops(draw):
    config, inputs = draw(_lists(parameter()))
    variadic = draw(st.booleans())
    if inputs and variadic:
        last = inputs[-1]
        inputs = (*inputs[:-1], ast.Parameter(last.name, last.type, last.default, True, span=AT))
    return ast.Op(
        draw(names),
        config,
        inputs,
        draw(tensor_types),
        tuple(draw(st.lists(clauses, max_size=4))),
        draw(docs),
        span=AT,
        name_span=AT,
    )


@st.composite
def patterns(draw):
    places = draw(st.lists(small, max_size=2))
    named = draw(unique(st.builds(lambda name, value: ast.Argument(value, name, span=AT), names, small), max_size=2))
    captures = [argument.value.name for argument in named if isinstance(argument.value, ast.Name)]
    arguments = (*(ast.Argument(value, span=AT) for value in places if not isinstance(value, ast.Name)), *named)
    without_list = len(set(captures)) < len(captures) or draw(st.booleans())
    return ast.Pattern(
        ast.Name(draw(names), span=AT),
        None if without_list else arguments,
        not without_list and draw(st.booleans()),
        draw(st.none() | names),
        draw(st.none() | names.map(lambda name: ast.Name(name, span=AT))),
        draw(st.none() | texts.map(lambda text: ast.String(text, span=AT))),
        draw(st.none() | small),
        span=AT,
    )


rules = st.builds(lambda pattern, value: ast.Rule(pattern, value, span=AT), patterns(), expressions)
bindings = st.builds(lambda name, value: ast.Bind(ast.NameTarget(name, span=AT), value, span=AT), names, small)
requirements = st.builds(lambda value, message: ast.Require(value, message, span=AT), small, st.none() | texts)
derived = st.builds(
    lambda name, base, entries, doc: ast.Derived(
        name, ast.Name(base, span=AT), tuple(entries), doc, span=AT, name_span=AT
    ),
    names,
    names,
    st.lists(st.one_of(rules, rules, bindings, requirements), max_size=4),
    docs,
)
items = st.one_of(uses, constants, defs, blocks, spaces, derived, ops())
modules = st.builds(
    lambda found, doc: ast.Module(tuple(found), (), doc, source=AT.source), st.lists(items, max_size=4), docs
)
