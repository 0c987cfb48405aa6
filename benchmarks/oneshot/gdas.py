"""GDAS on NAS-Bench-201, one candidate per edge drawn with Gumbel noise, and DARTS on the same modules.

X. Dong, Y. Yang: Searching for a Robust Neural Architecture in Four GPU Hours, CVPR 2019;
X. Dong, Y. Yang: NAS-Bench-201, ICLR 2020; D-X-Y/AutoDL-Projects.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from benchmarks.by_hand import EDGES, BenchNetwork
from benchmarks.oneshot.darts import Zero, total
from benchmarks.oneshot.supernet import Supernet, new_architecture

PRIMITIVES = tuple(EDGES)  # in the order of the published code: none, skip, conv1, conv3, pool3


class SearchCell(nn.Module):
    """A cell with all candidates on its six edges, which are ordered by where they end, then by where they begin."""

    def __init__(self, channels: int, affine: bool) -> None:
        super().__init__()
        self.edges = nn.ModuleList(nn.ModuleDict(self._candidates(channels, affine)) for _ in range(6))

    def _candidates(self, channels: int, affine: bool) -> dict[str, nn.Module]:
        return {name: Zero() if name == "none" else EDGES[name](channels, affine) for name in PRIMITIVES}

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        """All candidates, by `weights`: edges x primitives."""

        def mixed(edge: int, x: Tensor) -> Tensor:
            candidates = self.edges[edge].children()
            return total(op(x) * weight for op, weight in zip(candidates, weights[edge], strict=True))

        return self._joined(x, mixed)

    def drawn(self, x: Tensor, weights: Tensor, chosen: Sequence[int]) -> Tensor:
        """The chosen candidate of each edge; the weights of others are added: zeros that carry gradients."""

        def single(edge: int, x: Tensor) -> Tensor:
            row = list(weights[edge])
            weight = row.pop(chosen[edge])
            candidate = self.edges[edge].get_submodule(PRIMITIVES[chosen[edge]])
            y: Tensor = weight * candidate(x) + total(row)
            return y

        return self._joined(x, single)

    def _joined(self, x: Tensor, through: Callable[[int, Tensor], Tensor]) -> Tensor:
        nodes = [x]
        edge = 0
        for _ in range(3):
            sources = enumerate(nodes, edge)
            edge += len(nodes)
            nodes.append(total(through(k, node) for k, node in sources))
        return nodes[-1]


class SearchNetwork(BenchNetwork, Supernet):
    """The search network of NAS-Bench-201: 1,692,826 parameters.

    `architecture` holds one tensor, edges x primitives. Without a scale (`affine`) in their norms, convolutions of
    candidates have a bias; those between stages have norms with a scale in either case.
    """

    def __init__(self, channels: int = 16, repeats: int = 5, classes: int = 10, affine: bool = False) -> None:
        super().__init__(lambda width: SearchCell(width, affine), channels, repeats, classes)
        self.architecture = [new_architecture(6, len(PRIMITIVES))]

    def forward(self, image: Tensor) -> Tensor:
        """DARTS: every candidate, by the softmax of the architecture."""
        weights = self.architecture[0].softmax(1)
        return self._run(image, lambda cell, x: cell.forward(x, weights))

    def drawn(self, image: Tensor, weights: Tensor) -> Tensor:
        """GDAS: one candidate per edge, the same in all cells, by `weights` as `draw` gives them."""
        chosen: list[int] = weights.argmax(1).tolist()
        return self._run(image, lambda cell, x: cell.drawn(x, weights, chosen))

    def _run(self, image: Tensor, search: Callable[[SearchCell, Tensor], Tensor]) -> Tensor:
        x: Tensor = self.stem(image)
        for part in self.body:
            x = search(part, x) if isinstance(part, SearchCell) else part(x)
        logits: Tensor = self.classifier(self.pool(self.last(x)).flatten(1))
        return logits

    def draw(self, temperature: float, generator: torch.Generator | None = None) -> Tensor:
        """One-hot rows by Gumbel noise, edges x primitives, with the gradient of the softmax."""
        while True:
            noise = -torch.empty_like(self.architecture[0]).exponential_(generator=generator).log()
            weights = one_hot(self.architecture[0], noise, temperature)
            if noise.isfinite().all() and weights.isfinite().all():
                return weights

    def genotype(self) -> list[str]:
        """The best candidate of each edge."""
        return [PRIMITIVES[k] for k in self.architecture[0].argmax(1).tolist()]


def one_hot(alpha: Tensor, noise: Tensor, temperature: float) -> Tensor:
    """One-hot rows at the largest of alpha's log-softmax plus noise; the gradient is that of the soft ones."""
    soft = ((alpha.log_softmax(1) + noise) / temperature).softmax(1)
    hard = torch.zeros_like(soft).scatter(1, soft.argmax(1, keepdim=True), 1.0)
    return hard - soft.detach() + soft
