"""What the parts of methods compute with: see `archlang.relax.engine.Tensors`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


class TorchTensors:
    """Functions on tensors of one device, random ones with a generator of their own."""

    def __init__(self, device: torch.device, seed: int) -> None:
        self.device = device
        self.generator = torch.Generator().manual_seed(seed)  # on the CPU: the same draws on every device

    def constant(self, values: Any) -> Tensor:
        return torch.as_tensor(values, dtype=torch.float32, device=self.device)

    def softmax(self, x: Tensor) -> Tensor:
        return x.softmax(-1)

    def log_softmax(self, x: Tensor) -> Tensor:
        return x.log_softmax(-1)

    def sigmoid(self, x: Tensor) -> Tensor:
        return x.sigmoid()

    def elu(self, x: Tensor) -> Tensor:
        return F.elu(x)

    def log(self, x: Tensor) -> Tensor:
        return x.log()

    def lgamma(self, x: Tensor) -> Tensor:
        return torch.lgamma(x)

    def digamma(self, x: Tensor) -> Tensor:
        return torch.digamma(x)

    def sum(self, x: Tensor) -> Tensor:
        return x.sum()

    def stack(self, xs: Sequence[Tensor]) -> Tensor:
        return torch.stack(list(xs))

    def stop(self, x: Tensor) -> Tensor:
        return x.detach()

    def exponential(self, size: int) -> Tensor:
        return torch.empty(size).exponential_(generator=self.generator).to(self.device)

    def dirichlet(self, concentration: Tensor) -> Tensor:
        # torch draws from Dirichlet distributions with the global generator only.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(torch.randint(2**62, (), generator=self.generator)))
            return torch.distributions.Dirichlet(concentration).rsample()

    def numbers(self, x: Tensor) -> list[float]:
        found: list[float] = x.detach().cpu().tolist()
        return found
