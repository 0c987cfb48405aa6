"""A module's calls: `torch.export`, with the errors that a user can do something about."""

from __future__ import annotations

import copy
import io
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.export import ExportedProgram
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from archlang.diagnostics import ArchError, error

USUAL = "`torch.export`"


def exported(model: nn.Module, inputs: Sequence[Tensor]) -> tuple[ExportedProgram, str]:
    """The calls of a module in evaluation mode for these inputs, and by which way they were followed, the `USUAL`
    one or another; ArchError (E0810) when it does not take them, or cannot be followed."""
    with evaluating(model), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model(*inputs)
        except Exception as failure:
            kinds = [(str(x.dtype).removeprefix("torch."), ", ".join(map(str, ["n", *x.shape[1:]]))) for x in inputs]
            shapes = " and ".join(f"{dtype}[{sizes}]" for dtype, sizes in kinds)
            raise ArchError(
                error(
                    "E0810",
                    f"the module does not take {shapes}: {_first_line(failure)}",
                    hints=("give the shapes that it takes, the batch first, such as 1,3,224,224 or i64:1,128",),
                )
            ) from failure
        failures: list[Exception] = []
        for way, follow in _WAYS.items():
            _forgotten(model)
            try:
                with _quiet():
                    return follow(model, tuple(inputs)), way
            except Exception as failure:
                failures.append(failure)
    message, *others = [f"{way}: {_first_line(failure)}" for way, failure in zip(_WAYS, failures, strict=True)]
    notes = ("what it computes may depend on the values of its inputs", *others)
    raise ArchError(error("E0810", f"the module's calls cannot be followed by {message}", notes=notes)) from failures[0]


def _exported(model: nn.Module, inputs: tuple[Tensor, ...]) -> ExportedProgram:
    return torch.export.export(model, inputs, strict=False)


def _from_bytecode(model: nn.Module, inputs: tuple[Tensor, ...]) -> ExportedProgram:
    return torch.export.export(model, inputs, strict=True)


def _traced(model: nn.Module, inputs: tuple[Tensor, ...]) -> ExportedProgram:
    """Of a copy, in which whatever forward leaves behind may stay. The modules around the calls are those that
    tracing keeps: layers, not what holds them."""
    graph = fx.symbolic_trace(copy.deepcopy(model))
    graph.graph.eliminate_dead_code()
    graph.recompile()
    return torch.export.export(graph, inputs, strict=False)


_WAYS: dict[str, Callable[[nn.Module, tuple[Tensor, ...]], ExportedProgram]] = {
    USUAL: _exported,
    "`torch.export` in strict mode": _from_bytecode,
    "`torch.fx.symbolic_trace`": _traced,
}


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what is logged and printed of an attempt that fails: another may not."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(before)


def macs(model: nn.Module, inputs: Sequence[Tensor]) -> int:
    """The multiply-adds of convolutions and matrix products of a module in evaluation mode for these inputs."""
    counter = _Counter()  # type: ignore[no-untyped-call]
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # it is one call, for which there is no formula
    try:
        with evaluating(model), torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
            model(*inputs)
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    return counter.flops // 2


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up what PyTorch's formulas say of calls. Its own counter also follows modules, which fails where a
    view of a parameter goes into one."""

    flops = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        formula = flop_registry.get(func._overloadpacket)
        if formula is not None:
            self.flops += int(formula(*args, **(kwargs or {}), out_val=found))
        return found


def _forgotten(model: nn.Module) -> None:
    """Has modules drop what they keep in evaluation mode, such as what they worked out of their parameters."""
    model.train()
    model.eval()


def _first_line(failure: Exception) -> str:
    return f"{type(failure).__name__}: {str(failure).strip().partition(chr(10))[0]}"


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """The module in evaluation mode, without the caches that generation uses; then as it was."""
    modes = {name: module.training for name, module in model.named_modules()}
    config: Any = getattr(model, "config", None)
    cached = getattr(config, "use_cache", None)
    model.eval()
    if cached:
        config.use_cache = False
    try:
        yield
    finally:
        _forgotten(model)
        if cached:
            config.use_cache = cached
        for name, module in model.named_modules():
            module.training = modes[name]
