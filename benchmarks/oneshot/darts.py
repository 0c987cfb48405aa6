"""The search network of DARTS for small images, and both gradients of its architecture.

H. Liu, K. Simonyan, Y. Yang: DARTS: Differentiable Architecture Search, ICLR 2019; quark0/darts.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from benchmarks.by_hand import DilConv, FactorizedReduce, ReluConvBn, SepConv
from benchmarks.genes import Gene
from benchmarks.oneshot.supernet import Supernet, new_architecture

PRIMITIVES = (
    "none",
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
Loss = Callable[[Tensor, Tensor], Tensor]
Batch = tuple[Tensor, Tensor]


class Zero(nn.Module):
    """Its input times 0, at every `stride`-th place: it stays in the graph, and gradients pass it as zeros."""

    def __init__(self, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, :: self.stride, :: self.stride] * 0


# Only in the search is there a norm behind a pooling. No candidate's norm has a scale or a shift: they would blur what
# the architecture weights say.
CANDIDATES: dict[str, Callable[[int, int], nn.Module]] = {
    "none": lambda c, stride: Zero(stride),
    "max_pool_3x3": lambda c, stride: nn.Sequential(nn.MaxPool2d(3, stride, 1), nn.BatchNorm2d(c, affine=False)),
    "avg_pool_3x3": lambda c, stride: nn.Sequential(
        nn.AvgPool2d(3, stride, 1, count_include_pad=False), nn.BatchNorm2d(c, affine=False)
    ),
    "skip_connect": lambda c, stride: nn.Identity() if stride == 1 else FactorizedReduce(c, c, affine=False),
    "sep_conv_3x3": lambda c, stride: SepConv(c, 3, stride, affine=False),
    "sep_conv_5x5": lambda c, stride: SepConv(c, 5, stride, affine=False),
    "dil_conv_3x3": lambda c, stride: DilConv(c, 3, stride, affine=False),
    "dil_conv_5x5": lambda c, stride: DilConv(c, 5, stride, affine=False),
}


class MixedOp(nn.Module):
    """The sum of all candidates by their weights."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.ops = nn.ModuleDict({name: CANDIDATES[name](channels, stride) for name in PRIMITIVES})

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        return total(weight * op(x) for weight, op in zip(weights, self.ops.values(), strict=True))


class Cell(nn.Module):
    """A cell with all edges: those of the first node, then those of the second, and so on."""

    def __init__(
        self,
        mixed: Callable[[int, int], nn.Module],
        before: int,
        last: int,
        channels: int,
        nodes: int,
        reduce: bool,
        reduced: bool,
    ) -> None:
        super().__init__()
        self.nodes, self.reduce = nodes, reduce
        self.first: nn.Module = (
            FactorizedReduce(before, channels, affine=False)
            if reduced
            else ReluConvBn(before, channels, 1, affine=False)
        )
        self.second = ReluConvBn(last, channels, 1, affine=False)
        self.edges = nn.ModuleList(
            [mixed(channels, 2 if reduce and state < 2 else 1) for node in range(nodes) for state in range(2 + node)]
        )

    def forward(self, s0: Tensor, s1: Tensor, *weights: Tensor) -> Tensor:
        """`weights` have one row per edge."""
        states = [self.first(s0), self.second(s1)]
        edge = 0
        for _ in range(self.nodes):
            sources = enumerate(states, edge)
            edge += len(states)
            states.append(total(self.edges[k](state, *(rows[k] for rows in weights)) for k, state in sources))
        return torch.cat(states[2:], 1)


class Genotype(NamedTuple):
    """What DARTS derives: two genes per node, the better one first, and the states that a cell concatenates."""

    normal: list[Gene]
    normal_concat: list[int]
    reduce: list[Gene]
    reduce_concat: list[int]


class SearchNetwork(Supernet):
    """The search network for small images: 1,930,618 parameters.

    `architecture` holds two tensors, edges x primitives: of normal cells and of reduction cells.
    """

    mixed: Callable[[int, int], nn.Module] = MixedOp

    def __init__(self, channels: int = 16, layers: int = 8, classes: int = 10, nodes: int = 4) -> None:
        super().__init__()
        self.nodes = nodes
        self.stem = nn.Sequential(nn.Conv2d(3, 3 * channels, 3, padding=1, bias=False), nn.BatchNorm2d(3 * channels))
        before = last = 3 * channels
        cells: list[Cell] = []
        reduced = False
        for layer in range(layers):
            reduce = layer in (layers // 3, 2 * layers // 3)
            channels *= 1 + reduce
            cells.append(Cell(type(self).mixed, before, last, channels, nodes, reduce, reduced))
            before, last, reduced = last, nodes * channels, reduce
        self.cells = nn.ModuleList(cells)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(last, classes)
        self.architecture = self.initial(nodes * (nodes + 3) // 2)

    def initial(self, edges: int) -> list[Tensor]:
        """Architecture tensors before a search."""
        return [new_architecture(edges, len(PRIMITIVES)) for _ in range(2)]

    def weights(self) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
        """What edges of normal cells and of reduction cells take, with one row per edge."""
        normal, reduce = self.architecture
        return [normal.softmax(1)], [reduce.softmax(1)]

    def forward(self, image: Tensor) -> Tensor:
        normal, reduce = self.weights()
        s0 = s1 = self.stem(image)
        for cell in self.cells:
            s0, s1 = s1, cell(s0, s1, *(reduce if cell.reduce else normal))
        logits: Tensor = self.classifier(self.pool(s1).flatten(1))
        return logits

    def scores(self) -> tuple[Tensor, Tensor]:
        """By what candidates are ranked, edges x primitives: in normal cells and in reduction cells."""
        (normal,), (reduce,) = self.weights()
        return normal, reduce

    def genotype(self) -> Genotype:
        normal, reduce = (self.derived(scores) for scores in self.scores())
        concat = list(range(2, 2 + self.nodes))
        return Genotype(normal, concat, reduce, concat)

    def derived(self, scores: Tensor) -> list[Gene]:
        """The best candidate but `none` of each edge, on the two edges per node where it scores most."""
        rows = iter(scores.tolist())
        genes: list[Gene] = []
        for node in range(self.nodes):
            best = []
            for state in range(2 + node):
                row = next(rows)
                k = max(range(1, len(PRIMITIVES)), key=row.__getitem__)
                best.append((row[k], PRIMITIVES[k], state))
            best.sort(key=lambda edge: -edge[0])
            genes += [(name, state) for _, name, state in best[:2]]
        return genes


def first_order(network: Supernet, loss: Loss, valid: Batch) -> list[Tensor]:
    """Gradients of the validation loss by the architecture, with the weights as they are."""
    image, target = valid
    return list(torch.autograd.grad(loss(network(image), target), network.architecture))


def second_order(
    network: Supernet,
    loss: Loss,
    train: Batch,
    valid: Batch,
    rate: float,
    momentum: float = 0.9,
    weight_decay: float = 3e-4,
    buffers: Sequence[Tensor] | None = None,
) -> list[Tensor]:
    """Gradients by the architecture of the validation loss after one training step (equations 6 to 8 of the paper).

    The step is SGD's at the current `rate`; `buffers` are its momentum buffers in the order of `parameters()`, None
    before its first step. The mixed second derivative, times the vector, is a central difference of 0.01 along it.

    As in the published code, the batch norms of `network` see the training batch three times, those of the copy
    that took the step see the validation batch, and weights come back from the difference up to rounding.
    """
    weights = list(network.parameters())
    gradients = torch.autograd.grad(_loss(network, loss, train), weights)
    unrolled = copy.deepcopy(network)
    with torch.no_grad():
        for k, (weight, gradient) in enumerate(zip(unrolled.parameters(), gradients, strict=True)):
            step = gradient + weight_decay * weight
            if buffers is not None:
                step += momentum * buffers[k]
            weight.sub_(step, alpha=rate)
    tensors = [*unrolled.architecture, *unrolled.parameters()]
    found = torch.autograd.grad(_loss(unrolled, loss, valid), tensors)
    direct, vector = found[: len(network.architecture)], found[len(network.architecture) :]
    implicit = _mixed_derivative(network, loss, train, vector)
    return [a - rate * b for a, b in zip(direct, implicit, strict=True)]


def _mixed_derivative(
    network: Supernet, loss: Loss, train: Batch, vector: Sequence[Tensor], length: float = 1e-2
) -> list[Tensor]:
    """The derivative of the architecture's gradient when weights move along `vector`."""
    scale = length / float(torch.cat([part.flatten() for part in vector]).norm())

    def gradients_after(move: float) -> tuple[Tensor, ...]:
        with torch.no_grad():
            for weight, part in zip(network.parameters(), vector, strict=True):
                weight.add_(part, alpha=move)
        return torch.autograd.grad(_loss(network, loss, train), network.architecture)

    ahead = gradients_after(scale)
    behind = gradients_after(-2 * scale)
    with torch.no_grad():
        for weight, part in zip(network.parameters(), vector, strict=True):
            weight.add_(part, alpha=scale)
    return [(a - b) / (2 * scale) for a, b in zip(ahead, behind, strict=True)]


def _loss(network: Supernet, loss: Loss, batch: Batch) -> Tensor:
    image, target = batch
    return loss(network(image), target)


def total(terms: Iterable[Tensor]) -> Tensor:
    """The sum, from the first term on."""
    return functools.reduce(torch.add, terms)
