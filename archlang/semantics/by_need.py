"""Values by need, and over all choices at once: what every evaluation is made of.

With a handler that picks, every value is a plain one. With one that keeps all alternatives, static
values are decision diagrams and tensors are select nodes, and operations work pointwise (`lift`) or
once per distinct value (`bind`). Errors are values too: a `FaultSignal` becomes a fault leaf at the
nearest thunk, alternative or continuation, and where several things fail, the first of them in the
order of evaluation is told.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from archlang.diagnostics import Span, error
from archlang.semantics.diagram import Diagram, Diagrams, leaf_key, leaves
from archlang.semantics.fault import Entangled, Fault, FaultSignal, NotReusable, broken
from archlang.semantics.handlers import Handler, Varying
from archlang.semantics.needs import packed
from archlang.semantics.values import Deferred, Env, SelectNode, Site, Symbolic, Tensor, Thunk, Value, a_type
from archlang.semantics.widening import Widening
from archlang.syntax import ast

MAX_DEPTH = 200  # of blocks applied inside each other
_PLACE = re.compile("\0\\d+\0")


class _Unready(Exception):
    """What is evaluated ahead of need waits for a value that is being evaluated."""


class ByNeed(ABC):
    """The state of one evaluation under one handler, and what is done with values in it."""

    def __init__(self, handler: Handler, max_steps: int, widen: bool, partial_channels: int = 1):
        self.handler = handler
        self.varying = handler if isinstance(handler, Varying) else None  # all alternatives are kept
        self.partial = partial_channels  # choices of blocks see 1 of so many channels; see semantics.partial
        self.diagrams = Diagrams()
        self.needs: dict[Any, Value] = {}  # what is being evaluated asks; see semantics.needs
        self.steps_left = max_steps
        self.open_templates = 0  # how many calls are being evaluated that others are to be made of
        self.deepest = 0  # how many blocks have been applied inside each other
        self.widening = Widening(self) if widen else None
        self._places: dict[str, Site] = {}
        self._ahead = 0  # how many evaluations ahead of need are going on
        self._in_time = True  # whether there may be more of them

    @abstractmethod
    def evaluate(self, expr: ast.Expr, env: Env) -> Value:
        """The value of an expression (not a thunk; a diagram where it depends on decisions)."""

    def step(self, span: Span | None, count: int = 1) -> None:
        """Count applications or iterations against the limit of the evaluation."""
        self.steps_left -= count
        if self.steps_left < 0:
            if self.varying:
                raise Entangled("it takes too many steps to evaluate the space with all alternatives kept")
            raise broken(
                error("E0601", "the program is too large", span, notes=["evaluation was stopped after too many steps"])
            )

    def nest(self, depth: int) -> bool:
        """Note that blocks are applied inside each other to a depth; whether that may be."""
        self.deepest = max(self.deepest, depth)
        return depth <= MAX_DEPTH

    def refuse_reuse(self) -> None:
        """Called where something depends on more than the arguments of the calls around."""
        if self.open_templates:
            raise NotReusable

    def new_place(self, site: Site) -> str:
        """A stand-in for the path of a site in addresses."""
        place = f"\0{len(self._places)}\0"
        self._places[place] = site
        return place

    def placed(self, path: str) -> str:
        """A path among nodes without stand-ins: in a template, that of the call which it is made of."""
        while "\0" in path:
            path = _PLACE.sub(lambda place: self._places[place[0]].path, path)
        return path

    def readable(self, problem: Entangled) -> Entangled:
        """The exception with the addresses of the decisions that it names."""

        def placed(text: str) -> str:
            while "\0" in text:
                text = _PLACE.sub(lambda place: self._places[place[0]].decisions, text)
            return text

        variables = self.varying.variables if self.varying is not None else {}
        names = [variables[var].decision.address for var in problem.variables if var in variables]
        return Entangled(placed(problem.reason), tuple(map(placed, problem.decisions or names)))

    # ------------------------------------------------------- values by need

    def force(self, value: Value) -> Value:
        """The value of a thunk (evaluated now, if it has not been); anything else as it is."""
        if not isinstance(value, Thunk):
            return value
        if value.state != 2:
            if value.state == 1:
                if self._ahead:
                    raise _Unready
                span = value.expr.span if not isinstance(value, Deferred) and value.expr is not None else None
                raise broken(error("E0604", "a value is needed for its own evaluation", span))
            value.state = 1
            outer, self.needs = self.needs, {}
            try:
                expr = value.expr
                result = expr() if isinstance(value, Deferred) else self.evaluate(expr, value.env)
            except FaultSignal as signal:
                result = signal.fault
            except Exception:
                # No error of the language: as if it had not been asked for, so that it may be again.
                value.state = 0
                raise
            value.value = result
            value.needs = packed(self.needs) if self.needs else None
            self.needs = outer
            value.state = 2
            if self.partial == 1:  # else its text may be evaluated for fewer channels too
                value.expr = value.env = None
        if value.needs is not None:
            self.needs[value.needs] = True
        result = value.value
        if type(result) is Fault:
            raise FaultSignal(result)
        return result

    def ahead(self, value: Value) -> Value:
        """Evaluate a thunk before it is known to be needed, and note no need: of a network, what
        comes first is met first then, so that the decisions of one layer lie side by side in the
        order of the diagrams. The value, or None where it has none as yet."""
        if not self._in_time:
            return None
        outer, self.needs = self.needs, {}
        self._ahead += 1
        try:
            return self.force(value)
        except FaultSignal:
            return None
        except (Entangled, _Unready):
            if self.diagrams.exhausted:
                raise
            self._in_time = False  # or it would be tried again at every layer
            return None
        finally:
            self._ahead -= 1
            self.needs = outer

    def apart(self, compute: Callable[[], Value]) -> tuple[Value, dict[Any, Value]]:
        """What `compute` gives, a fault as a leaf, and what it asks, of which nothing is noted."""
        outer, self.needs = self.needs, {}
        try:
            result = compute()
        except FaultSignal as signal:
            result = signal.fault
        finally:
            inner, self.needs = self.needs, outer
        return result, inner

    def note(self, needs: dict[Any, Value]) -> None:
        """Note what was asked `apart`."""
        for key, asked in needs.items():
            self.need(key, asked)

    def need(self, key: Any, condition: Value) -> None:
        """Note that a decision is asked under a condition, or what some value needs."""
        known = self.needs.get(key, False)
        if known is not condition and known is not True:
            self.needs[key] = self.diagrams.either(known, condition)

    def under(self, condition: Callable[[], Value], compute: Callable[[], Value]) -> Value:
        """What `compute` gives, a fault as a leaf; the decisions that it asks count as asked under
        the condition (which is worked out when there are any)."""
        outer, self.needs = self.needs, {}
        try:
            result = compute()
        except FaultSignal as signal:
            result = signal.fault
        inner, self.needs = self.needs, outer
        fresh = [(key, asked) for key, asked in inner.items() if outer.get(key) is not True]
        if fresh:
            here = condition()
            for key, asked in fresh:
                self.need(key, self.diagrams.both(here, asked))
        return result

    def bind(self, value: Value, then: Callable[[Value], Value]) -> Value:
        """`then` run once for every distinct value, where the value depends on decisions."""
        kind = type(value)
        if kind is not Diagram:
            if kind is Fault:
                raise FaultSignal(value)
            if kind is not Tensor or value.ok is True:
                return then(value)
            try:
                return then(value)  # which minds itself where the tensor does not exist
            except FaultSignal as signal:
                return self.mask(signal.fault, value.ok)
        results: dict[Any, Value] = {}
        for leaf in leaves(value):
            if type(leaf) is Fault:
                results[leaf_key(leaf)] = leaf
            else:
                condition = partial(self.diagrams.equals_leaf, value, leaf)
                results[leaf_key(leaf)] = self.under(condition, partial(then, leaf))
        return self.settle(self.diagrams.substitute(value, results, self.join))

    def lift(self, function: Callable[..., Value], *values: Value) -> Value:
        """`function` applied to static values, pointwise where they depend on decisions."""
        for value in values:
            kind = type(value)
            if kind is Diagram:
                lift = self.diagrams.lift if self.widening is None else self.widening.lift
                return self.settle(lift(function, *values))
            if kind is Fault:
                raise FaultSignal(value)
        return function(*values)

    def calculate(self, function: Callable[..., Value], *values: Value) -> Value:
        """As `lift`, for `partial(binary, symbol, …)` of two numbers. When one of them is known by its
        bounds, the result is: else it would be another number for each value of the other."""
        if self.widening is not None and Symbolic in map(type, values):
            return self.settle(self.widening.on_bounds(function, values))
        return self.lift(function, *values)

    def settle(self, value: Value) -> Value:
        """The value; a signal when it is a fault whatever is chosen."""
        if type(value) is Fault:
            raise FaultSignal(value)
        return value

    def join(self, var: int, kids: tuple[Value, ...]) -> Value:
        """The value that is `kids[i]` under pick i of a decision; tensors of equal rank meet in one
        select node, whose dimensions are diagrams."""
        tensors = [kid for kid in kids if type(kid) is Tensor]
        if not tensors:
            return self.diagrams.combine(var, kids)
        first = tensors[0]
        for kid in kids:
            if type(kid) is Tensor:
                if len(kid.shape) != len(first.shape) or kid.dtype != first.dtype:
                    return self.diagrams.combine(var, kids)
            elif type(kid) is not Fault and not self.diagrams.is_faulty(kid):
                return self.diagrams.combine(var, kids)
        if all(kid is first for kid in kids):
            return first
        combine = self.diagrams.combine
        # Where there is no tensor, a dimension may be anything: that of another alternative.
        shape = tuple(
            combine(var, tuple(kid.shape[axis] if type(kid) is Tensor else first.shape[axis] for kid in kids))
            for axis in range(len(first.shape))
        )
        ok = combine(var, tuple(kid.ok if type(kid) is Tensor else kid for kid in kids))
        chosen = tuple(kid if type(kid) is Tensor else leaves(kid)[0] for kid in kids)
        return Tensor(SelectNode(var, chosen), first.dtype, shape, ok)

    def mask(self, value: Value, ok: Value) -> Value:
        """The value (or fault) where `ok` holds, and the faults of `ok` elsewhere."""
        if ok is True:
            return self.settle(value)
        if type(ok) is Fault:
            raise FaultSignal(ok)
        if type(value) is Tensor:
            # Where both fail it is `ok` that is told: what a `require` excludes is not looked at.
            return value.where(self.both_ok(ok, value.ok))
        return self.settle(self.diagrams.lift(lambda _, inner: inner, ok, value))

    def after(self, ok: Value, compute: Callable[[], Value]) -> Value:
        """What `compute` gives where `ok` holds, and elsewhere the faults of `ok`: they come first."""
        if ok is True:
            return compute()
        self.settle(ok)
        try:
            value = compute()
        except FaultSignal as signal:
            value = signal.fault
        return self.mask(value, ok)

    def exists(self, value: Value) -> Value:
        """True where there is a value, and its faults elsewhere."""
        kind = type(value)
        if kind is Tensor:
            return value.ok
        if kind is Diagram and Fault in self.diagrams.kinds(value):
            return self.diagrams.lift(lambda _: True, value)
        return value if kind is Fault else True

    def all_of(self, items: Iterable[Value], then: Callable[[list[Value]], Value]) -> Value:
        """`then` on the values of thunks, evaluated in order: where one is a fault it is the result,
        before those that come later."""
        values: list[Value] = []
        ok: Value = True
        for item in items:
            try:
                value = self.force(item)
            except FaultSignal as signal:
                value = signal.fault
            if type(value) is Fault:
                return self.mask(value, ok)
            values.append(value)
            ok = self.both_ok(ok, self.exists(value))
        return self.after(ok, lambda: then(values))

    def both_ok(self, *oks: Value) -> Value:
        """True where all are; the first fault elsewhere (as a leaf, not a signal)."""
        result: Value = True
        for ok in oks:
            if ok is True:
                continue
            result = ok if result is True else self.diagrams.lift(lambda a, b: True, result, ok)
        return result

    def dim(self, tensor: Tensor, axis: int) -> Value:
        """A dimension of a tensor, where the tensor exists."""
        size = tensor.shape[axis]
        return size if tensor.ok is True else self.lift(lambda _, known: known, tensor.ok, size)

    def tensor(self, value: Value, span: Span | None, what: str) -> Tensor:
        """The value as a tensor; a broken program when it is none."""
        if type(value) is not Tensor:
            raise broken(error("E0301", f"{what} takes a tensor, and this is {a_type(value)}", span))
        return value
