"""Tokens: learned tables and positions."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archlang_torch.lowering import layer


@layer("embedding", init={"table": ("normal", 0.0, 1.0)})
class Embedding(nn.Module):
    """The rows of a learned table [vocabulary, dim] that integer tokens name."""

    def __init__(self, vocabulary: int, dim: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(vocabulary, dim))

    def forward(self, tokens: Tensor) -> Tensor:
        return F.embedding(tokens, self.table)


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
