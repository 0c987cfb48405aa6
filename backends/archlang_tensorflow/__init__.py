"""The TensorFlow backend: programs as functional Keras models and as Keras source.

    graph ──arranged──▶ channels last ──decomposed──▶ what Keras can do ──┬─ build ──▶ keras.Model
            (layout.py)                (expanding.py)                     └─ emit ───▶ Python source

What an op is in Keras is declared once, in `ops/`, and serves both ways.
"""

import os

from archlang.backend import require_version
from archlang.diagnostics import ArchError, error
from archlang_tensorflow.quiet import without_chatter

require_version("tensorflow", "tensorflow", (2, 18))
require_version("tensorflow", "tensorflow-cpu", (2, 18))
require_version("tensorflow", "keras", (3, 9))

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

with without_chatter():
    import keras
    import tensorflow  # noqa: F401

if keras.backend.backend() != "tensorflow":
    raise ArchError(
        error(
            "E0801",
            f"the tensorflow backend needs Keras to run on TensorFlow, and it runs on {keras.backend.backend()}",
            hints=("set the environment variable KERAS_BACKEND to `tensorflow`",),
        )
    )

from archlang_tensorflow import expanding, ops
from archlang_tensorflow.building import build
from archlang_tensorflow.dialect import KERAS
from archlang_tensorflow.lowering import LOWERINGS, function, infix, layer
from archlang_tensorflow.tensorflow_backend import TensorFlowBackend, backend

__all__ = [
    "KERAS",
    "LOWERINGS",
    "TensorFlowBackend",
    "backend",
    "build",
    "expanding",
    "function",
    "infix",
    "layer",
    "ops",
]
