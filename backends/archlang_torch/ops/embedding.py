"""Tokens: learned tables and positions."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archlang_torch.lowering import function, layer


@layer("embedding", names={"table": "weight"}, init={"table": ("normal", 0.0, 1.0)})
def embedding(vocabulary: int, dim: int) -> nn.Embedding:
    return nn.Embedding(vocabulary, dim)


@function("token_places")
def token_places(tokens: Tensor, *, padding: int = 1) -> Tensor:
    """The place of each token among those that are no padding, from `padding` + 1 on."""
    counted = tokens != padding
    return counted.cumsum(1) * counted + padding


@layer("unembedding", dim=-1, names={"table": "weight"}, init={"table": ("normal", 0.0, 1.0)})
class Unembedding(nn.Module):
    """The product of each token with every row of a table [vocabulary, dim]."""

    def __init__(self, dim: int, vocabulary: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(nn.init.normal_(torch.empty(vocabulary, dim)))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight)


@layer("parameter", init={"value": ("trunc_normal", 0.0, 0.02)})
class Parameter(nn.Module):
    """A learned tensor, the same for each sample."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape
        self.value = nn.Parameter(nn.init.trunc_normal_(torch.empty(math.prod(shape)), std=0.02))

    def forward(self, x: Tensor) -> Tensor:
        return self.value.view(self.shape).expand(x.shape[0], *self.shape)


@layer("constant", init={"value": ("zeros",)})
class Constant(nn.Module):
    """A tensor that is not trained, the same for each sample."""

    value: Tensor

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape
        self.register_buffer("value", torch.zeros(math.prod(shape)))

    def forward(self, x: Tensor) -> Tensor:
        return self.value.view(self.shape).expand(x.shape[0], *self.shape)


@layer("indexed_parameter", init={"table": ("trunc_normal", 0.0, 0.02), "places": ("zeros",)})
class IndexedParameter(nn.Module):
    """Elements of a learned table, the same for each sample."""

    def __init__(self, size: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape
        self.table = nn.Parameter(nn.init.trunc_normal_(torch.empty(size), std=0.02))
        self.places: Tensor
        self.register_buffer("places", torch.zeros(math.prod(shape)))

    def forward(self, x: Tensor) -> Tensor:
        chosen = self.table[self.places.long()].view(self.shape)
        return chosen.expand(x.shape[0], *self.shape)


@layer("take", init={"places": ("zeros",)})
class Take(nn.Module):
    """What is at known places along an axis."""

    def __init__(self, axis: int, count: int) -> None:
        super().__init__()
        self.axis = axis
        self.places: Tensor
        self.register_buffer("places", torch.zeros(count))

    def forward(self, x: Tensor) -> Tensor:
        return x.index_select(self.axis, self.places.long())


@layer("position_embedding", dim=2, init={"table": ("trunc_normal", 0.0, 0.02)})
class PositionEmbedding(nn.Module):
    """Adds to each token the row of a learned table [length, dim] for its place."""

    def __init__(self, dim: int, length: int, *, start: int = 0) -> None:
        super().__init__()
        self.start = start
        self.table = nn.Parameter(nn.init.trunc_normal_(torch.empty(length, dim), std=0.02))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.table[self.start : self.start + x.shape[1]]


@layer("class_token", dim=2, init={"token": ("trunc_normal", 0.0, 0.02)})
class ClassToken(nn.Module):
    """Puts a learned token [dim] before the others."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.token = nn.Parameter(nn.init.trunc_normal_(torch.empty(dim), std=0.02))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.token.expand(x.shape[0], 1, -1), x], dim=1)
