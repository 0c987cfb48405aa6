"""The varied graph of a space as a supernet sees it: its decisions, its results, and the weights that all
its programs share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import attrs

from archlang.ir.graph import Graph, Input, Operation, WeightSpec
from archlang.ir.types import TensorType
from archlang.relax.kernels import Chain, Step, chain, transformed
from archlang.semantics.costs import in_order
from archlang.semantics.decision import Decision, Integers, Pick, Reals, Subsets
from archlang.semantics.diagram import Diagram, Diagrams, Value, leaves, support
from archlang.semantics.fault import Fault
from archlang.semantics.graphs import Specialiser
from archlang.semantics.operations import operation
from archlang.semantics.values import OpNode, SelectNode, Symbolic, Tensor
from archlang.space.choices import Choices
from archlang.space.space import Space


@attrs.frozen
class Taken:
    """What a form of an op takes of a shared weight: entries (None: all), and the steps that lead from
    these to its kernel, where that is a transformed one."""

    where: tuple[slice, ...] | None
    steps: tuple[Step, ...] = ()


@attrs.frozen
class Shared:
    """The weights of an op that all its forms share: of each the largest size in every dimension.

    `home` is the op's address, `operations` are the forms, each once, `specs` the weights by name; where
    smaller kernels are transformed, `chain` says how, and the matrices are among the weights.
    """

    home: str
    operations: tuple[Operation, ...]
    specs: Mapping[str, WeightSpec]
    chain: Chain | None = None

    def taken(self, spec: WeightSpec) -> Taken:
        """What a form takes of a weight."""
        whole = self.specs[spec.name].shape
        if self.chain is None or spec.name != self.chain.weight:
            return Taken(_window(whole, spec))
        full = attrs.evolve(spec, shape=(*spec.shape[:-2], *whole[-2:]))
        return Taken(_window(whole, full), self.chain.steps(spec.shape[-1]))


class Varied:
    """A space evaluated once with all alternatives kept.

    `apart` says which ops with several forms have weights for each form: True for all, or the addresses
    of decisions. With `kernel_transform` smaller kernels are made of larger ones by trained matrices (see
    `relax.kernels`). ArchError (E0504) for a space that cannot be evaluated so.
    """

    def __init__(self, space: Space, apart: bool | Iterable[str] = False, kernel_transform: bool = False):
        once = space.analysis.once
        if once is None:
            raise space.analysis.unknown(f"`{space.name}` cannot be made one network of all its programs")
        self.space = space
        self._once = once
        self._evaluated = once.evaluated
        self._apart = apart if isinstance(apart, bool) else frozenset(apart)
        self._kernel_transform = kernel_transform
        # What is known of nodes by their identities, which stay taken.
        self._elements: dict[int, tuple[SelectNode, dict[int, Tensor] | None]] = {}
        self._forms_of: dict[int, tuple[OpNode, list[Operation]]] = {}

    @property
    def diagrams(self) -> Diagrams:
        return self._evaluated.evaluator.diagrams

    @property
    def inputs(self) -> tuple[Input, ...]:
        return self._evaluated.inputs

    @cached_property
    def results(self) -> dict[str, Value]:
        """Tensors by name, or diagrams of tensors and None."""
        return self._evaluated.tensors

    @cached_property
    def tensors(self) -> list[Tensor]:
        """Every tensor that a result may need, each after those that it is made of."""
        return in_order([leaf for value in self.results.values() for leaf in leaves(value) if type(leaf) is Tensor])

    @cached_property
    def decisions(self) -> dict[int, Decision]:
        """The decisions of the space by their variables."""
        return {number: variable.decision for number, variable in self._once.variables.items()}

    def is_made(self, variable: int, positions: Mapping[int, Sequence[int]]) -> bool:
        """Whether a decision is made by some program that has one of these picks for each of some variables."""
        stack, seen = [self._evaluated.needs.get(variable, False)], set()
        while stack:
            here = stack.pop()
            if here is True:
                return True
            if type(here) is Diagram and id(here) not in seen:
                seen.add(id(here))
                stack.extend(here.kids[p] for p in positions.get(here.var, range(len(here.kids))))
        return False

    def positions(self, choices: Choices) -> dict[int, tuple[int]]:
        """The position of the pick of every variable; decisions that the program does not make have 0."""
        found: dict[int, tuple[int]] = {}

        def position(number: int) -> int:
            if number not in found:
                found[number] = (self._position(number, choices, position),)
            return found[number][0]

        for number in (*self._once.variables, *self._once.budgets):
            position(number)
        return found

    def _position(self, number: int, choices: Choices, position: Callable[[int], int]) -> int:
        if number in self._once.budgets:
            return 0 if self._once.budgets[number].kept(position) else 1
        variable = self._once.variables[number]
        pick = choices.get(variable.decision.address)
        if pick is None or variable.wide:
            return 0
        try:
            return variable.decision.domain.index(pick)
        except ValueError:  # another decision of that address, with other alternatives
            return 0

    def elements(self, node: SelectNode) -> dict[int, Tensor] | None:
        """The summands by element, where a select's kids are the sums of what a subset decision picks."""
        known = self._elements.get(id(node))
        if known is None:
            known = self._elements[id(node)] = node, self._summands(node)
        return known[1]

    def _summands(self, node: SelectNode) -> dict[int, Tensor] | None:
        domain = self.decisions[node.var].domain if node.var in self.decisions else None
        if not isinstance(domain, Subsets):
            return None
        found: dict[int, Tensor] = {}
        for pick, kid in zip(domain.picks(), node.kids, strict=True):
            if type(kid) is Fault:
                return None
            made_by = kid.node
            is_sum = len(pick) > 1 and type(made_by) is OpNode and made_by.op.declaration.name == "add"
            given = made_by.inputs if is_sum else (kid,)
            if len(given) != len(pick):
                return None
            for element, tensor in zip(pick, given, strict=True):
                if found.setdefault(element, tensor).node is not tensor.node:
                    return None
        return found

    def number(self, value: Symbolic, picks: Mapping[str, Any]) -> Value:
        """A number for the picks of decisions with too many to list; the middle of those not given."""
        given = {address: picks.get(address, self._middles.get(address)) for address in value.decisions}
        return Specialiser(lambda variable: 0, given).value(value)

    @cached_property
    def _middles(self) -> dict[str, Pick]:
        found: dict[str, Pick] = {}
        for variable in self._once.variables.values():
            domain = variable.decision.domain
            if isinstance(domain, Reals):
                found[variable.decision.address] = domain.at(0.5)
            elif isinstance(domain, Integers):
                found[variable.decision.address] = domain.pick(domain.size // 2)
        return found

    # ---------------------------------------------------------------- weights

    @cached_property
    def weights(self) -> dict[str, Shared]:
        """The weights of all programs by the address of their op."""
        forms: dict[tuple[str, str], dict[Operation, None]] = {}
        for tensor in self.tensors:
            if type(tensor.node) is OpNode:
                for work in self._forms(tensor.node):
                    if work.weights:
                        at = self.weights_at(tensor.node, work), tensor.node.weights_at
                        forms.setdefault(at, {})[work] = None
        return {at: self._shared(home, tuple(found)) for (at, home), found in forms.items()}

    def _shared(self, home: str, operations: tuple[Operation, ...]) -> Shared:
        specs = _largest(operations)
        found = chain(operations) if self._kernel_transform else None
        return Shared(home, operations, specs if found is None else specs | found.matrices, found)

    def weights_at(self, node: OpNode, work: Operation) -> str:
        """The address of the weights of an op in one of its forms."""
        if not self._apart or (self._apart is not True and not self._hangs_from(node)):
            return node.weights_at
        forms = self._forms(node)
        return node.weights_at + _told_apart(work, forms) if len(forms) > 1 else node.weights_at

    def _hangs_from(self, node: OpNode) -> bool:
        assert not isinstance(self._apart, bool)
        used = support(*node.config, *(dim for given in node.inputs for dim in given.shape))
        return any(self.decisions[number].address in self._apart for number in used if number in self.decisions)

    def _forms(self, node: OpNode) -> list[Operation]:
        """Every operation that an op may be, each once."""
        known = self._forms_of.get(id(node))
        if known is None:
            dims = [dim for given in node.inputs for dim in given.shape]
            made = self.diagrams.lift(partial(self._form, node), *node.config, *dims)
            found = dict.fromkeys(leaf for leaf in leaves(made) if type(leaf) is not Fault)
            known = self._forms_of[id(node)] = node, list(found)
        return known[1]

    def _form(self, node: OpNode, *values: Any) -> Operation:
        count = len(node.config)
        config = tuple(self.number(value, {}) if isinstance(value, Symbolic) else value for value in values[:count])
        sizes = iter(values[count:])
        types = tuple(TensorType(given.dtype, tuple(next(sizes) for _ in given.shape)) for given in node.inputs)
        return operation(node.op, config, types)

    def slices(self, graph: Graph, weights: Mapping[str, Any]) -> dict[str, Any]:
        """The weights of a program by address, cut out of the shared ones (arrays by address)."""
        forms = {(shared.home, work): at for at, shared in self.weights.items() for work in shared.operations}
        found = {}
        for node in graph.nodes:
            for spec in node.operation.weights:
                at = forms[node.weights_at, node.operation]
                whole, taken = weights[f"{at}.{spec.name}"], self.weights[at].taken(spec)
                part = whole if taken.where is None else whole[taken.where]
                matrices = partial(_named, weights, at)
                found[f"{node.weights_at}.{spec.name}"] = transformed(part, taken.steps, matrices)
        return found


def _largest(operations: Iterable[Operation]) -> dict[str, WeightSpec]:
    """Each weight in the largest size of every dimension; drawn as where it has most elements."""
    found: dict[str, WeightSpec] = {}
    for work in operations:
        for weight in work.weights:
            known = found.get(weight.name, weight)
            larger = weight if weight.elements > known.elements else known
            shape = tuple(map(max, known.shape, weight.shape))
            found[weight.name] = attrs.evolve(larger, shape=shape, fan_in=max(known.fan_in, weight.fan_in))
    return found


def _named(weights: Mapping[str, Any], at: str, name: str) -> Any:
    return weights[f"{at}.{name}"]


def _window(whole: tuple[int, ...], spec: WeightSpec) -> tuple[slice, ...] | None:
    """The part of a shared weight that a form of its op takes: leading entries or, where the op's
    declaration says so, the centre. None for all of it."""
    if tuple(whole) == spec.shape:
        return None
    centred = spec.centred or (False,) * len(spec.shape)
    starts = [(large - small) // 2 if c else 0 for large, small, c in zip(whole, spec.shape, centred, strict=True)]
    return tuple(slice(start, start + size) for start, size in zip(starts, spec.shape, strict=True))


def _told_apart(work: Operation, forms: list[Operation]) -> str:
    """What tells a form of an op from the others: the attributes that differ and, where these are not
    enough, the shape of its first weight."""
    names = [name for name, _ in work.attributes if len({form.attribute(name) for form in forms}) > 1]

    def label(form: Operation) -> str:
        return ",".join(f"{name}={form.attribute(name)}" for name in names)

    alike = [form for form in forms if label(form) == label(work)]
    shape = "" if len(alike) == 1 else "x".join(map(str, work.weights[0].shape))
    return "@" + ",".join(part for part in (label(work), shape) if part)
