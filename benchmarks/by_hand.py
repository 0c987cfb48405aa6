"""Two published networks as one writes them in PyTorch, to compare with what archlang builds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from benchmarks.genes import NORMAL, REDUCE, Gene


class ReluConvBn(nn.Module):
    def __init__(
        self, channels: int, out: int, kernel: int, stride: int = 1, affine: bool = True, bias: bool = False
    ) -> None:
        super().__init__()
        self.op = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(channels, out, kernel, stride=stride, padding=kernel // 2, bias=bias),
            nn.BatchNorm2d(out, affine=affine),
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.op(x)
        return y


class Zero(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)


# A convolution has a bias where its norm has none.
EDGES: dict[str, Callable[[int, bool], nn.Module]] = {
    "none": lambda channels, affine: Zero(),
    "skip": lambda channels, affine: nn.Identity(),
    "conv1": lambda channels, affine: ReluConvBn(channels, channels, 1, affine=affine, bias=not affine),
    "conv3": lambda channels, affine: ReluConvBn(channels, channels, 3, affine=affine, bias=not affine),
    "pool3": lambda channels, affine: nn.AvgPool2d(3, 1, 1, count_include_pad=False),
}


class BenchCell(nn.Module):
    def __init__(self, channels: int, ops: Sequence[str], affine: bool = True) -> None:
        super().__init__()
        self.edges = nn.ModuleList([EDGES[op](channels, affine) for op in ops])

    def forward(self, x: Tensor) -> Tensor:
        a = self.edges[0](x)
        b = self.edges[1](x) + self.edges[2](a)
        c: Tensor = self.edges[3](x) + self.edges[4](a) + self.edges[5](b)
        return c


class BenchReduction(nn.Module):
    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.first = ReluConvBn(channels, out, 3, 2)
        self.second = ReluConvBn(out, out, 3)
        self.shortcut = nn.Sequential(nn.AvgPool2d(2, 2, 0), nn.Conv2d(channels, out, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.second(self.first(x)) + self.shortcut(x)
        return y


class BenchNetwork(nn.Module):
    """The network around the cells of NAS-Bench-201; `cell` makes one of some channels."""

    def __init__(self, cell: Callable[[int], nn.Module], channels: int, repeats: int, classes: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))
        body: list[nn.Module] = []
        for stage in range(3):
            if stage:
                body.append(BenchReduction(channels, 2 * channels))
                channels *= 2
            body += [cell(channels) for _ in range(repeats)]
        self.body = nn.Sequential(*body)
        self.last = nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU())
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(channels, classes)

    def forward(self, image: Tensor) -> Tensor:
        x = self.last(self.body(self.stem(image)))
        logits: Tensor = self.classifier(self.pool(x).flatten(1))
        return logits


class NasBench201(BenchNetwork):
    """A network of NAS-Bench-201 by its six edges, in the order of `std.spaces.nasbench201`."""

    def __init__(
        self, ops: Sequence[str], channels: int = 16, repeats: int = 5, classes: int = 10, affine: bool = True
    ) -> None:
        super().__init__(lambda width: BenchCell(width, ops, affine), channels, repeats, classes)


class SepConv(nn.Sequential):
    def __init__(self, channels: int, kernel: int, stride: int, affine: bool = True) -> None:
        layers: list[nn.Module] = []
        for step in (stride, 1):
            layers += [
                nn.ReLU(),
                nn.Conv2d(channels, channels, kernel, step, kernel // 2, groups=channels, bias=False),
                nn.Conv2d(channels, channels, 1, bias=False),
                nn.BatchNorm2d(channels, affine=affine),
            ]
        super().__init__(*layers)


class DilConv(nn.Sequential):
    def __init__(self, channels: int, kernel: int, stride: int, affine: bool = True) -> None:
        super().__init__(
            nn.ReLU(),
            nn.Conv2d(channels, channels, kernel, stride, kernel - 1, dilation=2, groups=channels, bias=False),
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels, affine=affine),
        )


class FactorizedReduce(nn.Module):
    def __init__(self, channels: int, out: int, affine: bool = True) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.left = nn.Conv2d(channels, out // 2, 1, stride=2, bias=False)
        self.right = nn.Conv2d(channels, out // 2, 1, stride=2, bias=False)
        self.norm = nn.BatchNorm2d(out, affine=affine)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(x)
        y: Tensor = self.norm(torch.cat([self.left(x), self.right(x[:, :, 1:, 1:])], 1))
        return y


DARTS: dict[str, Callable[[int, int], nn.Module]] = {
    "skip_connect": lambda c, stride: nn.Identity() if stride == 1 else FactorizedReduce(c, c),
    "max_pool_3x3": lambda c, stride: nn.MaxPool2d(3, stride, 1),
    "sep_conv_3x3": lambda c, stride: SepConv(c, 3, stride),
    "dil_conv_3x3": lambda c, stride: DilConv(c, 3, stride),
}


class DartsCell(nn.Module):
    def __init__(
        self, genes: Sequence[Gene], before: int, last: int, channels: int, reduce: bool, reduced: bool
    ) -> None:
        super().__init__()
        self.genes = genes
        self.first = FactorizedReduce(before, channels) if reduced else ReluConvBn(before, channels, 1)
        self.second = ReluConvBn(last, channels, 1)
        self.edges = nn.ModuleList([DARTS[op](channels, 2 if reduce and state < 2 else 1) for op, state in genes])

    def forward(self, s0: Tensor, s1: Tensor) -> Tensor:
        states = [self.first(s0), self.second(s1)]
        results = iter(zip(self.edges, self.genes, strict=True))
        for (left, (_, i)), (right, (_, j)) in zip(results, results, strict=True):
            states.append(left(states[i]) + right(states[j]))
        return torch.cat(states[2:], 1)


class DartsV2(nn.Module):
    """The network for small images that second-order DARTS found: 3,349,342 parameters."""

    def __init__(self, channels: int = 36, layers: int = 20, classes: int = 10) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 3 * channels, 3, padding=1, bias=False), nn.BatchNorm2d(3 * channels))
        before = last = 3 * channels
        cells: list[nn.Module] = []
        reduced = False
        for layer in range(layers):
            reduce = layer in (layers // 3, 2 * layers // 3)
            channels *= 1 + reduce
            cells.append(DartsCell(REDUCE if reduce else NORMAL, before, last, channels, reduce, reduced))
            before, last, reduced = last, 4 * channels, reduce
        self.cells = nn.ModuleList(cells)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(last, classes)

    def forward(self, image: Tensor) -> Tensor:
        s0 = s1 = self.stem(image)
        for cell in self.cells:
            s0, s1 = s1, cell(s0, s1)
        logits: Tensor = self.classifier(self.pool(s1).flatten(1))
        return logits
