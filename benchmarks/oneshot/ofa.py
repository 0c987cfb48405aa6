"""The Once-for-All supernet around MobileNetV3: kernels, expansions and depths that a call chooses.

H. Cai et al.: Once-for-All: Train One Network and Specialize it for Efficient Deployment, ICLR 2020;
mit-han-lab/once-for-all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

KERNEL, EXPAND, DEPTH = 7, 6, 4  # the largest
# Of each stage: channels, stride, squeeze and excitation, hard swish in place of ReLU.
STAGES = (
    (24, 2, False, False),
    (40, 2, True, False),
    (80, 2, False, True),
    (112, 1, True, True),
    (160, 2, True, True),
)


def make_divisible(value: float) -> int:
    """The multiple of 8 nearest to a number of channels, but not less than nine tenths of it."""
    rounded = max(8, int(value + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * value else rounded + 8


def activation(swish: bool) -> nn.Module:
    return nn.Hardswish() if swish else nn.ReLU()


class ElasticNorm(nn.BatchNorm2d):
    """Batch norm of the first channels, as many as come: weights and statistics beyond stay as they are."""

    def forward(self, x: Tensor) -> Tensor:
        count = x.shape[1]
        if count == self.num_features:
            return super().forward(x)
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        if self.training:
            self.num_batches_tracked.add_(1)
        return F.batch_norm(
            x,
            self.running_mean[:count],
            self.running_var[:count],
            self.weight[:count],
            self.bias[:count],
            self.training,
            self.momentum,
            self.eps,
        )


class ElasticConv(nn.Conv2d):
    """A 1x1 convolution with its first filters, and of those the first channels."""

    def forward(self, x: Tensor, out: int | None = None) -> Tensor:
        bias = None if self.bias is None else self.bias[:out]
        return F.conv2d(x, self.weight[:out, : x.shape[1]], bias)


class ElasticDepthwise(nn.Module):
    """A depthwise convolution whose smaller kernels come from the centres of larger ones.

    With `transform`, the 25 numbers at the centre of the 7x7 kernel go through a trained matrix to be the 5x5 kernel,
    and the 9 at the centre of that one through another to be the 3x3 kernel; all channels share the matrices, which
    begin as identities. Without, the centre itself is the kernel.
    """

    def __init__(self, channels: int, stride: int, transform: bool) -> None:
        super().__init__()
        self.stride = stride
        self.conv = nn.Conv2d(channels, channels, KERNEL, stride, KERNEL // 2, groups=channels, bias=False)
        self.to5 = nn.Parameter(torch.eye(25)) if transform else None
        self.to3 = nn.Parameter(torch.eye(9)) if transform else None

    def kernel(self, channels: int, size: int) -> Tensor:
        """The kernels of the first channels: channels x 1 x size x size."""
        weight = self.conv.weight[:channels]
        for smaller, matrix in ((5, self.to5), (3, self.to3)):
            if size <= smaller:
                weight = centre(weight, smaller)
                if matrix is not None:
                    weight = F.linear(weight.flatten(1), matrix).view_as(weight)
        return weight

    def forward(self, x: Tensor, size: int) -> Tensor:
        channels = x.shape[1]
        return F.conv2d(x, self.kernel(channels, size), None, self.stride, size // 2, groups=channels)


def centre(weight: Tensor, size: int) -> Tensor:
    """The middle `size` x `size` places of kernels."""
    edge = (weight.shape[-1] - size) // 2
    return weight[..., edge : edge + size, edge : edge + size]


class ElasticExcitation(nn.Module):
    """Squeeze and excitation of the first channels: a quarter as many between."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        middle = make_divisible(channels // 4)
        self.reduce = ElasticConv(channels, middle, 1)
        self.expand = ElasticConv(middle, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        channels = x.shape[1]
        y = F.relu(self.reduce(x.mean((2, 3), keepdim=True), make_divisible(channels // 4)))
        return x * F.hardsigmoid(self.expand(y, channels))


class ElasticBlock(nn.Module):
    """An inverted residual of any kernel and expansion."""

    def __init__(self, channels: int, out: int, stride: int, excited: bool, swish: bool, transform: bool) -> None:
        super().__init__()
        middle = make_divisible(channels * EXPAND)
        self.shortcut = stride == 1 and channels == out
        self.act = activation(swish)
        self.expand = ElasticConv(channels, middle, 1, bias=False)
        self.expand_norm = ElasticNorm(middle)
        self.depthwise = ElasticDepthwise(middle, stride, transform)
        self.depthwise_norm = ElasticNorm(middle)
        self.excitation = ElasticExcitation(middle) if excited else nn.Identity()
        self.project = ElasticConv(middle, out, 1, bias=False)
        self.project_norm = ElasticNorm(out)

    def forward(self, x: Tensor, kernel: int, expand: int) -> Tensor:
        y: Tensor = self.act(self.expand_norm(self.expand(x, make_divisible(x.shape[1] * expand))))
        y = self.excitation(self.act(self.depthwise_norm(self.depthwise(y, kernel))))
        y = self.project_norm(self.project(y))
        return x + y if self.shortcut else y


class FirstBlock(nn.Module):
    """The block that every subnet begins with: it doesn't expand, and its kernel is 3x3."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return x + y


class OnceForAll(nn.Module):
    """The supernet: 7,678,880 parameters, kernel matrices included.

    The largest subnet has 7,664,760, as published; each of the 20 blocks adds a matrix of 25 x 25 and one of 9 x 9,
    14,120 in all, unless `transform` is off.
    """

    def __init__(self, width: float = 1.0, classes: int = 1000, transform: bool = True, dropout: float = 0.1) -> None:
        super().__init__()
        channels, final, features = (make_divisible(width * count) for count in (16, 960, 1280))
        self.stem = nn.Sequential(nn.Conv2d(3, channels, 3, 2, 1, bias=False), nn.BatchNorm2d(channels), nn.Hardswish())
        self.first = FirstBlock(channels)
        blocks = []
        for count, stride, excited, swish in STAGES:
            out = make_divisible(width * count)
            for layer in range(DEPTH):
                blocks.append(ElasticBlock(channels, out, 1 if layer else stride, excited, swish, transform))
                channels = out
        self.blocks = nn.ModuleList(blocks)
        self.last = nn.Sequential(nn.Conv2d(channels, final, 1, bias=False), nn.BatchNorm2d(final), nn.Hardswish())
        self.mix = nn.Sequential(nn.Conv2d(final, features, 1, bias=False), nn.Hardswish())
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(features, classes)

    def forward(
        self,
        image: Tensor,
        kernels: Sequence[int] = (KERNEL,) * 20,
        expands: Sequence[int] = (EXPAND,) * 20,
        depths: Sequence[int] = (DEPTH,) * 5,
    ) -> Tensor:
        """The subnet with the first blocks of each stage, `depths` many.

        Kernels and expansions are those of all 20 blocks, four per stage; those of blocks left out don't matter.
        """
        x = self.first(self.stem(image))
        for stage, depth in enumerate(depths):
            for k in range(DEPTH * stage, DEPTH * stage + depth):
                x = self.blocks[k](x, kernels[k], expands[k])
        x = self.mix(self.last(x).mean((2, 3), keepdim=True)).flatten(1)
        logits: Tensor = self.classifier(self.dropout(x))
        return logits


@torch.no_grad()
def recalibrate(
    network: OnceForAll,
    images: Iterable[Tensor],
    kernels: Sequence[int],
    expands: Sequence[int],
    depths: Sequence[int],
) -> None:
    """Sets the statistics of batch norms to those that a subnet has on batches of images.

    Means, and variances without Bessel's correction, are averaged over batches by their sizes; meanwhile each norm
    uses the statistics of the batch at hand. Channels and norms outside the subnet keep theirs.
    """
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    modes = [norm.training for norm in norms]
    sums: dict[nn.Module, list[Tensor]] = {}
    seen = 0

    def collect(norm: nn.Module, inputs: tuple[Tensor]) -> None:
        (x,) = inputs
        var, mean = torch.var_mean(x, (0, 2, 3), correction=0)
        pair = sums.setdefault(norm, [torch.zeros_like(mean), torch.zeros_like(var)])
        pair[0] += mean * len(x)
        pair[1] += var * len(x)

    hooks = [norm.register_forward_pre_hook(collect) for norm in norms]
    try:
        for norm in norms:
            norm.train()
        for batch in images:
            network(batch, kernels, expands, depths)
            seen += len(batch)
    finally:
        for hook, norm, mode in zip(hooks, norms, modes, strict=True):
            hook.remove()
            norm.train(mode)
    for norm in norms:
        if norm in sums:
            mean, var = sums[norm]
            assert norm.running_mean is not None
            assert norm.running_var is not None
            norm.running_mean[: len(mean)] = mean / seen
            norm.running_var[: len(var)] = var / seen
