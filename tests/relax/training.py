"""A supernet in training, small enough for tests."""

from __future__ import annotations

from random import Random

import numpy as np
from archlang_torch.supernet.engine import TorchEngine

import archlang as al
from archlang.relax.engine import Batch
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
    method: Method, text: str | Space = TWO, seed: int = 0, kind: type[TorchEngine] = TorchEngine
) -> Session:
    """A session of a method on a small space, on PyTorch."""
    space = al.loads(text) if isinstance(text, str) else text
    supernet = space.supernet("torch", seed=seed)
    asked = questions(supernet.varied)
    first = method.sampler.parameters(asked, np.random.default_rng(seed))
    engine = kind(supernet, first, method.weights, method.architecture, seed=seed)
    return Session(method, space, engine, asked, Random(seed), rate=method.weights.lr)


def batches_of(session: Session, count: int = 2, size: int = 8, seed: int = 0) -> list[Batch]:
    """Batches of noise with five classes."""
    random = np.random.default_rng(seed)
    (given,) = session.engine.supernet.varied.inputs  # type: ignore[attr-defined]
    shape = (size, *given.type.shape[1:])
    return [
        session.engine.batch(random.standard_normal(shape).astype(np.float32), random.integers(0, 5, size))
        for _ in range(count)
    ]
