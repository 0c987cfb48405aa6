"""Lowerings: what an op is in a framework. One declaration serves building and emitting.

A lowering is ordinary code of the framework that `build` calls and `emit` copies:

* `@function("relu")` on a function: inputs are its positional parameters, attributes its
  keyword-only ones (`training` is the module's mode). A body of one `return` is written in place
  where the op is applied; any other is copied into the emitted file as a helper.
* `@layer("linear", channels=-1, names={"kernel": "weight"}, init=...)` for an op with weights, on a
  function that returns a call of a constructor, such as `nn.Linear(channels, out, bias=bias)`: the
  call is written where the layer is made. Its parameters are the op's attributes, the sizes named in
  the decorator (here `channels`, the last axis of the first input) and, if it asks for it, `rank`,
  the number of the first input's dimensions. `names` says which parameter or buffer of the layer
  holds a weight or state of another name. On a class of one's own it stands for a function that
  calls the constructor; the class is copied.
* `infix("add", "+", operator.add)` for a binary operator over two or more inputs.
* `decompose("pad")` on a function from an operation to the chain of operations that do it.
* `unsupported("attention", "has no ...")` for an op that the framework cannot do.

An op is one of the three: see `Lowerings.matrix`.

These are methods of the backend's `Lowerings`. A new op is one such declaration in a file of the
backend, or anywhere that is imported before building.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Container, Mapping
from functools import cached_property, partial
from typing import Any, TypeVar

import attrs

from archlang.backend import unsupported_error
from archlang.ir.graph import Graph, Node, Operation, Output
from archlang.lowering.library import library_ops

Call = Callable[..., Any]
F = TypeVar("F", bound=Call)

LOWERED, DECOMPOSED, UNSUPPORTED = "lowered", "decomposed", "unsupported: "
TRAINING = "training"
RANK = "rank"


def fold(operator: Call, *xs: Any) -> Any:
    """The inputs combined from left to right."""
    result = xs[0]
    for x in xs[1:]:
        result = operator(result, x)
    return result


@attrs.frozen
class Infix:
    """An op written as an operator between its inputs."""

    symbol: str
    operator: Call

    def refuses(self, operation: Operation) -> str | None:
        return _unknown((), operation)

    def call(self, operation: Operation) -> Call:
        """The callable that takes the inputs."""
        return self.operator if len(operation.inputs) == 2 else partial(fold, self.operator)

    def slots(self, operation: Operation) -> tuple[tuple[str, Any], ...]:
        return ()


@attrs.frozen(slots=False)
class Function:
    """An op without weights, as a function of its inputs and attributes."""

    function: Call

    @cached_property
    def attributes(self) -> tuple[str, ...]:
        """The names of the op's attributes that the function takes."""
        given = inspect.signature(self.function).parameters.values()
        return tuple(p.name for p in given if p.kind is p.KEYWORD_ONLY and p.name != TRAINING)

    @cached_property
    def training(self) -> bool:
        """Whether the function depends on the module's mode."""
        return TRAINING in inspect.signature(self.function).parameters

    def refuses(self, operation: Operation) -> str | None:
        return _unknown(self.attributes, operation)

    def call(self, operation: Operation) -> Call:
        """The callable that takes the inputs (and `training`, where it is asked for)."""
        return partial(self.function, **dict(operation.attributes)) if operation.attributes else self.function

    def slots(self, operation: Operation) -> tuple[tuple[str, Any], ...]:
        return operation.attributes


@attrs.frozen(slots=False, eq=False)
class Layer:
    """An op with weights, as a module or layer of the framework.

    `factory` makes the layer: a class, or a function that returns a call of a constructor.
    `sizes` maps a parameter of the factory to the axis of the first input that it is the size of;
    `implied` has functions of some parameters that give the usual value of another one; `names`
    maps weights to the layer's own names for them where these differ; `init` holds the
    initialisers that the constructor applies to each weight, where a name among their numbers
    stands for the attribute of that name; `ranks` are the numbers of dimensions that the first
    input may have, all where empty; `axes` is the order in which a layer keeps the dimensions of a
    weight, where it is another one than the op's.
    """

    factory: Call
    sizes: Mapping[str, int]
    implied: Mapping[str, Call]
    names: Mapping[str, str]
    init: Mapping[str, tuple[Any, ...]]
    ranks: tuple[int, ...] = ()
    axes: Mapping[str, tuple[int, ...]] = attrs.field(factory=dict)

    @cached_property
    def parameters(self) -> dict[str, inspect.Parameter]:
        """The factory's parameters by name."""
        return dict(inspect.signature(self.factory).parameters)

    def refuses(self, operation: Operation) -> str | None:
        rank = len(operation.inputs[0].shape)
        if self.ranks and rank not in self.ranks:
            return f"has no layer for op `{operation.name}` on {rank} dimensions"
        return _unknown(tuple(self.parameters), operation)

    def rank(self, operation: Operation) -> int | None:
        """The number of the input's dimensions where the module depends on it."""
        return len(operation.inputs[0].shape) if RANK in self.parameters else None

    def config(self, operation: Operation) -> dict[str, Any]:
        """The factory's arguments."""
        found: dict[str, Any] = {name: operation.inputs[0].shape[axis] for name, axis in self.sizes.items()}
        if RANK in self.parameters:
            found[RANK] = self.rank(operation)
        found.update(operation.attributes)
        return found

    def name(self, weight: str) -> str:
        """The layer's own name for a weight or state."""
        return self.names.get(weight, weight)

    def start(self, operation: Operation, weight: str) -> tuple[Any, ...] | None:
        """The initialiser that the constructor applies to a weight; None when it knows no such weight."""
        init = self.init.get(weight)
        if init is None:
            return None
        attributes = dict(operation.attributes)
        return (init[0], *(attributes[part] if isinstance(part, str) else part for part in init[1:]))

    def slots(self, operation: Operation) -> tuple[tuple[str, Any], ...]:
        """The factory's arguments in its order, without the rank and those with their implied value."""
        config = self.config(operation)
        return tuple(
            [
                (name, config[name])
                for name in self.parameters
                if name in config and name != RANK and not self._is_implied(name, config)
            ]
        )

    def _is_implied(self, name: str, config: Mapping[str, Any]) -> bool:
        rule = self.implied.get(name)
        return rule is not None and config[name] == rule(
            **{other: config[other] for other in inspect.signature(rule).parameters}
        )


Lowering = Infix | Function | Layer

# The operations that do an op one after another, each with what it adds to the address ("" for that
# which has the op's weights). All but the first take the result before them.
Chain = tuple[tuple[str, Operation], ...]


class Lowerings:
    """All lowerings of one backend."""

    def __init__(self, backend: str) -> None:
        self.backend = backend
        self._lowerings: dict[str, Lowering] = {}
        self._unsupported: dict[str, str] = {}
        self._decompositions: dict[str, Callable[[Operation], Chain]] = {}

    def get(self, op: str) -> Lowering | None:
        """The lowering of an op by its name."""
        return self._lowerings.get(op)

    def is_layer(self, op: str) -> bool:
        return isinstance(self._lowerings.get(op), Layer)

    @property
    def ops(self) -> tuple[str, ...]:
        """The names of all ops that have a lowering."""
        return tuple(self._lowerings)

    @property
    def matrix(self) -> dict[str, str]:
        """Every op of the standard library that the backend knows of: "lowered", "decomposed", or
        "unsupported: " and the reason."""
        found: dict[str, str] = {}
        for op in library_ops():
            if op in self._lowerings:
                found[op] = LOWERED
            elif op in self._decompositions:
                found[op] = DECOMPOSED
            elif op in self._unsupported:
                found[op] = f"{UNSUPPORTED}{self._unsupported[op]}"
        return found

    def add(self, op: str, lowering: Lowering) -> None:
        """Lower an op in a way of the backend's own."""
        self._lowerings[op] = lowering

    def infix(self, op: str, symbol: str, operator: Call) -> None:
        """Lower an op to an operator between its inputs."""
        self._lowerings[op] = Infix(symbol, operator)

    def function(self, *ops: str) -> Callable[[F], F]:
        """Lower ops to the function below."""

        def register(declared: F) -> F:
            for op in ops:
                self._lowerings[op] = Function(declared)
            return declared

        return register

    def layer(
        self,
        op: str,
        *,
        init: Mapping[str, tuple[Any, ...]],
        names: Mapping[str, str] | None = None,
        implied: Mapping[str, Call] | None = None,
        ranks: tuple[int, ...] = (),
        axes: Mapping[str, tuple[int, ...]] | None = None,
        **sizes: int,
    ) -> Callable[[F], F]:
        """Lower an op with weights to the function or class below; `init` names all its weights.

        What the arguments mean is said at `Layer`.
        """

        def register(declared: F) -> F:
            self._lowerings[op] = Layer(declared, sizes, implied or {}, names or {}, init, ranks, axes or {})
            return declared

        return register

    def decompose(self, *ops: str) -> Callable[[F], F]:
        """Do ops by the operations that the function below gives for one."""

        def register(rule: F) -> F:
            for op in ops:
                self._decompositions[op] = rule
            return rule

        return register

    def unsupported(self, op: str, reason: str) -> None:
        """Declare that the framework cannot do an op; the reason completes "the ... backend ..."."""
        self._unsupported[op] = reason

    def decomposed(self, graph: Graph) -> Graph:
        """The graph with the ops that are decomposed as chains of others; weights stay where they are."""
        offset = len(graph.inputs)
        moved = list(range(offset))
        nodes: list[Node] = []
        chains: dict[int, Chain] = {}
        kept: dict[Operation, Operation] = {}
        for node in graph.nodes:
            operation = node.operation
            chain = chains.get(id(operation))
            if chain is None:
                rule = self._decompositions.get(operation.name)
                found: Chain = (("", operation),) if rule is None else rule(operation)
                chain = chains[id(operation)] = tuple([(at, kept.setdefault(op, op)) for at, op in found])
            inputs = tuple([moved[value] for value in node.inputs])
            for at, step in chain:
                nodes.append(Node(f"{node.address}{at}", step, inputs, f"{node.weights_at}{at}"))
                inputs = (offset + len(nodes) - 1,)
            moved.append(inputs[0])
        outputs = tuple([Output(output.name, moved[output.value]) for output in graph.outputs])
        return attrs.evolve(graph, nodes=tuple(nodes), outputs=outputs)

    def refusals(self, graph: Graph) -> dict[str, tuple[str, list[str]]]:
        """The graph's ops without lowering, or for which theirs does not serve, with addresses."""
        found: dict[str, tuple[str, list[str]]] = {}
        known: dict[int, str | None] = {}
        ranks: dict[str, int] = {}
        for node in graph.nodes:
            operation = node.operation
            lowered = self.get(operation.name)
            if id(operation) not in known:
                known[id(operation)] = self.refusal(operation)
            reason = known[id(operation)]
            rank = lowered.rank(operation) if isinstance(lowered, Layer) else None
            if rank is not None and ranks.setdefault(node.weights_at, rank) != rank:
                reason = f"cannot tie op `{operation.name}` between inputs of different ranks"
            if reason is not None:
                found.setdefault(operation.name, (reason, []))[1].append(node.address)
        return found

    def check(self, graph: Graph, given: Container[str] = ()) -> None:
        """ArchError (E0803) that names every op of the graph that cannot be lowered, but for those `given`
        as modules."""
        refused = {op: found for op, found in self.refusals(graph).items() if op not in given}
        if refused:
            raise unsupported_error(self.backend, refused)

    def refusal(self, operation: Operation) -> str | None:
        """Why an operation cannot be lowered, completing "the ... backend ..."; None when it can."""
        lowered = self.get(operation.name)
        if lowered is not None:
            return lowered.refuses(operation)
        return self._unsupported.get(operation.name, f"has no lowering for op `{operation.name}`")


def _unknown(known: tuple[str, ...], operation: Operation) -> str | None:
    unknown = [name for name, _ in operation.attributes if name not in known]
    if not unknown:
        return None
    names = ", ".join(f"`{name}`" for name in unknown)
    return f"does not know {names} of op `{operation.name}`"
