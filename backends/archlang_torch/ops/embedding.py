"""Tokens: learned tables and positions."""

import torch
from torch import Tensor, nn

from archlang_torch.lowering import layer


@layer("embedding", names={"table": "weight"}, init={"table": ("normal", 0.0, 1.0)})
def embedding(vocabulary: int, dim: int) -> nn.Embedding:
    return nn.Embedding(vocabulary, dim)


@layer("position_embedding", dim=2, init={"table": ("trunc_normal", 0.0, 0.02)})
class PositionEmbedding(nn.Module):
    """Adds to each token the row of a learned table [length, dim] for its place."""

    def __init__(self, dim: int, length: int) -> None:
        super().__init__()
        self.table = nn.Parameter(nn.init.trunc_normal_(torch.empty(length, dim), std=0.02))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.table[: x.shape[1]]


@layer("class_token", dim=2, init={"token": ("trunc_normal", 0.0, 0.02)})
class ClassToken(nn.Module):
    """Puts a learned token [dim] before the others."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.token = nn.Parameter(nn.init.trunc_normal_(torch.empty(dim), std=0.02))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.token.expand(x.shape[0], 1, -1), x], dim=1)
