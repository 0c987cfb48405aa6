"""Modules made as copies of one that was constructed.

Weights are drawn by address, so that what a constructor draws would be thrown away; it runs once for
all layers of one configuration. The copies are what it makes: all its attributes, in its order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import lru_cache
from typing import Any

import attrs
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from archlang.ir.graph import Operation
from archlang.lowering.declared import Layer

_DRAWING = frozenset(
    [
        Tensor.uniform_,
        Tensor.normal_,
        nn.init.uniform_,
        nn.init.normal_,
        nn.init.trunc_normal_,
        nn.init.kaiming_uniform_,
        nn.init.kaiming_normal_,
        nn.init.xavier_uniform_,
        nn.init.xavier_normal_,
    ]
)


class _Undrawn(TorchFunctionMode):
    """Leaves new weights as they lie in memory, where torch's own layers would fill them."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func in _DRAWING:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


@attrs.frozen
class Prototype:
    """A module to copy.

    `state` holds its attributes, of which `containers` are copied; `own` are buffers that are no
    states of the op. `parameters` and `buffers` are the shapes of all.
    """

    kind: type[nn.Module]
    state: dict[str, Any]
    containers: tuple[tuple[str, Any], ...]
    own: tuple[tuple[str, Tensor], ...]
    parameters: Mapping[str, tuple[int, ...]]
    buffers: Mapping[str, tuple[int, ...]]

    def make(self) -> nn.Module:
        """A new module; the weights and states of its op are all None."""
        module = self.kind.__new__(self.kind)
        found = module.__dict__
        found.update(self.state)
        for name, container in self.containers:
            found[name] = container.copy()
        for name, buffer in self.own:
            found["_buffers"][name] = buffer.clone()
        return module


def prototype(lowered: Layer, operation: Operation, dtype: torch.dtype) -> Prototype:
    """The prototype of an operation's layer; own buffers of floats are of the type.

    Raises TypeError when the layer does not have the operation's weights and states.
    """
    made = _prototype(lowered, tuple(lowered.config(operation).items()), dtype)
    weights = {lowered.name(weight.name): weight.shape for weight in operation.weights if weight.trained}
    states = {lowered.name(weight.name): weight.shape for weight in operation.weights if not weight.trained}
    if made.parameters != weights or not states.items() <= made.buffers.items():
        raise TypeError(
            f"op `{operation.name}` has the weights {weights} and the states {states}, "
            f"its layer the parameters {made.parameters} and the buffers {made.buffers}"
        )
    return made


@lru_cache(4096)
def _prototype(lowered: Layer, arguments: tuple[tuple[str, Any], ...], dtype: torch.dtype) -> Prototype:
    module = _constructed(lowered, dict(arguments))
    if module._modules:
        raise TypeError(f"the layer {type(module).__name__} has modules in it: it must hold its weights itself")
    states = {lowered.name(weight) for weight in lowered.init}
    held = {name: buffer for name, buffer in module._buffers.items() if buffer is not None}
    state = {
        **module.__dict__,
        "_parameters": dict.fromkeys(module._parameters),
        "_buffers": dict.fromkeys(module._buffers),
    }
    return Prototype(
        kind=type(module),
        state=state,
        containers=tuple([(name, value) for name, value in state.items() if isinstance(value, dict | set | list)]),
        own=tuple(
            [
                (name, buffer.to(dtype) if buffer.is_floating_point() else buffer)
                for name, buffer in held.items()
                if name not in states
            ]
        ),
        parameters={name: tuple(weight.shape) for name, weight in module.named_parameters()},
        buffers={name: tuple(buffer.shape) for name, buffer in held.items()},
    )


def _constructed(lowered: Layer, arguments: Mapping[str, Any]) -> nn.Module:
    """The layer as its constructor makes it; what that draws is always the same, and leaves no trace."""
    before = torch.get_rng_state()
    torch.default_generator.manual_seed(0)
    try:
        # A class of one's own may draw what is no weight, so that its constructor is left to draw.
        with nullcontext() if isinstance(lowered.factory, type) else _Undrawn():
            module: nn.Module = lowered.factory(**arguments)
            return module
    finally:
        torch.set_rng_state(before)
