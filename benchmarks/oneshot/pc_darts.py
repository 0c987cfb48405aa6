"""The search network of PC-DARTS for small images: a quarter of the channels goes through candidates.

Y. Xu et al.: PC-DARTS: Partial Channel Connections for Memory-Efficient Architecture Search, ICLR 2020;
yuhuixu1993/PC-DARTS. Gradients are `darts.first_order` and `darts.second_order`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from benchmarks.oneshot import darts
from benchmarks.oneshot.supernet import new_architecture

PARTS = 4


def channel_shuffle(x: Tensor, groups: int) -> Tensor:
    """The first channel of every group, then the second of every group, and so on."""
    n, c, h, w = x.shape
    return x.view(n, groups, c // groups, h, w).transpose(1, 2).reshape(n, c, h, w)


class MixedOp(nn.Module):
    """The first quarter of the channels mixed, the rest as it is (with stride 2: its maxima), then shuffled."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.mixed = darts.MixedOp(channels // PARTS, stride)
        self.bypass = nn.MaxPool2d(2, 2) if stride == 2 else nn.Identity()

    def forward(self, x: Tensor, weights: Tensor, beta: Tensor) -> Tensor:
        count = x.shape[1] // PARTS
        parts = [self.mixed(x[:, :count], weights), self.bypass(x[:, count:])]
        return beta * channel_shuffle(torch.cat(parts, 1), PARTS)


class SearchNetwork(darts.SearchNetwork):
    """The search network for small images: 299,578 parameters.

    `architecture` holds alphas as those of DARTS, of normal and of reduction cells, then betas, one per edge.
    """

    mixed: Callable[[int, int], nn.Module] = MixedOp

    def initial(self, edges: int) -> list[Tensor]:
        return super().initial(edges) + [new_architecture(edges) for _ in range(2)]

    def weights(self) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
        normal, reduce, beta_normal, beta_reduce = self.architecture
        return [normal.softmax(1), self.normalized(beta_normal)], [reduce.softmax(1), self.normalized(beta_reduce)]

    def normalized(self, beta: Tensor) -> Tensor:
        """Softmax over the edges of each node."""
        return torch.cat([edges.softmax(0) for edges in torch.split(beta, [2 + node for node in range(self.nodes)])])

    def scores(self) -> tuple[Tensor, Tensor]:
        (normal, beta_normal), (reduce, beta_reduce) = self.weights()
        return normal * beta_normal[:, None], reduce * beta_reduce[:, None]
