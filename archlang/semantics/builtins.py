"""The functions that the language itself has: on numbers, lists, shapes, and costs of tensors."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from archlang.cost.cost import METRICS
from archlang.cost.table import UNITS
from archlang.diagnostics import Span, error
from archlang.ir.types import SymbolicDim
from archlang.semantics import bounded, costs, measured, operations, rewriting
from archlang.semantics.arithmetic import binary, checked
from archlang.semantics.diagram import Diagram, leaves
from archlang.semantics.fault import Entangled, broken
from archlang.semantics.parameters import Arguments
from archlang.semantics.values import (
    Env,
    List,
    RepeatValue,
    SelectNode,
    Site,
    Symbolic,
    Tensor,
    Undecided,
    Value,
    a_type,
    known,
)

if TYPE_CHECKING:
    from archlang.semantics.evaluator import Evaluator


class _Call:
    """One call of a builtin."""

    def __init__(self, ev: Evaluator, name: str, values: list[Value], site: Site, span: Span, env: Env):
        self.ev = ev
        self.name = name
        self.values = values
        self.site = site
        self.span = span
        self.env = env

    def wrong(self, message: str, code: str = "E0301") -> Exception:
        return broken(error(code, f"`{self.name}`: {message}", self.span))

    def items(self, then: Callable[[Any], Value]) -> Value:
        """`then` on the elements of the list that is the only argument (or on the arguments, when
        there are several)."""
        if len(self.values) > 1:
            return then(tuple(self.values))
        return self.ev.bind(self.ev.force(self.values[0]), lambda leaf: then(self.ev.sequence(leaf, self.span)))

    def number(self, value: Value) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float | SymbolicDim | Symbolic):
            raise self.wrong(f"a number is needed, and this is {a_type(value)}")
        return value


def call(ev: Evaluator, name: str, arguments: Arguments, site: Site, span: Span, env: Env) -> Value:
    """The value of a builtin for arguments (values or thunks)."""
    if name == "repeat":
        return _repeat(ev, arguments, span)
    for given, _, place in arguments:
        if given is not None:
            raise broken(error("E0211", f"`{name}` takes its arguments by position", place))
    function, low, high = _BUILTINS[name]
    if not low <= len(arguments) <= high:
        needed = f"{low}" if low == high else f"at least {low}" if high > 100 else f"{low} to {high}"
        raise broken(
            error(
                "E0210", f"`{name}` takes {needed} argument{'s' * (needed != '1')} and is given {len(arguments)}", span
            )
        )
    return function(_Call(ev, name, [value for _, value, _ in arguments], site, span, env))


def _repeat(ev: Evaluator, arguments: Arguments, span: Span) -> Value:
    named = {name: value for name, value, _ in arguments if name is not None}
    plain = [value for name, value, _ in arguments if name is None]
    if named or len(plain) != 2:
        raise broken(error("E0210", "`repeat` takes how often and what: `repeat(3, block)`", span))
    return RepeatValue(plain[0], plain[1], span)


# -------------------------------------------------------------------- numbers


def _numeric(function: Callable[..., Any]) -> Callable[[_Call], Value]:
    def run(call: _Call) -> Value:
        def one(*plain: Value) -> Value:
            for value in plain:
                if isinstance(value, Symbolic):
                    return bounded.number(one, plain, _known(function, plain))
                if isinstance(value, SymbolicDim):
                    raise broken(
                        error(
                            "E0305", f"the size of dimension `{value.name}` is not known before data comes", call.span
                        )
                    )
                call.number(value)
            try:
                return checked(function(*plain), call.span)
            except (ValueError, OverflowError):
                shown = ", ".join(map(str, plain))
                raise broken(error("E0306", f"`{call.name}({shown})` has no value", call.span)) from None

        return call.ev.all_of(call.values, lambda values: call.ev.lift(one, *values))

    return run


def _to_float(value: float) -> float:
    return float(value)


_RISING = (math.floor, math.ceil, math.sqrt, math.exp, round, int, _to_float)  # they keep the order of numbers
_TO_INT = (math.floor, math.ceil, round, int)


def _known(function: Callable[..., Any], values: tuple[Value, ...]) -> bounded.Known:
    """What is known of a function's value for numbers of which bounds are known."""
    whole = (1, 0) if function in _TO_INT else ()
    if function not in _RISING:
        return bounded.Known(-math.inf, math.inf)
    given = bounded.known_of(values[0])
    if given.step is not None and whole:
        return given
    try:
        return bounded.Known(function(given.low), function(given.high), *whole)
    except (ValueError, OverflowError):  # infinite, or it has no value for some
        return bounded.Known(-math.inf, math.inf, *whole)


def _fold(symbol: str, start: Value) -> Callable[[_Call], Value]:
    def run(call: _Call) -> Value:
        ev = call.ev

        def total(items: Any) -> Value:
            return ev.all_of(items, added)

        def added(values: list[Value]) -> Value:
            if values and symbol == "+" and any(type(value) is Tensor or _tensors(value) for value in values):
                return _add(call, values)
            # Halves before wholes: sums of sums keep diagrams of many decisions small while they grow.
            parts = [ev.lift(call.number, value) for value in values] or [start]
            while len(parts) > 1:
                paired = [
                    ev.calculate(partial(binary, symbol, call.span), *pair)
                    for pair in zip(parts[::2], parts[1::2], strict=False)
                ]
                parts = paired + parts[2 * len(paired) :]
            return parts[0]

        return call.items(total)

    return run


def _tensors(value: Value) -> bool:
    return type(value) is Diagram and any(type(leaf) is Tensor for leaf in leaves(value))


def _add(call: _Call, values: list[Value]) -> Value:
    if len(values) == 1:
        return values[0]
    op = operations.library_op("add", call.env.frame.module)
    plain = partial(operations.apply_op, call.ev, op, values, call.site, call.span, "`sum`")
    frame = call.env.frame
    rewritten = partial(rewriting.applied, call.ev, op, values, call.site, call.span, frame, plain)
    total = rewritten() if frame.rewriting else plain()
    given = call.ev.force(call.values[0])
    if type(given) is List and given.subset is not None and type(total) is Tensor:
        return Tensor(SelectNode(given.subset, (total,)), total.dtype, total.shape, total.ok)
    return total


def _extreme(symbol: str, choose: Callable[..., Any]) -> Callable[[_Call], Value]:
    def run(call: _Call) -> Value:
        ev = call.ev

        def best(items: Any) -> Value:
            return ev.all_of(items, extreme)

        def extreme(values: list[Value]) -> Value:
            if not values:
                raise call.wrong("the list is empty", "E0306")
            result = values[0]
            for value in values[1:]:
                result = ev.calculate(better, result, value)
            return result

        def better(a: Value, b: Value) -> Value:
            first = binary(symbol, call.span, a, b)
            return bounded.extreme(choose, (a, b)) if isinstance(first, Undecided) else a if first else b

        return call.items(best)

    return run


def _quantifier(stop: bool) -> Callable[[_Call], Value]:
    def run(call: _Call) -> Value:
        ev = call.ev

        def walk(items: Any, position: int = 0) -> Value:
            if position == len(items):
                return not stop
            return ev.bind(
                ev.force(items[position]),
                lambda value: stop if ev.truth(value, call.span) is stop else walk(items, position + 1),
            )

        return call.items(walk)

    return run


# ---------------------------------------------------------------------- lists


def _len(call: _Call) -> Value:
    ev = call.ev
    return ev.lift(lambda leaf: len(ev.sequence(leaf, call.span)), ev.force(call.values[0]))


def _enumerate(call: _Call) -> Value:
    return call.items(lambda items: List(tuple(List((index, item), "tuple") for index, item in enumerate(items))))


def _zip(call: _Call) -> Value:
    ev = call.ev

    def zipped(*lists: Value) -> Value:
        sequences: list[Any] = [ev.sequence(items, call.span) for items in lists]
        lengths = {len(sequence) for sequence in sequences}
        if len(lengths) > 1:
            shown = ", ".join(str(len(sequence)) for sequence in sequences)
            raise call.wrong(f"the lists have different lengths: {shown}", "E0306")
        return List(tuple(List(parts, "tuple") for parts in zip(*sequences, strict=True)))

    return ev.all_of(call.values, lambda values: ev.lift(zipped, *values))


def _reversed(call: _Call) -> Value:
    return call.items(lambda items: List(tuple(reversed(items))))


def _sorted(call: _Call) -> Value:
    ev = call.ev

    def ordered(items: Any) -> Value:
        def sort(*plain: Value) -> Value:
            return List(tuple(sorted(known(call.number(value), "an order") for value in plain)))

        return ev.all_of(items, lambda values: ev.lift(sort, *values))

    return call.items(ordered)


# --------------------------------------------------------------------- shapes


def _tensor(call: _Call, then: Callable[[Tensor], Value]) -> Value:
    ev = call.ev
    return ev.bind(ev.force(call.values[0]), lambda leaf: then(ev.tensor(leaf, call.span, f"`{call.name}`")))


def _shape(call: _Call) -> Value:
    return _tensor(call, lambda tensor: List(tuple(call.ev.dim(tensor, axis) for axis in range(len(tensor.shape)))))


def _rank(call: _Call) -> Value:
    return _tensor(call, lambda tensor: call.ev.mask(len(tensor.shape), tensor.ok))


def _broadcast(call: _Call) -> Value:
    """The common shape of shapes of one length: sizes agree or are 1."""
    ev = call.ev

    def common(shapes: Any) -> Value:
        sequences: list[Any] = [ev.sequence(ev.force(shape), call.span) for shape in shapes]
        if len({len(sequence) for sequence in sequences}) > 1:
            shown = " and ".join(str(len(sequence)) for sequence in sequences)
            raise broken(error("E0304", f"shapes do not agree: they have {shown} dimensions", call.span))
        sizes = []
        for axis in range(len(sequences[0])):
            size = ev.force(sequences[0][axis])
            for other in sequences[1:]:
                size = ev.lift(partial(_meet, ev, call.span), size, ev.force(other[axis]))
            sizes.append(size)
        return List(tuple(sizes))

    return call.items(common)


def _agree(a: int, b: int) -> bool:
    return a == b or 1 in (a, b)


def _meet(ev: Evaluator, span: Span, a: Value, b: Value) -> Value:
    """The common size of two dimensions."""
    if a == b or b == 1:
        return a
    if a == 1:
        return b
    if isinstance(a, Symbolic) or isinstance(b, Symbolic):
        if bounded.compared("==", a, 1) is None or bounded.compared("==", b, 1) is None:
            agree = Undecided(_agree, (a, b), bounded.decisions_of((a, b)), 0, 1)
            ev.holds(agree, span)
            return bounded.extreme(max, (a, b))  # where one of them is 1, the other is no less
        if ev.same_size(a, b, span):
            return a
    raise broken(error("E0304", f"shapes do not agree: {a} and {b}", span))


# ---------------------------------------------------------------------- costs


def _cost(call: _Call) -> Value:
    return _total(call, partial(costs.cost_of, call.ev, call.name))


def _total(call: _Call, cost: Callable[[costs.Wanted], Value]) -> Value:
    """A cost of the tensor that is the first argument."""
    ev = call.ev

    def price(tensor: Tensor) -> Value:
        return ev.mask(cost([(tensor, True)]), tensor.ok)

    try:
        return _tensor(call, price)
    except Entangled as problem:
        if ev.widening is not None:
            return ev.widening.unknown_cost(problem, call.span)
        raise Entangled(f"`{call.name}`: {problem.reason}", problem.decisions) from None


def _measured(call: _Call) -> Value:
    """`latency(x, "table.csv")`: in the unit of the table."""
    ev = call.ev

    def price(path: Value) -> Value:
        if not isinstance(path, str):
            raise call.wrong(f"the table is the path of a CSV file, and this is {a_type(path)}")
        table = call.env.frame.module.table(path, call.span)
        if table is None:
            return 0.0
        if table.metric != call.name:
            what = f"`{table.name}` is a table of {table.metric}, not of {call.name}"
            raise broken(error("E0218", what, call.span))
        return _total(call, lambda tensors: measured.measured(ev, table, tensors, call.span))

    return ev.bind(ev.force(call.values[1]), price)


_MANY = 10_000
_BUILTINS: dict[str, tuple[Callable[[_Call], Value], int, int]] = {
    "len": (_len, 1, 1),
    "enumerate": (_enumerate, 1, 1),
    "zip": (_zip, 1, _MANY),
    "sum": (_fold("+", 0), 1, _MANY),
    "prod": (_fold("*", 1), 1, _MANY),
    "min": (_extreme("<=", min), 1, _MANY),
    "max": (_extreme(">=", max), 1, _MANY),
    "abs": (_numeric(abs), 1, 1),
    "round": (_numeric(round), 1, 1),
    "floor": (_numeric(math.floor), 1, 1),
    "ceil": (_numeric(math.ceil), 1, 1),
    "int": (_numeric(int), 1, 1),
    "float": (_numeric(_to_float), 1, 1),
    "sqrt": (_numeric(math.sqrt), 1, 1),
    "log": (_numeric(math.log), 1, 2),
    "exp": (_numeric(math.exp), 1, 1),
    "reversed": (_reversed, 1, 1),
    "sorted": (_sorted, 1, 1),
    "any": (_quantifier(True), 1, _MANY),
    "all": (_quantifier(False), 1, _MANY),
    "shape": (_shape, 1, 1),
    "rank": (_rank, 1, 1),
    "broadcast": (_broadcast, 1, _MANY),
    **{name: (_cost, 1, 1) for name in METRICS},
    **{name: (_measured, 2, 2) for name in UNITS},
}
