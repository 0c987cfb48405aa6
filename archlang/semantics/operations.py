"""Ops applied: their rules (shapes, requirements, weights, costs) worked out from the declaration.

For plain attributes and shapes the whole rule is worked out once per distinct use and kept: it is
an `Operation` of the IR. Where attributes or dimensions depend on decisions, the shape rule is
evaluated on diagrams, and the operation follows when choices are known (`semantics.graphs`).
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any

import attrs

from archlang.diagnostics import Diagnostic, Label, Span, error
from archlang.ir.graph import Operation, WeightSpec
from archlang.ir.types import SymbolicDim, TensorType, per_sample
from archlang.semantics.arithmetic import binary
from archlang.semantics.bounded import MAX_INT
from archlang.semantics.diagram import Diagram, leaf_key
from archlang.semantics.fault import Fault, FaultSignal, broken
from archlang.semantics.modules import ModuleScope
from archlang.semantics.parameters import config_values, match
from archlang.semantics.patterns import check_rank, fixed_dims, is_plain_shape, new_names, pattern_value, show_type
from archlang.semantics.values import (
    FUNCTIONS,
    Deferred,
    Env,
    Frame,
    InputNode,
    List,
    OpNode,
    OpValue,
    Site,
    Symbolic,
    Tensor,
    Value,
    a_type,
    known,
)
from archlang.syntax import ast

if TYPE_CHECKING:
    from archlang.semantics.evaluator import Evaluator

Places = tuple[Span, ...]
_NUMBERS = frozenset([int, float, bool, Fault])
DISAGREE = "shapes do not agree"  # the messages that begin so are told of what is applied


def library_op(name: str, module: ModuleScope) -> OpValue:
    """The op of that name in the standard library, whatever the module brings in."""
    home = module.library("std.nn")
    declaration = home.declaration(name)
    assert isinstance(declaration, ast.Op), name
    return OpValue(declaration, home)


def apply_op(
    ev: Evaluator,
    op: OpValue,
    inputs: list[Value],
    site: Site,
    span: Span,
    called: str | None = None,
    places: Places = (),
) -> Value:
    """The tensor that an op makes of its inputs; one per alternative, where an input's rank
    depends on a decision."""
    ev.step(span)
    declaration = op.declaration
    what = called or f"`{declaration.name}`"
    variadic = any(parameter.variadic for parameter in declaration.inputs)
    if len(inputs) == 1 and (variadic or len(declaration.inputs) > 1):
        whole = ev.force(inputs[0])
        if type(whole) is Diagram:
            return ev.bind(whole, lambda leaf: apply_op(ev, op, [leaf], site, span, called, places))
        inputs = list(whole.items) if type(whole) is List else [whole]
    return ev.all_of(inputs, lambda tensors: _with_tensors(ev, op, tensors, site, span, what, places))


def _with_tensors(
    ev: Evaluator, op: OpValue, tensors: list[Value], site: Site, span: Span, what: str, places: Places
) -> Value:
    """An op on evaluated inputs, which should be tensors."""
    for position, tensor in enumerate(tensors):
        if type(tensor) is Diagram:

            def with_leaf(leaf: Value, position: int = position) -> Value:
                given = [*tensors[:position], leaf, *tensors[position + 1 :]]
                return ev.all_of(given, lambda given: _with_tensors(ev, op, given, site, span, what, places))

            return ev.bind(tensor, with_leaf)
        ev.tensor(tensor, places[position] if position < len(places) else span, what)
    declaration = op.declaration
    needed = len(declaration.inputs)
    if len(tensors) != needed and not (tensors and declaration.inputs[-1].variadic):
        takes = f"{needed} input{'s' * (needed != 1)}" if not declaration.inputs[-1].variadic else "at least one input"
        raise broken(error("E0214", f"{what} takes {takes} and is given {len(tensors)}", span))
    given = op.config if op.config is not None else match(declaration.config, [], what, span)
    config = config_values(ev, declaration.config, given, Frame(site, {}, op.module), what)

    def told(leaf: Value) -> Value:
        """A fault that arises in the op's rule, told at the place where the op is applied."""
        if type(leaf) is not Fault or leaf.excluded:
            return leaf
        return ev.diagrams.fault(Fault(_placed(leaf.diagnostic, tensors, span, what, places)))

    def applied(config: list[Value]) -> Value:
        values = [_attribute(ev, value) for value in config]
        try:
            return _apply(ev, op, values, tensors, site, told)
        except FaultSignal as signal:
            raise FaultSignal(told(signal.fault)) from None

    return ev.all_of(config, applied)


def _apply(
    ev: Evaluator,
    op: OpValue,
    values: list[Value],
    tensors: list[Tensor],
    site: Site,
    told: Callable[[Value], Value],
) -> Value:
    for position, value in enumerate(values):
        if type(value) is Diagram and AttributeTuple in ev.diagrams.kinds(value):
            # A list may decide the rank of the result: the op is applied once for each.
            def with_list(leaf: Value, position: int = position) -> Value:
                return _apply(ev, op, [*values[:position], leaf, *values[position + 1 :]], tensors, site, told)

            return ev.bind(value, with_list)
    node = OpNode(op, tuple(values), tuple(tensors), site.path, site.weights)
    if all(map(_is_plain, values)) and all(map(is_plain_shape, tensors)):
        types = tuple(TensorType(tensor.dtype, tensor.shape) for tensor in tensors)
        output = operation(op, tuple(values), types).output
        return Tensor(node, output.dtype, output.shape)
    found = _applied(ev, node)
    return Tensor(node, found.dtype, found.shape, ev.diagrams.map_leaves(found.ok, told))


@attrs.frozen
class _Applied:
    """What the rule of an op says of attributes and shapes that depend on decisions."""

    rule: _Rule
    ok: Value
    shape: tuple[Value, ...]
    dtype: str
    node: OpNode  # its attributes and shapes keep the identities taken that it is known by


def _applied(ev: Evaluator, node: OpNode) -> _Applied:
    """The rule of an op applied: once for equal attributes and shapes, as equal diagrams are one object."""
    shapes = tuple((tensor.dtype, tuple(map(leaf_key, tensor.shape))) for tensor in node.inputs)
    key = id(node.op.declaration), tuple(map(leaf_key, node.config)), shapes
    found: _Applied | None = ev.rules.get(key)
    if found is None:
        rule = _Rule(ev, node.op, list(node.config), list(node.inputs))
        ok = rule.ok()
        shape = tuple(rule.shape())
        for dim in shape:
            ok = ev.both_ok(ok, ev.diagrams.lift(lambda _: True, dim))
        shape = tuple(map(ev.diagrams.without_faults, shape))
        found = ev.rules[key] = _Applied(rule, ok, shape, rule.dtype(), node)
    return found


def weight_shapes(ev: Evaluator, node: OpNode) -> Value:
    """The names and shapes of an op's weights, as one value for all choices."""
    if all(map(_is_plain, node.config)) and all(map(is_plain_shape, node.inputs)):
        types = tuple(TensorType(tensor.dtype, tensor.shape) for tensor in node.inputs)
        made = operation(node.op, node.config, types)
        return AttributeTuple(AttributeTuple((weight.name, *weight.shape)) for weight in made.weights)
    return _applied(ev, node).rule.weight_shapes()


@attrs.frozen
class Prices:
    """The costs of an op that depend on decisions, each a number or a diagram: what it declares, its
    trained and all its weights (in elements), the shape of its first weight if it has macs, and the
    elements of its result and of each input, with their dtypes."""

    declares: Callable[[str], bool]
    declared: Callable[[str], Value]
    trained: Value
    weights: Value
    kernel: Value
    dtype: str
    elements: Value
    dtypes: tuple[str, ...]
    read: tuple[Value, ...]


def prices(ev: Evaluator, node: OpNode) -> Prices | Operation:
    """The costs of an op of the varied graph: those of its operation, if it is one for all choices.
    Raises Entangled where a number of which only bounds are known decides one."""
    if all(map(_is_plain, node.config)) and all(map(is_plain_shape, node.inputs)):
        types = tuple(TensorType(tensor.dtype, tensor.shape) for tensor in node.inputs)
        return operation(node.op, node.config, types)
    found = _applied(ev, node)
    rule = found.rule
    trained, weights = rule.weight_elements()
    shapes = rule.weight_shapes() if rule.declares("macs") else AttributeTuple()
    return Prices(
        rule.declares,
        rule.declared_cost,
        trained,
        weights,
        ev.diagrams.lift(lambda shapes: AttributeTuple(shapes[0][1:]) if shapes else shapes, shapes),
        found.dtype,
        _elements(ev, found.shape),
        tuple(tensor.dtype for tensor in node.inputs),
        tuple(_elements(ev, tensor.shape) for tensor in node.inputs),
    )


def _elements(ev: Evaluator, shape: tuple[Value, ...]) -> Value:
    """The elements of a tensor for one sample."""
    total: Value = 1
    for dim in shape:
        total = ev.diagrams.lift(lambda total, size: total * per_sample(known(size, "a size")), total, dim)
    return total


def _is_plain(value: Value) -> bool:
    return type(value) is not Diagram and not isinstance(value, Symbolic)


def _placed(found: Diagnostic, tensors: list[Tensor], span: Span, what: str, places: Places) -> Diagnostic:
    types = [show_type(tensor) for tensor in tensors]
    if places:
        labels = tuple(Label(place, kind) for place, kind in zip(places, types, strict=True))
    else:
        labels = (Label(span, f"given {', '.join(types)}"), *(Label(label.span) for label in found.labels[:1]))
    message = found.message
    if message.startswith(DISAGREE):
        message = f"{DISAGREE} in {what}{message.removeprefix(DISAGREE)}"
    elif what not in message:
        message = f"{what}: {message}"
    return attrs.evolve(found, message=message, labels=labels)


def _attribute(ev: Evaluator, value: Value) -> Value:
    """An attribute as plain data: lists become tuples, at every depth."""

    def plain(leaf: Value) -> Value:
        if type(leaf) is List:
            items = [_attribute(ev, ev.force(item)) for item in leaf.items]
            return ev.lift(lambda *parts: AttributeTuple(parts), *items)
        if type(leaf) is range:
            return AttributeTuple(leaf)
        if isinstance(leaf, (*FUNCTIONS, Tensor)):
            raise broken(error("E0301", f"an attribute of an op must be plain data, and this is {a_type(leaf)}"))
        return leaf

    kind = type(value)
    if kind is int or kind is bool or kind is float or (kind is Diagram and ev.diagrams.kinds(value) <= _NUMBERS):
        return value
    return ev.bind(value, plain) if kind is Diagram else plain(value)


class AttributeTuple(tuple[Any, ...]):
    """A list as an attribute: equal ones are one leaf of a diagram."""

    @property
    def leaf_identity(self) -> tuple[Any, ...]:
        return tuple(self)


# ---------------------------------------------------------------------- rules


class _Rule:
    """An op's declaration for given attributes and inputs."""

    def __init__(self, ev: Evaluator, op: OpValue, values: list[Value], tensors: list[Tensor]):
        self._ev = ev
        self._declaration = declaration = op.declaration
        self._tensors = [tensor.where(True) for tensor in tensors]  # their faults are told where they arise
        self._oks: list[Value] = []
        self._what = f"`{declaration.name}`"
        attributes = {p.name: _listed(value) for p, value in zip(declaration.config, values, strict=True)}
        self.env = self._bind_inputs(Env(attributes, Frame(Site(), {}, op.module)))
        for clause in declaration.clauses:
            if isinstance(clause, ast.WhereClause):
                self.env = self.env.bind({clause.name: Deferred(self._later(clause.value))})

    def _later(self, expr: ast.Expr) -> Callable[[], Value]:
        """The value of a `where`, with all of them in scope."""
        return lambda: self._ev.evaluate(expr, self.env)

    def _bind_inputs(self, env: Env) -> Env:
        ev = self._ev
        for position, parameter in enumerate(self._declaration.inputs):
            if parameter.variadic:
                given = self._tensors[position:]
                for tensor in given:
                    self._check(parameter, tensor, env)
                return env.bind({parameter.name: List(tuple(given))})
            tensor = self._tensors[position]
            pattern = parameter.type
            names: dict[str, Value] = {parameter.name: tensor}
            if isinstance(pattern, ast.TensorTypeExpr):
                self._check(parameter, tensor, env)
                for place, name in new_names(pattern, env).items():
                    names[name] = pattern_value(ev, tensor, pattern, place)
            env = env.bind(names)
        return env

    def _check(self, parameter: ast.Parameter, tensor: Tensor, env: Env) -> None:
        """Rank, dtype and the dimensions that are known already."""
        pattern = parameter.type
        if not isinstance(pattern, ast.TensorTypeExpr):
            return
        ev, what = self._ev, f"`{parameter.name}` of {self._what}"
        check_rank(pattern, tensor, what, parameter.span)
        if pattern.dtype is not None and pattern.dtype != tensor.dtype:
            raise broken(error("E0303", f"{what} must hold {pattern.dtype}, and holds {tensor.dtype}", parameter.span))
        for place, dim, actual, expected in fixed_dims(ev, tensor, pattern, env):
            self._oks.append(ev.lift(_same_size(ev, what, place, dim), actual, expected))

    def ok(self) -> Value:
        """True where the op's requirements hold."""
        ev = self._ev
        ok = ev.both_ok(*self._oks)
        for clause in self._declaration.clauses:
            if isinstance(clause, ast.Require):
                ok = ev.both_ok(ok, ev.lift(_holds(ev, clause), ev.evaluate(clause.condition, self.env)))
        return ok

    def dtype(self) -> str:
        return self._declaration.result.dtype or self._tensors[0].dtype

    def shape(self) -> list[Value]:
        """The result's dimensions."""
        ev, sizes = self._ev, list[Value]()
        for dim in self._declaration.result.dims:
            match dim:
                case ast.RestDims(str() as name):
                    sizes += self._spliced(ev.force(self.env.names[name]), dim.span)
                case ast.SpliceDims(value):
                    sizes += self._spliced(ev.evaluate(value, self.env), dim.span)
                case ast.AnyDim() | ast.RestDims():
                    raise broken(error("E0310", "the result of an op needs every dimension", dim.span))
                case _:
                    sizes.append(ev.lift(_size(ev, dim.span), ev.evaluate(dim, self.env)))
        return sizes

    def _spliced(self, value: Value, span: Span) -> list[Value]:
        ev = self._ev
        if type(value) is not List:
            raise broken(error("E0301", f"`...` takes a list of ints, and this is {a_type(value)}", span))
        return [ev.lift(_size(ev, span), ev.force(item)) for item in value.items]

    def weight_elements(self) -> tuple[Value, Value]:
        """The elements of the trained weights, and of all."""
        ev = self._ev
        trained: Value = 0
        total: Value = 0
        for clause in self._declaration.clauses:
            if isinstance(clause, ast.Weight):
                there = True if clause.condition is None else ev.evaluate(clause.condition, self.env)
                count = ev.bind(there, partial(self._elements, clause))
                total = ev.diagrams.lift(operator.add, total, count)
                trained = ev.diagrams.lift(operator.add, trained, count) if clause.trained else trained
        return trained, total

    def weight_shapes(self) -> Value:
        """The names and shapes of the weights that there are."""
        ev = self._ev
        found: Value = AttributeTuple()
        for clause in self._declaration.clauses:
            if isinstance(clause, ast.Weight):
                there = True if clause.condition is None else ev.evaluate(clause.condition, self.env)
                shape = ev.bind(there, partial(self._named_shape, clause))
                found = ev.diagrams.lift(
                    lambda known, one: AttributeTuple((*known, one)) if one else known, found, shape
                )
        return found

    def _named_shape(self, clause: ast.Weight, there: Value) -> Value:
        if not self._ev.truth(there, clause.span):
            return AttributeTuple()
        sizes = [self._ev.evaluate(dim.size, self.env) for dim in clause.dims]
        return self._ev.diagrams.lift(lambda *shape: AttributeTuple((clause.name, *shape)), *sizes)

    def _elements(self, clause: ast.Weight, there: Value) -> Value:
        count: Value = 1
        if not self._ev.truth(there, clause.span):
            return 0
        for dim in clause.dims:
            size = self._ev.evaluate(dim.size, self.env)
            count = self._ev.diagrams.lift(partial(_times_weight_size, dim), count, size)
        return count

    def declares(self, name: str) -> bool:
        """Whether the op declares a cost of that name."""
        return any(isinstance(clause, ast.CostRule) and clause.name == name for clause in self._declaration.clauses)

    def declared_cost(self, name: str) -> Value:
        """A declared cost for one sample; 0 when the op declares none of that name."""
        for clause in self._declaration.clauses:
            if isinstance(clause, ast.CostRule) and clause.name == name:
                return self._ev.diagrams.lift(partial(_one_cost, clause), self._ev.evaluate(clause.value, self.env))
        return 0

    # The rest is worked out for plain values only.

    def weights(self) -> tuple[WeightSpec, ...]:
        ev, found = self._ev, list[WeightSpec]()
        fan_in = 1
        for clause in self._declaration.clauses:
            if not isinstance(clause, ast.Weight):
                continue
            if clause.condition is not None and not ev.truth(ev.evaluate(clause.condition, self.env), clause.span):
                continue
            shape = tuple(_weight_size(dim, ev.evaluate(dim.size, self.env)) for dim in clause.dims)
            if not found:
                fan_in = prod(shape[1:]) if len(shape) > 1 else 1
            found.append(
                WeightSpec(
                    clause.name,
                    shape,
                    self._init(clause.init),
                    clause.trained,
                    fan_in,
                    tuple(dim.center for dim in clause.dims),
                )
            )
        return tuple(found)

    def _init(self, init: ast.Expr | None) -> tuple[Any, ...]:
        match init:
            case None:
                return ("zeros",)
            case ast.Name(name):
                return (name,)
            case ast.Call(ast.Name(name), arguments):
                return (name, *(self._ev.evaluate(argument.value, self.env) for argument in arguments))
        raise broken(error("E0312", "an initialiser is a name, or a name with numbers", init.span))

    def costs(self) -> tuple[tuple[str, int], ...]:
        ev, found = self._ev, list[tuple[str, int]]()
        for clause in self._declaration.clauses:
            if isinstance(clause, ast.CostRule):
                found.append((clause.name, _one_cost(clause, ev.evaluate(clause.value, self.env))))
        return tuple(found)

    def traits(self) -> frozenset[str]:
        ev = self._ev
        return frozenset(
            clause.name
            for clause in self._declaration.clauses
            if isinstance(clause, ast.Trait)
            and (clause.condition is None or ev.truth(ev.evaluate(clause.condition, self.env), clause.span))
        )


def _weight_size(dim: ast.WeightDim, size: Value) -> int:
    size = known(size, "the size of a weight")
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise broken(error("E0311", f"a weight's dimension must be a known int of 1 or more, and is {size}", dim.span))
    return size


def _times_weight_size(dim: ast.WeightDim, count: int, size: Value) -> int:
    return count * _weight_size(dim, size)


def _one_cost(clause: ast.CostRule, value: Value) -> int:
    value = known(value, "a cost")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | SymbolicDim):
        raise broken(error("E0301", f"`{clause.name}` must be an int, and is {a_type(value)}", clause.span))
    return per_sample(value)


def _listed(value: Value) -> Value:
    """An attribute as the rule sees it: tuples are lists again."""
    return List(tuple(map(_listed, value))) if isinstance(value, tuple) else value


def _same_size(ev: Evaluator, what: str, place: int, dim: ast.Expr) -> Any:
    def same(actual: Value, expected: Value) -> bool:
        if ev.same_size(actual, expected, dim.span):
            return True
        named = f"`{dim.name}`" if isinstance(dim, ast.Name) else "its declaration"
        raise broken(error("E0304", f"dimension {place} of {what} is {actual}, and {named} is {expected}", dim.span))

    return same


def _holds(ev: Evaluator, clause: ast.Require) -> Any:
    def holds(value: Value) -> bool:
        if not ev.holds(value, clause.condition.span):
            code = "E0304" if (clause.message or "").startswith(DISAGREE) else "E0313"
            raise broken(error(code, clause.message or "a requirement of the op does not hold", clause.span))
        return True

    return holds


def _size(ev: Evaluator, span: Span) -> Any:
    def size(value: Value) -> Value:
        if isinstance(value, SymbolicDim):
            return value
        if isinstance(value, Symbolic) and value.step is not None:
            if not ev.holds(binary(">=", span, value, 1), span):
                raise broken(error("E0314", f"a dimension of the result would be {value.high} or less", span))
        elif isinstance(known(value, "a size"), bool) or not isinstance(value, int) or not 1 <= value <= MAX_INT:
            raise broken(error("E0314", f"a dimension of the result would be {value}", span))
        return value

    return size


def operation(op: OpValue, values: tuple[Any, ...], types: tuple[TensorType, ...]) -> Operation:
    """The operation for plain attributes and input types; worked out once, a fault too. Raises
    Entangled when a number of which only bounds are known decides a shape, a weight or a cost."""
    for kind in types:
        for dim in kind.shape:
            known(dim, "a size")
    if any(isinstance(value, Symbolic) for value in values):
        return _work_out(op, values, types)
    key = op.declaration.name, tuple(map(leaf_key, values)), types
    found = op.module.operations.get(key)
    if found is None:
        try:
            found = _work_out(op, values, types)
        except FaultSignal as signal:
            found = signal.fault
        op.module.operations[key] = found
    if isinstance(found, Fault):
        raise FaultSignal(found)
    assert isinstance(found, Operation)
    return found


def _work_out(op: OpValue, values: tuple[Any, ...], types: tuple[TensorType, ...]) -> Operation:
    from archlang.semantics.evaluator import Evaluator
    from archlang.semantics.handlers import Picking

    tensors = [Tensor(InputNode(""), kind.dtype, kind.shape) for kind in types]
    rule = _Rule(Evaluator(Picking(_no_choice)), op, list(values), tensors)
    rule.ok()
    output = TensorType(rule.dtype(), tuple(known(dim, "a size") for dim in rule.shape()))
    return Operation(
        op.declaration.name,
        tuple((p.name, _attribute_value(value)) for p, value in zip(op.declaration.config, values, strict=True)),
        types,
        output,
        rule.weights(),
        rule.costs(),
        rule.traits(),
    )


def _attribute_value(value: Any) -> Any:
    return tuple(map(_attribute_value, value)) if isinstance(value, tuple) else value


def _no_choice(decision: Any) -> Any:
    raise broken(error("E0405", "an op's declaration cannot hold a choice"))
