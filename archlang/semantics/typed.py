"""Ops typed outside of a text: by their declarations, for attributes and input types at hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archlang.diagnostics import ArchError
from archlang.ir.graph import Operation
from archlang.ir.types import TensorType
from archlang.semantics.decision import Decision, Pick
from archlang.semantics.evaluator import Evaluator
from archlang.semantics.fault import Fault, FaultSignal
from archlang.semantics.handlers import Picking
from archlang.semantics.modules import ModuleScope
from archlang.semantics.operations import AttributeTuple, operation
from archlang.semantics.parameters import config_values
from archlang.semantics.values import Frame, List, OpValue, Site
from archlang.syntax import ast


def declared_op(scope: ModuleScope, name: str) -> tuple[ast.Op, ModuleScope] | None:
    """The declaration of the op that has this name in a module, else in the standard library, and where it
    stands."""
    found = scope.find(name)
    if found is not None and isinstance(found[1], ast.Op):
        return found[1], found[0]
    library = scope.library("std.nn")
    declaration = library.declaration(name)
    return (declaration, library) if isinstance(declaration, ast.Op) else None


def typed_operation(
    declaration: ast.Op, home: ModuleScope, attributes: Mapping[str, Any], types: tuple[TensorType, ...]
) -> Operation:
    """The operation of an op of a module for attributes (those left out have their defaults) and input types;
    ArchError where its declaration refuses them."""
    unknown = set(attributes) - {parameter.name for parameter in declaration.config}
    assert not unknown, f"op `{declaration.name}` has no {unknown}"
    ev = Evaluator(Picking(_no_choice))
    given = {name: _value(value) for name, value in attributes.items()}
    try:
        values = config_values(ev, declaration.config, given, Frame(Site(), {}, home), declaration.name)
        return operation(OpValue(declaration, home), tuple([_attribute(ev, value) for value in values]), types)
    except FaultSignal as signal:
        raise ArchError(signal.fault.diagnostic) from None


def _value(value: Any) -> Any:
    return List(tuple(map(_value, value)), "list") if isinstance(value, tuple | list) else value


def _attribute(ev: Evaluator, value: Any) -> Any:
    """An attribute as the rules of ops take it; raises the fault that it may be."""
    value = ev.force(value)
    if type(value) is Fault:
        raise FaultSignal(value)
    return AttributeTuple([_attribute(ev, item) for item in value.items]) if isinstance(value, List) else value


def _no_choice(decision: Decision) -> Pick:
    raise AssertionError("an op's declaration holds no choice")
