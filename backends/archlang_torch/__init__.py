"""The PyTorch backend.

    graph ──raise──▶ blocks ──┬─ build ──▶ nn.Module      (building.py, module.py)
                              └─ emit ───▶ Python source  (emitting.py, source.py)

What an op is in PyTorch is declared once, in `ops/`, and serves both ways: see `lowering`.
"""

from archlang_torch import ops
from archlang_torch.building import build, parameter_names
from archlang_torch.emitting import emit
from archlang_torch.lowering import function, infix, layer
from archlang_torch.module import Block, Network
from archlang_torch.torch_backend import TorchBackend, backend

__all__ = [
    "Block",
    "Network",
    "TorchBackend",
    "backend",
    "build",
    "emit",
    "function",
    "infix",
    "layer",
    "ops",
    "parameter_names",
]
