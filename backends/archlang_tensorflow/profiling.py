"""Timing graphs: one run at a time, so that whoever asks decides the order."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import tensorflow as tf

from archlang.ir.graph import Graph
from archlang.ir.types import SymbolicDim, TensorType
from archlang_tensorflow.building import DTYPES, FLOATS, build
from archlang_tensorflow.training import device_named, use_threads


class TensorFlowMeter:
    """Times graphs as compiled functions in evaluation mode, by the wall's clock.

    TensorFlow computes on threads of its own, so that none of them has a clock to read.
    """

    def __init__(self, device: str, batch: int) -> None:
        self._device = device
        self._batch = batch
        self.info: Mapping[str, str] = {"backend": f"tensorflow {tf.__version__}", "device": device, "clock": "wall"}

    def prepare(self, graph: Graph) -> Callable[[], int]:
        with tf.device(self._device):
            network = build(graph)
            given = [tf.constant(self._input(given.type)) for given in graph.inputs]
            inputs = given if len(given) > 1 else given[0]
            compiled = tf.function(lambda *arguments: network(*arguments, training=False)).get_concrete_function(inputs)

            def run() -> int:
                started = time.perf_counter_ns()
                for result in tf.nest.flatten(compiled(inputs)):
                    result.numpy()
                return time.perf_counter_ns() - started

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
