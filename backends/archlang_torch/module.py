"""Plain modules that run a program's blocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

# What is called: the path of a child module, or a function and whether it asks for the mode.
Step = tuple[tuple[str, ...], Callable[..., Any] | None, bool, tuple[int, ...], int | tuple[int, ...]]


class Block(nn.Module):
    """A block of a program: its layers and inner blocks are children, its steps run in order.

    Values live in registers that are used again once a value is dead; steps name their children
    by path, so that a child may be replaced.
    """

    _kind: str
    _steps: tuple[Step, ...] = ()
    _spare: tuple[None, ...] = ()
    _results: tuple[int, ...] = ()

    def __init__(self, kind: str) -> None:
        super().__init__()
        # Past `nn.Module.__setattr__`, which looks for parameters in every value.
        self.__dict__["_kind"] = kind

    def _run(self, inputs: tuple[Any, ...]) -> list[Any]:
        registers: list[Any] = [*inputs, *self._spare]
        for path, function, training, sources, target in self._steps:
            given = [registers[source] for source in sources]
            if function is None:
                module: Any = self
                for name in path:
                    module = module._modules[name]
                result = module(*given)
            elif training:
                result = function(*given, training=self.training)
            else:
                result = function(*given)
            if isinstance(target, int):
                registers[target] = result
            else:
                for register, value in zip(target, result, strict=True):
                    registers[register] = value
        return [registers[register] for register in self._results]

    def forward(self, *inputs: Any) -> Any:
        results = self._run(inputs)
        return results[0] if len(results) == 1 else tuple(results)

    def _get_name(self) -> str:
        return self._kind


class Network(Block):
    """A whole program. Takes the graph's inputs in order; gives the output, or a dictionary of
    outputs where they have names. It is `batched` when inputs are samples, independent of each other."""

    def __init__(self, kind: str, inputs: tuple[str, ...], outputs: tuple[str, ...], batched: bool = True) -> None:
        super().__init__(kind)
        self._inputs = inputs
        self._outputs = outputs
        self.batched = batched

    def forward(self, *inputs: Any) -> Any:
        if len(inputs) != len(self._inputs):
            names = ", ".join(self._inputs)
            raise TypeError(f"{self._kind} takes {len(self._inputs)} inputs ({names}), not {len(inputs)}")
        results = self._run(inputs)
        return results[0] if self._outputs == ("",) else dict(zip(self._outputs, results, strict=True))
