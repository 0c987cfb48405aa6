"""Timing graphs: one run at a time, so that whoever asks decides the order."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from archlang.ir.graph import Graph
from archlang.ir.types import SymbolicDim, TensorType
from archlang_torch.building import DTYPES, build
from archlang_torch.training import device_named, with_threads


class TorchMeter:
    """Times graphs in evaluation mode without gradients.

    On one thread of the CPU the clock is that of the thread, which other work on the machine disturbs
    least; else it is the wall's, read when the device has done all its work.
    """

    def __init__(self, device: torch.device, threads: int, batch: int) -> None:
        self._device = device
        self._batch = batch
        own = device.type == "cpu" and threads == 1
        self._clock = time.thread_time_ns if own else time.perf_counter_ns
        self.info: Mapping[str, str] = {
            "backend": f"torch {torch.__version__}",
            "device": _named(device),
            "clock": "CPU time of the thread" if own else "wall",
        }

    def prepare(self, graph: Graph) -> Callable[[], int]:
        network = build(graph).to(self._device).eval()
        inputs = [self._input(given.type) for given in graph.inputs]

        def run() -> int:
            with torch.inference_mode():
                self._wait()
                started = self._clock()
                network(*inputs)
                self._wait()
                return self._clock() - started

        return run

    def _wait(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)

    def _input(self, kind: TensorType) -> Tensor:
        shape = [dim.factor * self._batch if isinstance(dim, SymbolicDim) else dim for dim in kind.shape]
        dtype = DTYPES[kind.dtype]
        if not dtype.is_floating_point:
            return torch.zeros(shape, dtype=dtype, device=self._device)  # a token of any vocabulary
        random = torch.Generator().manual_seed(0)
        return torch.randn(shape, generator=random).to(self._device, dtype)


@contextmanager
def meter(device: str, threads: int, batch: int) -> Iterator[TorchMeter]:
    """A meter for a device, with so many threads of the CPU; ArchError (E0805) when it is not there."""
    with with_threads(threads):
        yield TorchMeter(device_named(device), threads, batch)


def _named(device: torch.device) -> str:
    if device.type == "cuda":
        return f"{device}, {torch.cuda.get_device_name(device)}"
    return f"{device}, {platform.machine()} {torch.backends.cpu.get_cpu_capability()}"
