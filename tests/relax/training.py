"""A supernet in training, small enough for tests."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
from archlang_torch.supernet.engine import TorchEngine

import archlang as al
from archlang.evaluate.data import Pair
from archlang.relax.engine import Batch
from archlang.relax.feeding import Feeding
from archlang.relax.method import Method
from archlang.relax.questions import questions
from archlang.relax.session import Session
from archlang.space import Space

# One choice between operations, and a sum of two of three edges.
TWO = """
use std.nn
block edge(x: [n, c, h, w]) -> [n, c, h, w] {
  x |> choose { skip: identity, conv: conv2d(c) >> batch_norm, pool: avg_pool2d(3) }
}
space two(image: f32[n, 3, 8, 8]) {
  x = image |> conv2d(4) >> batch_norm
  y = sum(choose 2 of [x |> edge, x |> edge, x |> edge] as inputs)
  y |> global_avg_pool >> linear(5)
}
"""


def session_of(
    method: Method,
    text: str | Space = TWO,
    seed: int = 0,
    kind: Callable[..., Any] = TorchEngine,
    backend: str = "torch",
) -> Session:
    """A session of a method on a small space; `kind` is an engine of the backend."""
    space = al.loads(text) if isinstance(text, str) else text
    supernet = space.supernet(backend, seed=seed)
    asked = questions(supernet.varied)
    first = method.sampler.parameters(asked, np.random.default_rng(seed))
    engine = kind(supernet, first, method.weights, method.architecture, seed=seed)
    noise = _noise(supernet, 32, seed)
    feeding = Feeding(engine, noise, noise, noise, 8, seed)
    return Session(method, space, engine, asked, Random(seed), feeding, rate=method.weights.lr)


def _noise(supernet: Any, size: int, seed: int) -> Pair:
    random = np.random.default_rng(seed)
    (given,) = supernet.varied.inputs
    shape = (size, *given.type.shape[1:])
    return random.standard_normal(shape).astype(np.float32), random.integers(0, 5, size)


def batches_of(session: Session, count: int = 2, size: int = 8, seed: int = 0) -> list[Batch]:
    """Batches of noise with five classes."""
    supernet = session.engine.supernet
    return [session.engine.batch(*_noise(supernet, size, seed + place)) for place in range(count)]
