"""What networks are made of, by number: operations, and the labels of their nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archlang.ir.graph import Operation

if TYPE_CHECKING:
    from archlang.space.distinct.rows import Array


class Catalogue:
    """Numbers operations and labels as they come. Nodes have equal labels when their operations
    compute the same (`Operation.signature`)."""

    def __init__(self) -> None:
        self.commutative: list[bool] = []  # by label: whether the order of inputs does not count
        self._labels: dict[Any, int] = {}
        self._numbers: dict[Operation, int] = {}
        self._facts: list[tuple[int, ...]] = []

    def label(self, thing: Any, commutative: bool = False) -> int:
        """The number of a label."""
        found = self._labels.setdefault(thing, len(self.commutative))
        if found == len(self.commutative):
            self.commutative.append(commutative)
        return found

    def number(self, operation: Operation) -> int:
        """The number of an operation."""
        found = self._numbers.setdefault(operation, len(self._facts))
        if found == len(self._facts):
            traits = operation.traits
            commutes = "commutative" in traits
            unchanged = bool(operation.inputs) and operation.output == operation.inputs[0]
            label = self.label((operation.signature, commutes), commutes)
            identity, stochastic = "identity" in traits and unchanged, "stochastic" in traits
            self._facts.append((label, commutes, identity, stochastic, bool(operation.weights)))
        return found

    def fact(self, number: int) -> tuple[int, ...]:
        """What `facts` says of one operation."""
        return self._facts[number]

    @property
    def facts(self) -> Array:
        """For each operation its label, and whether it is commutative, an identity, stochastic, and
        has weights."""
        import numpy as np  # only counting needs it

        return np.array(self._facts, dtype=np.int64).reshape(-1, 5)
