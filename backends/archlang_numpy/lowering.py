"""What ops are in numpy: functions of inputs, weights and attributes.

`@function("linear", weights=("kernel", "bias"), unused=("out",))` declares the function below it.
Its positional parameters are the op's inputs; keyword-only ones are the op's weights, None where the
op has them under a condition, and attributes. A weight hides an attribute of its name. `unused` are
attributes that say nothing about what is computed. The function neither writes into its inputs nor
changes their type, so that in float64 it is the op's reference.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar

import attrs
import numpy as np
from numpy.typing import NDArray

from archlang.backend import unsupported_error
from archlang.ir.graph import Operation
from archlang.lowering.declared import Call, Function, Infix, Lowerings
from archlang.lowering.source import in_place

Array = NDArray[Any]

# numpy has no bfloat16: its values are kept and computed in single precision.
DTYPES: dict[str, type[np.generic]] = {
    "f16": np.float16,
    "bf16": np.float32,
    "f32": np.float32,
    "f64": np.float64,
    "i8": np.int8,
    "i16": np.int16,
    "i32": np.int32,
    "i64": np.int64,
    "u8": np.uint8,
    "bool": np.bool_,
}

LOWERINGS = Lowerings("numpy")
infix = LOWERINGS.infix
F = TypeVar("F", bound=Call)


@attrs.frozen(slots=False)
class ArrayFunction(Function):
    """An op as a function of its inputs, weights and attributes."""

    weights: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()

    @cached_property
    def attributes(self) -> tuple[str, ...]:
        given = inspect.signature(self.function).parameters.values()
        return tuple([p.name for p in given if p.kind is p.KEYWORD_ONLY and p.name not in self.weights])

    @cached_property
    def passes(self) -> bool:
        """Whether the result is the input."""
        one = len(inspect.signature(self.function).parameters) == 1
        return one and in_place(self.function, ("x",), {}) == "x"

    def refuses(self, operation: Operation) -> str | None:
        known = {*self.attributes, *self.weights, *self.unused}
        given = [name for name, _ in operation.attributes] + [weight.name for weight in operation.weights]
        unknown = ", ".join(f"`{name}`" for name in given if name not in known)
        return f"does not know {unknown} of op `{operation.name}`" if unknown else None

    def call(self, operation: Operation) -> Call:
        given = dict(self.slots(operation))

        def apply(*inputs: Array, **weights: Array) -> Array:
            result: Array = self.function(*inputs, **weights, **given)
            return result

        return apply

    def slots(self, operation: Operation) -> tuple[tuple[str, Any], ...]:
        return tuple([(name, value) for name, value in operation.attributes if name in self.attributes])


def function(*ops: str, weights: tuple[str, ...] = (), unused: tuple[str, ...] = ()) -> Callable[[F], F]:
    """Lower ops to the function below."""

    def register(declared: F) -> F:
        for op in ops:
            LOWERINGS.add(op, ArrayFunction(declared, weights, unused))
        return declared

    return register


def reference(operation: Operation) -> Callable[..., Array]:
    """The operation as a function of its inputs and, by name, its weights, in the type that they have.

    This is the op at inference. Raises ArchError (E0803) when it has no lowering.
    """
    lowered = LOWERINGS.get(operation.name)
    reason = LOWERINGS.refusal(operation)
    if reason is not None:
        raise unsupported_error("numpy", {operation.name: (reason, [operation.name])})
    assert isinstance(lowered, ArrayFunction | Infix)
    return lowered.call(operation)
