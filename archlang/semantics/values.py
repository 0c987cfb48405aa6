"""The values of the language: static data, functions, tensors, and thunks that yield them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from archlang.diagnostics import Span
from archlang.ir.types import Dim
from archlang.semantics.decision import Domain
from archlang.semantics.fault import Entangled
from archlang.syntax import ast

if TYPE_CHECKING:
    from archlang.semantics.modules import ModuleScope

Value = Any


# ------------------------------------------------------------------ addresses


@attrs.frozen
class Site:
    """Where something is applied: its path among nodes, decisions and weights. The three differ
    under `share` (decisions) and `tie` (weights and decisions)."""

    path: str = ""
    decisions: str = ""
    weights: str = ""

    def enter(self, segment: str) -> Site:
        if not segment:
            return self
        return Site(_join(self.path, segment), _join(self.decisions, segment), _join(self.weights, segment))

    def labelled(self, label: str) -> Site:
        """The site after passing through an alternative of that label."""
        return Site(f"{self.path}:{label}", f"{self.decisions}:{label}", f"{self.weights}:{label}")


def _join(path: str, segment: str) -> str:
    return f"{path}/{segment}" if path else segment


@attrs.define(eq=False)
class Frame:
    """One application of a block or function, or one alternative of a choice: where it is, and
    the names of the sites in its text. `within` are the decisions whose alternatives it is in. `dims`,
    where these matter (`semantics.partial`), are the dimensions of its inputs by the names that stand for
    them: the input, and the place of the dimension, from the end where it is negative. `rewriting` are the
    rules that rewrite its calls (see `semantics.rewriting`), those that come first first."""

    site: Site
    names: Mapping[int, Any]
    module: ModuleScope
    depth: int = 0
    open_calls: tuple[str, ...] = ()
    within: tuple[str, ...] = ()
    dims: dict[str, tuple[Value, int]] | None = None
    rewriting: tuple[Any, ...] = ()

    def rewriting_with(self, rewriting: tuple[Any, ...]) -> Frame:
        """The frame with other rules that hold in it."""
        return attrs.evolve(self, rewriting=rewriting)

    def inside(self, decision: str, site: Site | None = None) -> Frame:
        """The frame as it is inside an alternative of a decision, perhaps at another site."""
        within = (*self.within, decision)
        return Frame(
            site or self.site, self.names, self.module, self.depth, self.open_calls, within, self.dims, self.rewriting
        )


class Env:
    """Names in scope. Never changed once a thunk has it: a statement makes another one."""

    __slots__ = ("frame", "loops", "names")

    def __init__(self, names: dict[str, Value], frame: Frame, loops: str = ""):
        self.names = names
        self.frame = frame
        self.loops = loops

    def bind(self, more: dict[str, Value]) -> Env:
        return Env({**self.names, **more}, self.frame, self.loops)

    def iteration(self, index: int) -> Env:
        return Env(self.names, self.frame, f"{self.loops}[{index}]")


# --------------------------------------------------------------------- thunks


class Thunk:
    """An expression and its names, evaluated at most once, when needed. `needs` says what its
    evaluation asked (see `semantics.needs`), None for nothing."""

    __slots__ = ("env", "expr", "needs", "state", "value")

    def __init__(self, expr: Any, env: Any):
        self.expr = expr
        self.env = env
        self.state = 0
        self.value: Value = None
        self.needs: Any = None


class Deferred(Thunk):
    """A thunk whose value a function computes."""

    __slots__ = ()

    def __init__(self, compute: Any):
        super().__init__(compute, None)


# ---------------------------------------------------------------- static data


@attrs.frozen(eq=False)
class List:
    """A list (`kind` "list") or tuple; the items may be thunks. `subset` is the variable of a decision that
    has no other subset to pick: nothing hangs from it, but the sum of its elements may be told by it."""

    items: tuple[Value, ...]
    kind: str = "list"
    subset: int | None = None


@attrs.frozen(eq=False)
class Record:
    fields: Mapping[str, Value]


@attrs.frozen
class FloatRange:
    low: float
    high: float


# ------------------------------------------------------------------ functions


@attrs.frozen(eq=False)
class BlockValue:
    """A block or space; `config` is None until it is configured."""

    declaration: ast.Block | ast.Space
    module: ModuleScope
    config: Mapping[str, Value] | None = None
    span: Span | None = None


@attrs.frozen(eq=False)
class OpValue:
    declaration: ast.Op
    module: ModuleScope
    config: Mapping[str, Value] | None = None
    span: Span | None = None


@attrs.frozen(eq=False)
class DefValue:
    declaration: ast.Def
    module: ModuleScope


@attrs.frozen(eq=False)
class BuiltinValue:
    name: str


@attrs.frozen(eq=False)
class RepeatValue:
    """`repeat(count, function)`."""

    count: Value
    function: Value
    span: Span


@attrs.frozen(eq=False)
class ComposeValue:
    """`first >> second`, with the names of the two sites; a name is None for a composition, which
    names its own."""

    first: Value
    second: Value
    names: tuple[str | None, str | None]


@attrs.frozen(eq=False)
class LabelledValue:
    """A function that came through an alternative of a choice: its label, and the decision."""

    function: Value
    label: str
    decision: str


@attrs.frozen(eq=False)
class SharedValue:
    """`share f` or `tie f`: the site whose decisions (and weights) all calls have in common."""

    function: Value
    site: Site
    tied: bool


@attrs.frozen(eq=False)
class OriginalValue:
    """The function of a call that is rewritten, as its rule has it by name; and the rules up to that one as
    they hold where it is called."""

    function: BlockValue | OpValue
    passed: tuple[Any, ...]


FUNCTIONS = (
    BlockValue,
    OpValue,
    DefValue,
    BuiltinValue,
    RepeatValue,
    ComposeValue,
    LabelledValue,
    SharedValue,
    OriginalValue,
)


# -------------------------------------------------------------------- tensors


class Tensor:
    """A tensor: what computes it, its type, and for which choices it exists.

    Dimensions may be diagrams; `ok` is True, or a diagram with leaves True and faults. Where there
    is no tensor its dimensions say nothing.
    """

    __slots__ = ("dtype", "made_by", "ok", "shape")

    def __init__(self, node: TensorNode | PendingNode, dtype: str, shape: tuple[Dim | Value, ...], ok: Value = True):
        self.made_by = node
        self.dtype = dtype
        self.shape = shape
        self.ok = ok

    @property
    def node(self) -> TensorNode:
        """What computes the tensor."""
        node = self.made_by
        if isinstance(node, PendingNode):
            node = self.made_by = node.made()
        return node

    def where(self, ok: Value) -> Tensor:
        """The tensor as existing for other choices."""
        return Tensor(self.made_by, self.dtype, self.shape, ok)


class PendingNode:
    """A node that is made when it is first looked at."""

    __slots__ = ()

    def made(self) -> TensorNode:
        """The node, the same one every time."""
        raise NotImplementedError


@attrs.frozen(eq=False)
class InputNode:
    name: str


@attrs.frozen(eq=False)
class OpNode:
    """An op applied. The values of `config` may be diagrams."""

    op: OpValue
    config: tuple[Value, ...]
    inputs: tuple[Tensor, ...]
    address: str
    weights_at: str


@attrs.frozen(eq=False)
class SelectNode:
    """One of several tensors (or faults), by the pick of decision `var`."""

    var: int
    kids: tuple[Any, ...]


TensorNode = InputNode | OpNode | SelectNode


@attrs.frozen(eq=False)
class Symbolic:
    """A number that depends on decisions with too many picks to list (floats, wide integers): how
    it is computed from them, the decisions, and bounds of its value."""

    function: Any
    arguments: tuple[Value, ...]
    decisions: frozenset[str]
    low: float = float("-inf")
    high: float = float("inf")
    domain: Domain | None = None
    step: int | None = None  # with offset: see `semantics.bounded`
    offset: int = 0

    def __str__(self) -> str:
        return "?"


@attrs.frozen(eq=False)
class Undecided(Symbolic):
    """A truth value that depends on such decisions."""


def a_type(value: Value) -> str:
    """The type of a value with its article: "an int", "a list"."""
    kind = type_name(value)
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def known(value: Value, what: str) -> Value:
    """The value; Entangled when it is one of too many to list, and so `what` is."""
    if isinstance(value, Symbolic):
        raise Entangled(f"{what} depends on more picks than can be listed", tuple(sorted(value.decisions)))
    return value


def type_name(value: Value) -> str:
    """How the language calls the type of a value, for messages."""
    if isinstance(value, bool | Undecided):
        return "bool"
    if isinstance(value, int):
        return "int"
    if isinstance(value, float):
        return "float"
    if isinstance(value, str):
        return "str"
    if isinstance(value, List):
        return value.kind
    if isinstance(value, Record):
        return "record"
    if isinstance(value, Tensor):
        return "tensor"
    if isinstance(value, range | FloatRange):
        return "range"
    if isinstance(value, LabelledValue | SharedValue | OriginalValue):
        return type_name(value.function)
    if isinstance(value, OpValue):
        return "op"
    if isinstance(value, DefValue | BuiltinValue):
        return "function"
    if isinstance(value, Symbolic):
        return "number"
    if isinstance(value, FUNCTIONS):
        return "block"
    return "dimension"
