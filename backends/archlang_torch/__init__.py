"""The PyTorch backend.

    graph ──raise──▶ blocks ──┬─ build ──▶ nn.Module      (building.py, module.py)
                              └─ emit ───▶ Python source  (dialect.py, archlang.lowering)

What an op is in PyTorch is declared once, in `ops/`, and serves both ways.
"""

from archlang.backend import require_version

require_version("torch", "torch", (2, 4))

from archlang_torch import ops
from archlang_torch.building import build, parameter_names
from archlang_torch.dialect import TORCH
from archlang_torch.lowering import LOWERINGS, function, infix, layer
from archlang_torch.module import Block, Network
from archlang_torch.torch_backend import TorchBackend, backend

__all__ = [
    "LOWERINGS",
    "TORCH",
    "Block",
    "Network",
    "TorchBackend",
    "backend",
    "build",
    "function",
    "infix",
    "layer",
    "ops",
    "parameter_names",
]
