"""The numpy backend: references of the ops, and inference without a framework.

    graph ──┬─ build ──▶ Network, node by node        (network.py)
            └─ raise ──▶ blocks ── emit ──▶ functions  (dialect.py, function_source.py)

What an op is in numpy is declared once, in `ops/`, and serves both ways.
"""

from archlang_numpy import ops
from archlang_numpy.dialect import NUMPY
from archlang_numpy.lowering import LOWERINGS, function, infix, reference
from archlang_numpy.network import Network, build
from archlang_numpy.numpy_backend import NumpyBackend, backend

__all__ = ["LOWERINGS", "NUMPY", "Network", "NumpyBackend", "backend", "build", "function", "infix", "ops", "reference"]
