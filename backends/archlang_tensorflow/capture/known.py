"""What the calls of a model work on beside `Data`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import attrs
import keras
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Move = tuple[object, Callable[[Array], Array]]  # how elements are rearranged, and what tells it from others


@attrs.frozen(eq=False, slots=False)
class Known:
    """An array that no input decides: a variable, a constant, or what is worked out of them.

    `source` is the trained variable that it is worked out of (any of them, if of several), and `moves`
    how its elements were rearranged; None where anything else was done.
    """

    array: Array
    source: Any = None
    moves: tuple[Move, ...] | None = None

    @classmethod
    def variable(cls, variable: Any) -> Known:
        """A variable of a layer; what is not trained is constant."""
        array = np.asarray(keras.ops.convert_to_numpy(variable.value))
        return cls(array, variable, ()) if np.issubdtype(array.dtype, np.floating) else cls(array)

    @classmethod
    def constant(cls, tensor: Any) -> Known:
        return cls(np.asarray(keras.ops.convert_to_numpy(tensor)))

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.array.shape)

    @cached_property
    def places(self) -> Array | None:
        """For each element, which element of the variable it is; None where it is none."""
        if self.source is None or self.moves is None:
            return None
        shape = tuple(self.source.shape)
        places: Array = np.arange(int(np.prod(shape))).reshape(shape)
        for _, move in self.moves:
            places = move(places)
        return places

    @property
    def key(self) -> object:
        """Equal for the same elements of the same variable; None for what is worked out."""
        if self.source is None or self.moves is None:
            return None
        return id(self.source), tuple([name for name, _ in self.moves])

    def number(self) -> float | None:
        """The value of all elements; None where they differ or are a variable's."""
        if self.source is not None or self.array.size == 0:
            return None
        first = self.array.reshape(-1)[0]
        return float(first) if bool((self.array == first).all()) else None

    def apply(self, move: Callable[[Array], Array], name: object) -> Known:
        """The elements rearranged; moves of one name are the same."""
        moves = None if self.moves is None else (*self.moves, (name, move))
        return Known(move(self.array), self.source, moves)

    def reshaped(self, shape: tuple[int, ...]) -> Known:
        return self.apply(lambda a: a.reshape(shape), ("reshape", shape))

    def transposed(self, axes: tuple[int, ...]) -> Known:
        return self.apply(lambda a: a.transpose(axes), ("transpose", axes))
