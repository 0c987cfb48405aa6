"""Registers for the values of a running block."""

from __future__ import annotations

from archlang.ir.raising import BlockInstance


class Registers:
    """Registers for a block's values, each used again after the last use of its value."""

    def __init__(self, instance: BlockInstance) -> None:
        self._instance = instance
        self._last: dict[int, int] = {}
        for position, step in enumerate(instance.body):
            for value in step.inputs:
                self._last[value] = position
        for value in instance.outputs:
            self._last[value] = len(instance.body)
        self._at = list(range(instance.inputs))
        self._free = [value for value in range(instance.inputs) if value not in self._last]
        self.size = instance.inputs

    def take(self, position: int) -> tuple[int, ...]:
        """The registers of a step's inputs; those that die there are free afterwards."""
        inputs = self._instance.body[position].inputs
        found = tuple([self._at[value] for value in inputs])
        for value in dict.fromkeys(inputs):
            if self._last[value] == position:
                self._free.append(self._at[value])
        return found

    def give(self, position: int) -> int | tuple[int, ...]:
        """The registers for a step's results."""
        results = self._instance.body[position].results
        if results == 1:
            return self._new()
        return tuple([self._new() for _ in range(results)])

    def _new(self) -> int:
        if self._free:
            register = self._free.pop()
        else:
            register = self.size
            self.size += 1
        value = len(self._at)
        self._at.append(register)
        if value not in self._last:  # a result that nobody uses
            self._last[value] = -1
        return register

    @property
    def results(self) -> tuple[int, ...]:
        return tuple([self._at[value] for value in self._instance.outputs])
