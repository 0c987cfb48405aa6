"""A space as one module that holds all its programs."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import attrs
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from archlang.ir.graph import Operation
from archlang.lowering.declared import Function, Layer
from archlang.relax.plan import ALL, Active, Apply, Mix, Plan, path, plan
from archlang.relax.varied import Varied
from archlang.space.choices import Choices
from archlang.space.program import Program
from archlang_torch.lowering import LOWERINGS
from archlang_torch.supernet.mixing import weighted_sum
from archlang_torch.supernet.sharing import Sliced, holders, layer_of

Array = NDArray[Any]

KEPT = 64  # plans that are kept to be run again

# The weights of mixtures: for a decision's variable those of its picks or (True) of its elements. None:
# they are all one.
Weights = Mapping[tuple[int, bool], Tensor | None]


@attrs.frozen(eq=False)
class _Ready:
    """A plan with what it calls: for each step the function, its inputs, and the values not needed after."""

    plan: Plan
    steps: tuple[tuple[Callable[..., Any], tuple[int, ...], tuple[int, ...]], ...]


class Supernet(nn.Module):
    """All programs of a space in one network, whose weights they share.

    Parameters and buffers are named as in a program: by the address of the op (dots written as `_`), then
    by the layer's name for them.
    """

    def __init__(self, varied: Varied, seed: int = 0) -> None:
        super().__init__()
        self.varied = varied
        self._holders = holders(varied.weights, seed)
        for at, holder in self._holders.items():
            self._modules[at.replace(".", "_")] = holder
        self._plans: OrderedDict[Any, _Ready] = OrderedDict()
        self._sliced: dict[tuple[str, Operation], Callable[..., Any]] = {}
        self._weights: Weights = {}
        self._ghosts = False

    # ---------------------------------------------------------------- running

    def path(self, choices: Choices, *inputs: Tensor) -> Any:
        """What the program of some choices computes with the shared weights."""
        ready = self._ready(choices, lambda: path(self.varied, choices, _is_pure))
        return self._run(ready, inputs)

    def mixed(self, weights: Weights, *inputs: Tensor, active: Active = ALL, ghosts: bool = False) -> Any:
        """What the mixture of the active alternatives computes, with the weights of all; `ghosts`: see
        `archlang.relax.engine.Draw`."""
        key = tuple((variable, tuple(positions)) for variable, positions in active.items())
        ready = self._ready(key, lambda: plan(self.varied, active, is_pure=_is_pure))
        self._weights, self._ghosts = weights, ghosts
        try:
            return self._run(ready, inputs)
        finally:
            self._weights, self._ghosts = {}, False

    def _run(self, ready: _Ready, inputs: Sequence[Tensor]) -> Any:
        values: list[Any] = [*inputs, *[None] * len(ready.steps)]
        number = len(inputs)
        for function, sources, dead in ready.steps:
            values[number] = function(*[values[source] for source in sources])
            for each in dead:
                values[each] = None
            number += 1
        results = {name: values[value] for name, value in ready.plan.outputs}
        return results[""] if [*results] == [""] else results

    # ---------------------------------------------------------------- weights

    def arrays(self) -> dict[str, Array]:
        """The shared weights and states by address."""
        found = {}
        for at, name, tensor in self._tensors():
            tensor = tensor.detach().cpu()
            found[f"{at}.{name}"] = (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy().copy()
        return found

    def set_arrays(self, arrays: Mapping[str, Array]) -> None:
        """Give the shared weights and states values by address, as `arrays` has them."""
        with torch.no_grad():
            for at, name, tensor in self._tensors():
                tensor.copy_(torch.from_numpy(arrays[f"{at}.{name}"]))

    def _tensors(self) -> Iterator[tuple[str, str, Tensor]]:
        for at, shared in self.varied.weights.items():
            holder, lowered = self._holders[at], layer_of(shared.operations[0])
            for name, spec in shared.specs.items():
                tensor = (holder._parameters if spec.trained else holder._buffers)[lowered.name(name)]
                assert tensor is not None
                yield at, name, tensor

    def program(self, choices: Mapping[str, Any]) -> Program:
        """The program of some choices with the weights that its path has here: `build` gives them to the
        network of any backend. ArchError when the choices do not fit."""
        program = self.varied.space.program(choices)
        return program.with_weights(self.varied.slices(program.graph, self.arrays()))

    # ------------------------------------------------------------------ plans

    def _ready(self, key: Any, make: Callable[[], Plan]) -> _Ready:
        ready = self._plans.get(key)
        if ready is None:
            made = make()
            steps = [(self._function(step), step.inputs) for step in made.steps]
            dead = _last_uses(made)
            ready = self._plans[key] = _Ready(made, tuple((*step, dead[n]) for n, step in enumerate(steps)))
            if len(self._plans) > KEPT:
                self._plans.popitem(last=False)
        else:
            self._plans.move_to_end(key)
        return ready

    def _function(self, step: Apply | Mix) -> Callable[..., Any]:
        if isinstance(step, Mix):
            return partial(self._mixed, (step.variable, step.by_element), [entry for entry, _ in step.parts])
        work = step.operation
        if step.at:
            if len(self.varied.weights[step.at].operations) == 1:
                return self._holders[step.at]
            found = self._sliced.get((step.at, work))
            if found is None:
                found = self._sliced[step.at, work] = Sliced(self._holders[step.at], self.varied.weights[step.at], work)
            return found
        lowered = LOWERINGS.get(work.name)
        if lowered is None or isinstance(lowered, Layer):
            raise TypeError(f"op `{work.name}` has no weights: its lowering must not be a layer")
        call = lowered.call(work)
        if isinstance(lowered, Function) and lowered.training:
            return lambda *given: call(*given, training=self.training)
        return call

    def _mixed(self, key: tuple[int, bool], entries: list[int], *values: Tensor) -> Tensor:
        weights = self._weights[key]
        if weights is None:
            return weighted_sum(None, values)
        own = weights if len(entries) == len(weights) else weights[entries]
        total = weighted_sum(own, values)
        return total + (weights.sum() - own.sum()) if self._ghosts and own is not weights else total

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_plans": OrderedDict(), "_sliced": {}}


def _is_pure(operation: Operation) -> bool:
    lowered = LOWERINGS.get(operation.name)
    return not (isinstance(lowered, Function) and lowered.training)


def _last_uses(plan: Plan) -> list[tuple[int, ...]]:
    """For each step the values that nothing needs after it."""
    kept = {value for _, value in plan.outputs}
    seen: set[int] = set()
    found: list[tuple[int, ...]] = []
    for step in reversed(plan.steps):
        dead = [value for value in dict.fromkeys(step.inputs) if value not in seen and value not in kept]
        seen.update(dead)
        found.append(tuple(dead))
    return found[::-1]
