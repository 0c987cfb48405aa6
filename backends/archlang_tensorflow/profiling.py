"""Timing graphs: one run at a time, so that whoever asks decides the order."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import tensorflow as tf

from archlang.ir.graph import Graph
from archlang.ir.types import SymbolicDim, TensorType
from archlang_tensorflow.building import DTYPES, FLOATS, build
from archlang_tensorflow.lowering import lowered
from archlang_tensorflow.training import device_named, use_threads


class TensorFlowMeter:
    """Times graphs as compiled functions in evaluation mode, on data with channels last.

    What a call takes that computes nothing is taken off: a network pays it once, and to most ops by
    themselves it would be more than they take. On one thread of the CPU the clock is that of the
    process, as TensorFlow computes on a thread of its own; else it is the wall's.
    """

    def __init__(self, device: str, batch: int) -> None:
        self._device = device
        self._batch = batch
        settled = tf.config.threading
        threads = settled.get_intra_op_parallelism_threads(), settled.get_inter_op_parallelism_threads()
        own = "CPU" in device and threads == (1, 1)
        self._clock = time.process_time_ns if own else time.perf_counter_ns
        self.info: Mapping[str, str] = {
            "backend": f"tensorflow {tf.__version__}",
            "device": _named(device),
            "clock": f"{'CPU time of the process' if own else 'wall'}, less that of an empty call",
        }
        with tf.device(device):
            # Called as networks are: TensorFlow takes longer to call a function with parameters by name.
            self._empty = self._timed(lambda given: tf.identity(given), [tf.zeros(1)])

    def prepare(self, graph: Graph) -> Callable[[], int]:
        with tf.device(self._device):
            network = build(graph, data_format="channels_last")
            given = [tf.constant(self._input(each.type)) for each in lowered(graph, "channels_last").inputs]
            call = self._timed(lambda first, *more: network((first, *more) if more else first, training=False), given)

        def run() -> int:
            # At once before, as it changes with whatever slows the machine.
            empty = self._empty()
            return max(call() - empty, 1)

        return run

    def _timed(self, function: Callable[..., Any], given: list[Any]) -> Callable[[], int]:
        """Calls a function, compiled for these inputs, and gives the nanoseconds until its results are there."""
        compiled = tf.function(function).get_concrete_function(*given)

        def run() -> int:
            started = self._clock()
            for result in tf.nest.flatten(compiled(*given)):
                result.numpy()
            return self._clock() - started

        return run

    def _input(self, kind: TensorType) -> Any:
        shape = [dim.factor * self._batch if isinstance(dim, SymbolicDim) else dim for dim in kind.shape]
        dtype = tf.as_dtype(DTYPES[kind.dtype]).as_numpy_dtype
        if kind.dtype not in FLOATS:
            return np.zeros(shape, dtype)  # a token of any vocabulary
        return np.random.default_rng(0).normal(size=shape).astype(dtype)


@contextmanager
def meter(device: str, threads: int, batch: int) -> Iterator[TensorFlowMeter]:
    """A meter for a device; ArchError (E0805) when it is not there.

    The threads hold when TensorFlow has not computed anything before.
    """
    use_threads(threads)
    yield TensorFlowMeter(device_named(device), batch)


def _named(device: str) -> str:
    kind, number = device.split(":")[-2:]
    if kind != "GPU":
        return f"{kind.lower()}:{number}, {platform.machine()}"
    details = tf.config.experimental.get_device_details(tf.config.list_physical_devices("GPU")[int(number)])
    return f"gpu:{number}, {details.get('device_name', 'of no name')}"
