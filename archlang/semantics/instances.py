"""Instances of a template: a block's value with the addresses, decisions and inputs of one call.

The diagrams of an instance are those of its template with the variables renamed, in the same order.
Its nodes are made when they are looked at, so that an instance costs what its decisions cost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from archlang.diagnostics import Diagnostic, Span
from archlang.semantics.decision import Decision
from archlang.semantics.diagram import Diagram
from archlang.semantics.fault import Fault
from archlang.semantics.values import Frame, InputNode, OpNode, PendingNode, SelectNode, Tensor, TensorNode, Value

if TYPE_CHECKING:
    from archlang.semantics.evaluator import Evaluator


@attrs.frozen(eq=False)
class Slot:
    """The place of an argument: its position among them, and the node that stands for it if it is a
    tensor. As a key of needs it stands for what the argument needs. Where a template tells faults,
    `guard` is a variable whose second pick says that the tensor is the fault `missing`."""

    position: int
    node: InputNode
    guard: int | None = None
    missing: Fault = attrs.field(factory=lambda: Fault(Diagnostic(code="", message="")))


@attrs.define(eq=False)
class Template:
    """A call evaluated on placeholders. `needs` are those of its decisions (by variable number) and
    slots; `decisions` are its own, by variable number in ascending order, with the addresses that
    they have in the template, all of which start with `prefix`."""

    prefix: str
    slots: list[Slot]
    result: Tensor
    needs: dict[Any, Value]
    decisions: list[tuple[int, Decision, Span]]
    blocks: dict[str, str]
    outer: int  # the last of the variables of the text around that its diagrams may have
    steps: int
    depth: int
    met_others: bool  # whether decisions of the text around were met first in it
    taken: bool = False  # whether its variables have become those of an instance


def template(
    ev: Evaluator,
    prefix: str,
    start: int,
    outer: int,
    slots: list[Slot],
    result: Tensor,
    needs: dict[Any, Value],
    steps: int,
    depth: int,
) -> Template | None:
    """The template of an evaluated call, whose arguments depend on the variables up to `outer`; None
    when it holds a decision with too many picks to list, for values that follow it name it."""
    assert ev.varying is not None  # others reuse nothing
    decisions, met_others = [], False
    for key in needs:
        if type(key) is not int:
            continue
        variable = ev.varying.variables[key]
        if not variable.decision.address.startswith(prefix):
            met_others |= key >= start
            outer = max(outer, key)
        elif variable.wide:
            return None
        else:
            decisions.append((key, variable.decision, variable.span))
    decisions.sort(key=lambda entry: entry[0])
    blocks = {path: name for path, name in ev.blocks.items() if path.startswith(prefix)}
    return Template(prefix, slots, result, needs, decisions, blocks, outer, steps, depth, met_others)


def instance(
    ev: Evaluator, template: Template, frame: Frame, tensors: list[Tensor | None], needs: list[Any]
) -> Tensor | None:
    """The template's value in a frame, for the tensors and needs of its slots; None when the call has
    to be evaluated by itself."""
    if not ev.nest(frame.depth + template.depth):
        return None
    first, template.taken = not template.taken, True
    names = _renaming(ev, template, frame, first)
    if names is None:
        return None
    if not first:
        ev.step(None, template.steps)
    made = _Instance(ev, template, frame, tensors, names)
    ok = _ok(ev, template, tensors, made)
    if ok is None:
        return None
    for key, condition in template.needs.items():
        if type(key) is not Slot:
            ev.need(names.get(key, key), made.renamed(condition))
        elif needs[key.position] is not None:
            ev.need(needs[key.position], made.renamed(condition))
    for path, name in template.blocks.items():
        ev.blocks[_placed(path, template.prefix, frame.site.path)] = name
    result: Tensor = made.tensor(template.result)
    return result.where(ok)


def _ok(ev: Evaluator, template: Template, tensors: list[Tensor | None], made: _Instance) -> Value:
    """For which choices an instance exists; None where it is not plain which fault comes first."""
    diagrams = ev.diagrams
    ok: Value = diagrams.renamed(template.result.ok, made.names, {})
    for slot, tensor in zip(template.slots, tensors, strict=True):
        if tensor is None or tensor.ok is True or slot not in template.needs:
            continue
        if slot.guard is not None:
            ok = diagrams.replaced(ok, slot.guard, slot.missing, tensor.ok)
            continue
        own = diagrams.where(made.renamed(template.needs[slot]), tensor.ok)
        ok, other = ev.both_ok(ok, own), ev.both_ok(own, ok)
        if ok is not other:
            return None
    return ok


def _renaming(ev: Evaluator, template: Template, frame: Frame, first: bool) -> dict[int, int] | None:
    """The variables of an instance by those of the template; None when their order differs. The
    first instance takes the template's."""
    assert ev.varying is not None
    names: dict[int, int] = {}
    last = template.outer
    for number, decision, span in template.decisions:
        parents = [_placed(parent, template.prefix, frame.site.decisions) for parent in decision.parents]
        address = _placed(decision.address, template.prefix, frame.site.decisions)
        here = Decision(address, decision.domain, (*frame.within, *parents))
        new = ev.varying.take(number, here) if first else ev.varying.number(ev, here, span)
        if new <= last:
            return None
        names[number] = last = new
    return names


def _placed(address: str, prefix: str, path: str) -> str:
    return path + address[len(prefix) :] if address.startswith(prefix) else address


class _Instance:
    """One instance: its diagrams and nodes by those of the template."""

    def __init__(
        self, ev: Evaluator, template: Template, frame: Frame, tensors: list[Tensor | None], names: dict[int, int]
    ):
        self._diagrams = ev.diagrams
        self._prefix = template.prefix
        self._site = frame.site
        self.names = names
        self._names: dict[int, int | None] = {
            **names,
            **{slot.guard: None for slot in template.slots if slot.guard is not None},
        }
        self._same = all(old == new for old, new in self._names.items())
        self._tensors = {id(slot.node): tensor for slot, tensor in zip(template.slots, tensors, strict=True)}
        self._renamed: dict[int, Value] = {}
        self._nodes: dict[int, TensorNode] = {}

    def renamed(self, value: Value) -> Value:
        """A value of the template as the instance has it."""
        if self._same or type(value) is not Diagram:
            return value
        return self._diagrams.renamed(value, self._names, self._renamed)

    def tensor(self, tensor: Value) -> Value:
        """A tensor (or fault) of the template as the instance has it."""
        if type(tensor) is not Tensor:
            return tensor
        node = tensor.made_by
        if type(node) is InputNode:
            return self._tensors.get(id(node), tensor)
        if type(node) is OpNode and not node.address.startswith(self._prefix):
            return tensor
        shape = tensor.shape if self._same else tuple(map(self.renamed, tensor.shape))
        return Tensor(_InstanceNode(self, node), tensor.dtype, shape, self.renamed(tensor.ok))

    def node(self, node: TensorNode) -> TensorNode:
        """A node of the template as the instance has it, the same one every time."""
        done = self._nodes.get(id(node))
        if done is None:
            done = self._nodes[id(node)] = self._made(node)
        return done

    def _made(self, node: TensorNode) -> TensorNode:
        if type(node) is SelectNode:
            var = self._names.get(node.var, node.var)
            if var is None:
                return self.tensor(node.kids[0]).node  # type: ignore[no-any-return]
            return SelectNode(var, tuple(map(self.tensor, node.kids)))
        if type(node) is OpNode and node.address.startswith(self._prefix):
            address = _placed(node.address, self._prefix, self._site.path)
            weights = _placed(node.weights_at, self._prefix, self._site.weights)
            config = node.config if self._same else tuple(map(self.renamed, node.config))
            return OpNode(node.op, config, tuple(map(self.tensor, node.inputs)), address, weights)
        return node


class _InstanceNode(PendingNode):
    """A node of an instance that has not been looked at."""

    __slots__ = ("_instance", "_node")

    def __init__(self, instance: _Instance, node: TensorNode | PendingNode):
        self._instance = instance
        self._node = node

    def made(self) -> TensorNode:
        node = self._node
        return self._instance.node(node.made() if isinstance(node, PendingNode) else node)
