"""What the attributes of an operation are when a program leaves them out."""

from __future__ import annotations

import re
from collections.abc import Mapping

from archlang.diagnostics import error
from archlang.ir.graph import Attribute, Operation
from archlang.ir.units import Default, Defaults
from archlang.semantics.decision import Decision, Pick
from archlang.semantics.evaluator import Evaluator
from archlang.semantics.fault import FaultSignal, broken
from archlang.semantics.handlers import Picking
from archlang.semantics.modules import ModuleScope
from archlang.semantics.parameters import bind_config
from archlang.semantics.values import Env, Frame, List, Site, Value
from archlang.syntax import ast


def op_defaults(module: ModuleScope) -> Defaults:
    """The defaults of any operation's attributes, given its other attributes; ops are those that
    the module can name or the standard library's."""
    known: dict[Operation, dict[str, Default]] = {}

    def defaults(operation: Operation) -> Mapping[str, Default]:
        found = known.get(operation)
        if found is None:
            found = known[operation] = _worked_out(module, operation)
        return found

    return defaults


def _worked_out(module: ModuleScope, operation: Operation) -> dict[str, Default]:
    place = module.find(operation.name) or module.library("std.nn").find(operation.name)
    if place is None:
        return {}
    origin, declaration = place
    if not isinstance(declaration, ast.Op):
        return {}
    ev = Evaluator(Picking(_no_choice))
    attributes = {name: _value(value) for name, value in operation.attributes}
    names = {parameter.name for parameter in declaration.config}
    if names != set(attributes):
        return {}
    found: dict[str, Default] = {}
    for parameter in declaration.config:
        if parameter.default is None:
            # What an op of any number of inputs is given without a name it takes for one of these.
            if not any(given.variadic for given in declaration.inputs):
                found[parameter.name] = Default(None, required=True)
            continue
        given = {name: value for name, value in attributes.items() if name != parameter.name}
        env = bind_config(ev, declaration.config, given, Env({}, Frame(Site(), {}, origin)), "")
        try:
            default = _attribute(ev, env.names[parameter.name])
        except FaultSignal:
            continue
        derived = bool(names & set(re.findall(r"[A-Za-z_]\w*", parameter.default.span.text)))
        found[parameter.name] = Default(default, derived)
    return found


def _value(attribute: Attribute) -> Value:
    return List(tuple(map(_value, attribute))) if isinstance(attribute, tuple) else attribute


def _attribute(ev: Evaluator, value: Value) -> object:
    value = ev.force(value)
    return tuple(_attribute(ev, item) for item in value.items) if isinstance(value, List) else value


def _no_choice(decision: Decision) -> Pick:
    raise broken(error("E0405", "an op's declaration cannot hold a choice"))
