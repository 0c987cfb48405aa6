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
from archlang.relax.plan import ALL, Active, Apply, Mix, Plan, Step, path, plan
from archlang.relax.varied import Varied
from archlang.space.choices import Choices
from archlang.space.program import Program
from archlang_torch.lowering import LOWERINGS
from archlang_torch.supernet.fusing import NormedMix, fused
from archlang_torch.supernet.mixing import weighted_sum
from archlang_torch.supernet.norms import mixed_norms
from archlang_torch.supernet.sharing import Elastic, Sliced, holders, layer_of, run_by

Array = NDArray[Any]

KEPT = 64  # plans that are kept to be run again

# The weights of mixtures: for a decision's variable those of its picks or (True) of its elements. None:
# they are all one.
Weights = Mapping[tuple[int, bool], Tensor | None]


@attrs.frozen(eq=False)
class _Ready:
    """A plan with what it calls: for each step its result, the function, its inputs, and the values not
    needed after it."""

    plan: Plan
    steps: tuple[tuple[int, Callable[..., Any], tuple[int, ...], tuple[int, ...]], ...]


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
        self._sliced: dict[tuple[str, Operation], Sliced] = {}
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
        values: list[Any] = [*map(_laid_out, inputs), *[None] * len(ready.plan.steps)]
        for number, function, sources, dead in ready.steps:
            values[number] = function(*[values[source] for source in sources])
            for each in dead:
                values[each] = None
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
            steps = fused(made, self._is_plain_norm)
            dead = _last_uses(made, [step for _, step in steps])
            ready = self._plans[key] = _Ready(
                made,
                tuple(
                    (number, self._function(step), step.inputs, unused)
                    for (number, step), unused in zip(steps, dead, strict=True)
                ),
            )
            if len(self._plans) > KEPT:
                self._plans.popitem(last=False)
        else:
            self._plans.move_to_end(key)
        return ready

    def _function(self, step: Step | NormedMix) -> Callable[..., Any]:
        if isinstance(step, Mix):
            return partial(self._mixed, step, weighted_sum)
        if isinstance(step, NormedMix):
            norms: list[Any] = [None if norm is None else self._holders[norm.at] for norm in step.norms]
            return partial(self._mixed, step.mix, partial(mixed_norms, norms))
        if step.at:
            return self._layer(step.at, step.operation)
        lowered = LOWERINGS.get(step.operation.name)
        if lowered is None or isinstance(lowered, Layer):
            raise TypeError(f"op `{step.operation.name}` has no weights: its lowering must not be a layer")
        call = lowered.call(step.operation)
        if isinstance(lowered, Function) and lowered.training:
            return lambda *given: call(*given, training=self.training)
        return call

    def _is_plain_norm(self, step: Apply) -> bool:
        """Whether a step is a batch norm of images without trained weights."""
        return bool(step.at) and type(holder := self._holders[step.at]) is nn.BatchNorm2d and not holder.affine

    def _layer(self, at: str, work: Operation) -> Callable[..., Any]:
        holder = self._holders[at]
        if not isinstance(holder, Elastic):
            return run_by(holder)
        found = self._sliced.get((at, work))
        if found is None:
            found = self._sliced[at, work] = Sliced(holder, self.varied.weights[at], work)
        return found

    def _mixed(self, step: Mix, add: Callable[[Tensor | None, Sequence[Tensor]], Tensor], *values: Tensor) -> Tensor:
        weights = self._weights[step.variable, step.by_element]
        if weights is None:
            return add(None, values)
        own = weights if len(step.parts) == len(weights) else weights[[entry for entry, _ in step.parts]]
        total = add(own, values)
        return total + (weights.sum() - own.sum()) if self._ghosts and own is not weights else total

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_plans": OrderedDict(), "_sliced": {}}


def _is_pure(operation: Operation) -> bool:
    lowered = LOWERINGS.get(operation.name)
    return not (isinstance(lowered, Function) and lowered.training)


def _laid_out(x: Tensor) -> Tensor:
    """Images on a CPU with their channels last, as most operations are faster on them."""
    return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 and x.device.type == "cpu" else x


def _last_uses(plan: Plan, steps: Sequence[Step | NormedMix]) -> list[tuple[int, ...]]:
    """For each step the values that nothing needs after it."""
    kept = {value for _, value in plan.outputs}
    seen: set[int] = set()
    found: list[tuple[int, ...]] = []
    for step in reversed(steps):
        dead = [value for value in dict.fromkeys(step.inputs) if value not in seen and value not in kept]
        seen.update(dead)
        found.append(tuple(dead))
    return found[::-1]
