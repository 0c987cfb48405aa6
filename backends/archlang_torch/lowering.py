"""Lowerings: what an op is in PyTorch. One declaration serves building and emitting.

A lowering is ordinary PyTorch code that `build` calls and `emit` copies:

* `@function("relu")` on a function: inputs are its positional parameters, attributes its
  keyword-only ones (`training` is the module's mode). A body of one `return` is written in place
  where the op is applied; any other is copied into the emitted file as a helper.
* `@layer("conv2d", channels=1)` on an `nn.Module` for an op with weights: its parameters and
  buffers have the names of the op's weights and states, its constructor takes the op's attributes
  and the sizes named in the decorator (here `channels`, axis 1 of the first input). What `forward`
  reads apart from weights are constructor arguments, kept under their own names.
* `infix("add", "+", operator.add)` for a binary operator over two or more inputs.

A new op is one such declaration in a file of `archlang_torch.ops`, or anywhere that is imported
before building.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import Any, TypeVar

import attrs
from torch import Tensor, nn

from archlang.ir.graph import Operation

Call = Callable[..., Any]
F = TypeVar("F", bound=Call)
C = TypeVar("C", bound=type[nn.Module])

TRAINING = "training"


def fold(operator: Call, *xs: Tensor) -> Tensor:
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


@attrs.frozen(slots=False)
class Layer:
    """An op with weights, as a module.

    `sizes` maps a constructor parameter to the axis of the first input that it is the size of;
    `implied` gives, from the attributes, the value that a parameter has when it is left out;
    `init` holds the initialisers that the constructor applies; a name among their numbers stands
    for the attribute of that name.
    """

    module: type[nn.Module]
    sizes: Mapping[str, int]
    implied: Mapping[str, Callable[[Mapping[str, Any]], Any]]
    init: Mapping[str, tuple[Any, ...]]

    @cached_property
    def parameters(self) -> dict[str, inspect.Parameter]:
        """The constructor's parameters by name, without `self`."""
        parameters = dict(inspect.signature(self.module.__init__).parameters)
        del parameters["self"]
        return parameters

    def refuses(self, operation: Operation) -> str | None:
        return _unknown(tuple(self.parameters), operation)

    def config(self, operation: Operation) -> dict[str, Any]:
        """The constructor's arguments."""
        found: dict[str, Any] = {name: operation.inputs[0].shape[axis] for name, axis in self.sizes.items()}
        found.update(operation.attributes)
        return found

    def state(self, operation: Operation) -> dict[str, Any]:
        """What the constructor keeps besides weights: its arguments, except those of a weight's name
        (`kernel` is a size and a weight)."""
        return {name: value for name, value in self.config(operation).items() if name not in self.init}

    def start(self, operation: Operation, weight: str) -> tuple[Any, ...] | None:
        """The initialiser that the constructor applies to a weight; None when it knows no such weight."""
        init = self.init.get(weight)
        if init is None:
            return None
        attributes = dict(operation.attributes)
        return (init[0], *(attributes[part] if isinstance(part, str) else part for part in init[1:]))

    def slots(self, operation: Operation) -> tuple[tuple[str, Any], ...]:
        """The constructor's arguments in its order; None for an implied value."""
        config = self.config(operation)
        found = []
        for name in self.parameters:
            if name in config:
                implied = name in self.implied and config[name] == self.implied[name](config)
                found.append((name, None if implied else config[name]))
        return tuple(found)


Lowering = Infix | Function | Layer

_LOWERINGS: dict[str, Lowering] = {}


def lowering(op: str) -> Lowering | None:
    """The lowering of an op by its name."""
    return _LOWERINGS.get(op)


def lowered_ops() -> tuple[str, ...]:
    """The names of all ops that have a lowering."""
    return tuple(_LOWERINGS)


def infix(op: str, symbol: str, operator: Call) -> None:
    """Lower an op to an operator between its inputs."""
    _LOWERINGS[op] = Infix(symbol, operator)


def function(*ops: str) -> Callable[[F], F]:
    """Lower ops to the function below."""

    def register(declared: F) -> F:
        for op in ops:
            _LOWERINGS[op] = Function(declared)
        return declared

    return register


def layer(
    op: str,
    *,
    init: Mapping[str, tuple[Any, ...]],
    implied: Mapping[str, Callable[[Mapping[str, Any]], Any]] | None = None,
    **sizes: int,
) -> Callable[[C], C]:
    """Lower an op with weights to the module class below; `init` names all its weights."""

    def register(declared: C) -> C:
        _LOWERINGS[op] = Layer(declared, sizes, implied or {}, init)
        return declared

    return register


def _unknown(known: tuple[str, ...], operation: Operation) -> str | None:
    unknown = [name for name, _ in operation.attributes if name not in known]
    if not unknown:
        return None
    names = ", ".join(f"`{name}`" for name in unknown)
    return f"does not know {names} of op `{operation.name}`"
