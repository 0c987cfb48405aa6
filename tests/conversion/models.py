"""Small models of every family, with weights that tell one computation from another."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def randomised(model: nn.Module, seed: int = 0) -> nn.Module:
    """The model with running statistics, scales and biases that are not what they start as."""
    random = torch.Generator().manual_seed(seed)
    for module in model.modules():
        for name in ("running_mean", "bias", "weight"):
            tensor = getattr(module, name, None)
            if isinstance(tensor, Tensor) and tensor.is_floating_point() and (name != "weight" or tensor.ndim == 1):
                tensor.data += 0.1 * torch.randn(tensor.shape, generator=random)
        variance = getattr(module, "running_var", None)
        if isinstance(variance, Tensor):
            variance.uniform_(0.5, 1.5, generator=random)
    return model.eval()


class Residual(nn.Module):
    def __init__(self, channels: int, out: int, stride: int = 1):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.act = nn.ReLU(inplace=True)
        self.downsample = None
        if stride > 1 or channels != out:
            self.downsample = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        y = self.bn2(self.conv2(self.act(self.bn1(self.conv1(x)))))
        y += shortcut
        return self.act(y)


class ResNet(nn.Module):
    """Two stages of residual blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 7, 2, 3, bias=False)
        self.bn = nn.BatchNorm2d(8)
        self.layer1 = nn.Sequential(Residual(8, 8), Residual(8, 8))
        self.layer2 = nn.Sequential(Residual(8, 16, 2), Residual(16, 16))
        self.fc = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.bn(self.stem(x))), 3, 2, 1)
        x = self.layer2(self.layer1(x))
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))


class Mobile(nn.Module):
    """An inverted residual with squeeze-and-excitation and the activations of MobileNetV3."""

    def __init__(self) -> None:
        super().__init__()
        self.expand = nn.Conv2d(3, 12, 1)
        self.depthwise = nn.Conv2d(12, 12, 5, 2, 2, groups=12, bias=False)
        self.rect = nn.Conv2d(12, 12, (1, 3), padding=(0, 1), groups=3)
        self.reduce = nn.Conv2d(12, 4, 1)
        self.back = nn.Conv2d(4, 12, 1)
        self.head = nn.Linear(12, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = F.hardswish(self.rect(self.depthwise(F.relu6(self.expand(x)))))
        gate = F.hardsigmoid(self.back(F.silu(self.reduce(x.mean((2, 3), keepdim=True)))))
        x = F.pad(x * gate, (1, 0, 0, 2))
        return self.head(F.avg_pool2d(x, 2, 2).mean((2, 3)))


class UNet(nn.Module):
    """Down and up again with concatenated skips."""

    def __init__(self) -> None:
        super().__init__()
        self.down1 = self._block(3, 6)
        self.down2 = self._block(6, 12)
        self.bottom = self._block(12, 12)
        self.up = nn.ConvTranspose2d(12, 12, 2, 2)
        self.join2 = self._block(24, 6)
        self.join1 = self._block(12, 6)
        self.out = nn.Conv2d(6, 2, 1)

    @staticmethod
    def _block(channels: int, out: int) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(channels, out, 3, 1, 1), nn.GroupNorm(3, out), nn.LeakyReLU(0.1))

    def forward(self, x: Tensor) -> Tensor:
        first = self.down1(x)
        second = self.down2(F.max_pool2d(first, 2))
        x = self.up(self.bottom(F.max_pool2d(second, 2)))
        x = self.join2(torch.cat([x, second], 1))
        x = F.interpolate(x, scale_factor=2, mode="bilinear")
        return self.out(self.join1(torch.cat([x, first], 1)))


class Attention(nn.Module):
    """Self-attention with its projections in one, as vision transformers have it; `fused` or written out."""

    def __init__(self, width: int, heads: int, fused: bool):
        super().__init__()
        self.heads, self.fused = heads, fused
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        n, t, d = x.shape
        q, k, v = self.qkv(x).reshape(n, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        if self.fused:
            x = F.scaled_dot_product_attention(q, k, v)
        else:
            scores = (q / math.sqrt(q.shape[-1])) @ k.transpose(-2, -1)
            x = scores.softmax(-1) @ v
        return self.proj(x.transpose(1, 2).reshape(n, t, d))


class Encoder(nn.Module):
    def __init__(self, width: int, heads: int, fused: bool):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, 1e-6), nn.LayerNorm(width, 1e-6)
        self.attn = Attention(width, heads, fused)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(0.1), nn.Linear(2 * width, width))
        self.gamma = nn.Parameter(torch.full((width,), 0.5))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.gamma * self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class ViT(nn.Module):
    """Patches, a class token and another one, positions, encoders."""

    def __init__(self, fused: bool = True, tokens: int = 1):
        super().__init__()
        self.patches = nn.Conv2d(3, 12, 4, 4)
        self.tokens = nn.ParameterList([nn.Parameter(torch.randn(1, 1, 12)) for _ in range(tokens)])
        self.positions = nn.Parameter(torch.randn(1, 16 + tokens, 12))
        self.blocks = nn.Sequential(Encoder(12, 3, fused), Encoder(12, 3, fused))
        self.norm = nn.LayerNorm(12)
        self.head = nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([*(token.expand(len(x), -1, -1) for token in self.tokens), x], 1)
        return self.head(self.norm(self.blocks(x + self.positions))[:, 0])


class Windows(nn.Module):
    """Shifted windows with a relative position bias and a mask, as in Swin."""

    def __init__(self, size: int = 2, side: int = 4, width: int = 8, heads: int = 2):
        super().__init__()
        self.size, self.side, self.heads = size, side, heads
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.table = nn.Parameter(torch.randn((2 * size - 1) ** 2, heads))
        at = torch.stack(torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")).flatten(1)
        offset = (at[:, :, None] - at[:, None]).permute(1, 2, 0) + size - 1
        self.register_buffer("index", offset[..., 0] * (2 * size - 1) + offset[..., 1])
        regions = torch.zeros(1, side, side, 1)
        cuts = (slice(0, -size), slice(-size, -size // 2), slice(-size // 2, None))
        for number, (rows, columns) in enumerate((r, c) for r in cuts for c in cuts):
            regions[:, rows, columns] = number
        parts = self.split(regions).squeeze(-1)
        self.register_buffer("mask", torch.where(parts[:, None] != parts[:, :, None], -100.0, 0.0))

    def split(self, x: Tensor) -> Tensor:
        n, h, w, c = x.shape
        x = x.view(n, h // self.size, self.size, w // self.size, self.size, c)
        return x.permute(0, 1, 3, 2, 4, 5).reshape(-1, self.size**2, c)

    def forward(self, x: Tensor) -> Tensor:
        x = x.permute(0, 2, 3, 1)
        n, h, w, c = x.shape
        half = self.size // 2
        windows = self.split(torch.roll(x, (-half, -half), (1, 2)))
        b, t, _ = windows.shape
        q, k, v = self.qkv(windows).reshape(b, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        scores = (q * (c // self.heads) ** -0.5) @ k.transpose(-2, -1)
        bias = self.table[self.index.view(-1)].view(t, t, -1).permute(2, 0, 1)
        scores = scores + bias.unsqueeze(0)
        count = self.mask.shape[0]
        scores = (scores.view(-1, count, self.heads, t, t) + self.mask[:, None]).view(-1, self.heads, t, t)
        y = self.proj((scores.softmax(-1) @ v).transpose(1, 2).reshape(b, t, c))
        y = y.view(n, h // self.size, w // self.size, self.size, self.size, c).permute(0, 1, 3, 2, 4, 5)
        return torch.roll(y.reshape(n, h, w, c), (half, half), (1, 2))


class Twice(nn.Module):
    """A layer that is used twice, and an output layer that is the table of the tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Embedding(11, 6)
        self.layer = nn.Linear(6, 6)
        self.out = nn.Linear(6, 11, bias=False)
        self.out.weight = self.tokens.weight

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.tokens(tokens)
        return self.out(self.layer(self.layer(x).tanh()))


class Results(nn.Module):
    """Several results in a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(4, 6)
        self.heads = nn.ModuleDict({"a": nn.Linear(6, 2), "b": nn.Linear(6, 3)})

    def forward(self, x: Tensor, y: Tensor) -> dict[str, Any]:
        h = torch.sigmoid(self.body(x)) - 0.5 * y
        return {"first": self.heads["a"](h), "others": [self.heads["b"](h), h]}


class Recurrent(nn.Module):
    """Two layers of both directions, then one with the batch in the middle."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.LSTM(4, 5, 2, batch_first=True, bidirectional=True)
        self.second = nn.GRU(10, 3)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        both, (states, _) = self.first(x)
        y, last = self.second(both.transpose(0, 1))
        return y.transpose(0, 1), torch.cat([last[-1], states[-1]], -1)


class Odd(nn.Module):
    """What archlang has no op for."""

    def __init__(self, width: int):
        super().__init__()
        self.mix = nn.Linear(width, width)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.cumsum(self.mix(x), 1) + torch.sin(y)


class PartlyOdd(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.before, self.after = nn.Linear(4, 4), nn.Linear(4, 2)
        self.odd = Odd(4)

    def forward(self, x: Tensor) -> Tensor:
        h = self.before(x).relu()
        return self.after(self.odd(h, x))


class Watched(nn.Module):
    """Keeps what it has seen, as an array or as bare bytes, which `torch.export` does not give."""

    def __init__(self, bare: bool) -> None:
        super().__init__()
        self.bare = bare
        self.first = nn.Linear(4, 6)
        self.second = nn.Linear(6, 2)
        self.seen: Any = None

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.first(x))
        self.seen = x.detach().untyped_storage().tolist() if self.bare else x.detach().numpy()
        return self.second(x)


class Contexts(nn.Module):
    """What is done without autocast and without gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 6)

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", enabled=False):
            x = self.first(x)
        with torch.no_grad():
            gate = torch.sigmoid(x)
        return x * gate.clone()
