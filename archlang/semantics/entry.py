"""Evaluating a space: its inputs, its configuration, and everything that its value holds."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import attrs

from archlang.diagnostics import Diagnostic, error
from archlang.ir.graph import Input
from archlang.ir.types import SymbolicDim, TensorType
from archlang.semantics import statements
from archlang.semantics.derived import RewrittenSpace
from archlang.semantics.diagram import Diagram, leaf_key, leaves
from archlang.semantics.evaluator import Evaluator
from archlang.semantics.fault import Entangled, broken
from archlang.semantics.graphs import Specialiser
from archlang.semantics.handlers import Handler
from archlang.semantics.modules import ModuleScope
from archlang.semantics.needs import flat
from archlang.semantics.parameters import bind_config, match
from archlang.semantics.patterns import check_result
from archlang.semantics.restrictions import Restriction, restricted
from archlang.semantics.rewriting import begun
from archlang.semantics.ties import agreement
from archlang.semantics.values import (
    FUNCTIONS,
    Env,
    Frame,
    InputNode,
    List,
    Record,
    Site,
    Tensor,
    Value,
    a_type,
)
from archlang.syntax import ast

MAX_STEPS_VARIED = 400_000
MAX_RECURSION = 60_000


@attrs.frozen(eq=False, slots=False)
class Evaluated:
    """A space evaluated under some handler: everything that its value holds is evaluated. `result`
    is a tensor, plain data, a `List` or `Record` of results, or a diagram with such leaves.
    `conditions` are True, or diagrams with leaves True and faults: those that the space requires,
    in order, and last that of its result."""

    evaluator: Evaluator
    inputs: tuple[Input, ...]
    result: Value
    conditions: tuple[Value, ...]

    @cached_property
    def ok(self) -> Value:
        """All conditions in one: the first fault where several fail. Raises Entangled where that
        takes too many decisions at once."""
        return self.evaluator.both_ok(*self.conditions)

    @property
    def needs(self) -> dict[int, Value]:
        """For each decision that is ever asked, the condition under which it is."""
        return self.evaluator.needs

    @cached_property
    def tensors(self) -> dict[str, Value]:
        """The tensors in the result by the path of fields that leads to each, as `read` names them: a
        tensor, or a diagram with tensors and None."""
        return _tensors(self, self.result)

    def read(self, name: str, specialiser: Specialiser) -> tuple[Any, Any]:
        """The graph and the static values of one program. The graph is None when no tensor is in
        the result; the values are a dict (of lists, dicts, numbers, …), or under "" a bare value."""
        tensors: list[tuple[str, Tensor]] = []
        found = _read(self.result, "", specialiser, tensors)
        values = found if isinstance(found, dict) else {} if found is _TENSOR else {"": found}
        graph = specialiser.graph(name, self.inputs, tensors, self.evaluator.blocks) if tensors else None
        return graph, values


_TENSOR = object()


def _read(value: Value, path: str, specialiser: Specialiser, tensors: list[tuple[str, Tensor]]) -> Any:
    value = specialiser.value(value)
    if type(value) is Tensor:
        tensors.append((path, value))
        return _TENSOR
    if type(value) is Record:
        parts = {
            name: _read(field, f"{path}.{name}" if path else name, specialiser, tensors)
            for name, field in value.fields.items()
        }
        return {name: part for name, part in parts.items() if part is not _TENSOR}
    if type(value) is List:
        parts_list = [_read(item, f"{path}[{index}]", specialiser, tensors) for index, item in enumerate(value.items)]
        return [part for part in parts_list if part is not _TENSOR]
    return list(value) if type(value) is range else value


def _tensors(evaluated: Evaluated, value: Value, path: str = "") -> dict[str, Value]:
    """The tensors in a value by the path of fields that leads to each, as `Evaluated.read` names
    them: tensors, or diagrams with tensors and None."""
    force = evaluated.evaluator.force
    if type(value) is Tensor:
        return {path: value}
    if type(value) is Record:
        named = [(f"{path}.{name}" if path else name, item) for name, item in value.fields.items()]
    elif type(value) is List:
        named = [(f"{path}[{index}]", item) for index, item in enumerate(value.items)]
    elif type(value) is Diagram:
        by_leaf = {leaf_key(leaf): _tensors(evaluated, leaf, path) for leaf in leaves(value)}
        names = list(dict.fromkeys(name for found in by_leaf.values() for name in found))
        combine = evaluated.evaluator.diagrams.combine
        substitute = evaluated.evaluator.diagrams.substitute
        return {
            name: substitute(value, {key: found.get(name) for key, found in by_leaf.items()}, combine) for name in names
        }
    else:
        return {}
    found: dict[str, Value] = {}
    for name, item in named:
        found.update(_tensors(evaluated, force(item), name))
    return found


def evaluate_space(
    module: ModuleScope,
    declaration: ast.Space,
    config: Mapping[str, Value],
    handler: Handler,
    max_steps: int,
    where: Sequence[Restriction] = (),
    widen: bool = False,
    partial_channels: int = 1,
) -> Evaluated:
    """The space's value under a handler; raises `FaultSignal` when it is broken (or excluded)
    whatever is chosen. `where` are requirements from outside, on its costs. With `widen`, values of
    too many decisions are known by their bounds (`semantics.widening`); of `partial_channels` a choice
    of blocks sees one in so many (`semantics.partial`), where all alternatives are kept."""
    with deep_recursion(), _no_collection():
        ev = Evaluator(handler, max_steps, widen, partial_channels)
        try:
            return _evaluate(module, declaration, config, ev, where)
        except Entangled as problem:
            raise ev.readable(problem) from None
        except RecursionError:
            raise broken(
                error("E0601", f"space `{declaration.name}` is too deep to be evaluated", declaration.name_span)
            ) from None


@contextmanager
def deep_recursion() -> Iterator[None]:
    """Room for evaluation by need: a chain of a thousand layers is needed from its end, each
    layer some ten Python calls deep."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, MAX_RECURSION))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


@contextmanager
def _no_collection() -> Iterator[None]:
    """No search for garbage: what an evaluation makes is used until its end."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def _evaluate(
    module: ModuleScope,
    declaration: ast.Space,
    config: Mapping[str, Value],
    ev: Evaluator,
    where: Sequence[Restriction],
) -> Evaluated:
    what = f"space `{declaration.name}`"
    if isinstance(declaration, RewrittenSpace):
        module = declaration.home
    frame, common = begun(ev, declaration, Frame(Site(), module.sites(declaration), module))
    lacking = [p.name for p in declaration.config if p.default is None and p.name not in config]
    if lacking:
        raise broken(_not_given(declaration, lacking, what))
    places = {parameter.name: parameter.span for parameter in declaration.config}
    arguments = [(name, value, places.get(name, declaration.name_span)) for name, value in config.items()]
    given = match(declaration.config, arguments, what, declaration.name_span)
    env = bind_config(ev, declaration.config, given, Env({}, frame), what)
    for parameter in declaration.config:  # wrong configuration is told even where it is not needed
        if parameter.name in given:
            ev.force(env.names[parameter.name])
    inputs: list[Input] = []
    for position, parameter in enumerate(declaration.inputs):
        env = _bind_input(ev, parameter, position, env, inputs)
    # What the space requires is kept apart from its result, each requirement by itself: all of
    # them in one may hang from very many decisions.
    env, checks = statements.run(ev, declaration.body.statements, env)
    conditions = [check() for check in (*common, *checks)]
    value = ev.evaluate(declaration.body.result, env)
    if declaration.result is not None:
        value = check_result(ev, value, declaration.result, env, what)
    result = _deep(ev, value, declaration)
    conditions += [restricted(ev, result, restriction, Env({}, frame)) for restriction in where]
    if ev.ties:
        conditions.append(agreement(ev, result))
    conditions.append(_ok(ev, result))
    ev.needs = flat(ev.diagrams, ev.needs)
    if ev.widening is not None:
        ev.widening.check_needs(ev.needs)
    return Evaluated(ev, tuple(inputs), result, tuple(conditions))


def _not_given(declaration: ast.Space, lacking: list[str], what: str) -> Diagnostic:
    """The error for configuration without a value; a lone list that holds inputs is taken for it too."""
    names = " and ".join(f"`{name}`" for name in lacking)
    hints = [f"give it a value: `--set {lacking[0]}=…`, or a default: `{lacking[0]}: int = 8`"]
    if not declaration.inputs:
        hints.append(f"an input of the network has a tensor type: `{lacking[0]}: f32[n, 3, 32, 32]`")
    return error("E0213", f"{what} needs {names}", declaration.name_span, hints=hints)


def _bind_input(ev: Evaluator, parameter: ast.Parameter, position: int, env: Env, inputs: list[Input]) -> Env:
    pattern = parameter.type
    if not isinstance(pattern, ast.TensorTypeExpr):
        raise broken(
            error(
                "E0315",
                f"the input `{parameter.name}` of a space needs a tensor type",
                parameter.span,
                hints=[f"write for example `{parameter.name}: f32[n, 3, 32, 32]`"],
            )
        )
    names: dict[str, Value] = {}
    shape: list[Any] = []
    for axis, dim in enumerate(pattern.dims):
        free = isinstance(dim, ast.Name) and dim.name not in env.names and dim.name not in names
        if isinstance(dim, ast.Name) and free and axis == 0:
            names[dim.name] = SymbolicDim(dim.name)
            shape.append(names[dim.name])
            continue
        if free or isinstance(dim, ast.AnyDim | ast.RestDims | ast.SpliceDims):
            known = env.frame.module.find(dim.name) is not None if isinstance(dim, ast.Name) else False
            if not known:
                raise broken(
                    error(
                        "E0316",
                        f"dimension {axis} of the input `{parameter.name}` has no size",
                        dim.span,
                        notes=["only the first dimension of a space's input (the batch) may be free"],
                        hints=[
                            "write its size, or make it configuration: `space s(length: int = 128)(x: f32[n, length])`"
                        ],
                    )
                )
        size = ev.evaluate(dim, env.bind(names))  # type: ignore[arg-type]
        if not isinstance(size, int | SymbolicDim) or isinstance(size, bool) or (isinstance(size, int) and size < 1):
            raise broken(error("E0316", "a dimension of an input must be an int of 1 or more", dim.span))
        shape.append(size)
    kind = TensorType(pattern.dtype or "f32", tuple(shape))
    inputs.append(Input(parameter.name, kind))
    names[parameter.name] = Tensor(InputNode(parameter.name), kind.dtype, kind.shape)
    return env.bind(names)


def _deep(ev: Evaluator, value: Value, declaration: ast.Space) -> Value:
    """The value with everything in it evaluated."""

    def leaf_value(leaf: Value) -> Value:
        if type(leaf) is Record:
            return Record({name: _deep(ev, ev.force(item), declaration) for name, item in leaf.fields.items()})
        if type(leaf) is List:
            return List(tuple(_deep(ev, ev.force(item), declaration) for item in leaf.items), leaf.kind)
        if isinstance(leaf, FUNCTIONS):
            raise broken(
                error(
                    "E0317",
                    f"the value of a space cannot be {a_type(leaf)}",
                    declaration.body.result.span,
                    hints=["apply it to an input: `image |> …`"],
                )
            )
        return leaf

    return ev.bind(value, leaf_value) if type(value) is Diagram else leaf_value(value)


def _ok(ev: Evaluator, value: Value) -> Value:
    if type(value) is Diagram:
        return ev.bind(value, lambda leaf: _nested_ok(ev, leaf))
    return _nested_ok(ev, value)


def _nested_ok(ev: Evaluator, value: Value) -> Value:
    if type(value) is Tensor:
        return value.ok
    if type(value) is Record:
        return ev.both_ok(*(_ok(ev, item) for item in value.fields.values()))
    if type(value) is List:
        return ev.both_ok(*(_ok(ev, item) for item in value.items))
    return True
