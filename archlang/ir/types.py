"""Tensor types of the IR: dtypes and shapes with a symbolic batch dimension."""

from __future__ import annotations

from functools import cached_property
from math import prod

import attrs

DTYPES = ("f16", "bf16", "f32", "f64", "i8", "i16", "i32", "i64", "u8", "bool")
BYTES = {"f16": 2, "bf16": 2, "f32": 4, "f64": 8, "i8": 1, "i16": 2, "i32": 4, "i64": 8, "u8": 1, "bool": 1}


@attrs.frozen
class SymbolicDim:
    """A dimension known only when data comes, times a known factor: `n`, `4 * n`."""

    name: str
    factor: int = 1

    def __str__(self) -> str:
        return self.name if self.factor == 1 else f"{self.factor} * {self.name}"


Dim = int | SymbolicDim


def per_sample(dim: Dim) -> int:
    """The dimension's size when every symbolic dimension is 1."""
    return dim if isinstance(dim, int) else dim.factor


@attrs.frozen
class TensorType:
    """A dtype and a shape."""

    dtype: str
    shape: tuple[Dim, ...]

    def __str__(self) -> str:
        return f"{self.dtype}[{', '.join(map(str, self.shape))}]"

    @cached_property
    def elements(self) -> int:
        """The number of elements for one sample."""
        return prod(per_sample(dim) for dim in self.shape)

    @cached_property
    def bytes(self) -> int:
        """The memory of the elements for one sample, in bytes."""
        return self.elements * BYTES[self.dtype]
