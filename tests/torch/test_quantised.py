"""Rounding to few bits against torch's own types of 8 and 16 bits, and its gradients."""

from __future__ import annotations

import pytest
import torch
from archlang_torch.ops.quantised import fake_quantize
from torch import Tensor


def spread(top: float) -> Tensor:
    """Numbers of all magnitudes up to a largest one, those halfway between two of few bits among them."""
    generator = torch.Generator().manual_seed(0)
    powers = 2.0 ** torch.arange(-20, 17)
    steps = torch.arange(16, 32) / 16
    drawn = torch.randn(20_000, generator=generator) * 2.0 ** torch.randint(-18, 15, (20_000,), generator=generator)
    x = torch.cat([(powers[:, None] * steps).flatten(), drawn, torch.zeros(1)])
    x = x[x.abs() <= top]
    return torch.cat([x, -x, torch.tensor([top])])


@pytest.mark.parametrize(
    ("bits", "exponent", "dtype"),
    [(8, 4, torch.float8_e4m3fn), (8, 5, torch.float8_e5m2), (16, 5, torch.float16)],
    ids=str,
)
def test_floats_are_those_of_torch(bits: int, exponent: int, dtype: torch.dtype) -> None:
    x = spread(torch.finfo(dtype).max)
    assert torch.equal(fake_quantize(x, bits=bits, exponent=exponent), x.to(dtype).float())


def test_four_bits() -> None:
    x = torch.tensor([6.0, 5.1, 5.0, 2.4, -1.3, 0.3, 0.25, -0.2])
    assert fake_quantize(x, bits=4, exponent=2).tolist() == [6.0, 6.0, 4.0, 2.0, -1.5, 0.5, 0.0, 0.0]


def test_integers_are_those_of_torch() -> None:
    x = spread(127.0)
    expected = torch.fake_quantize_per_tensor_affine(x, 1.0, 0, -127, 127)
    assert torch.equal(fake_quantize(x), expected)
    channels = spread(3.0)[:3000].reshape(3, 10, 100)
    scales = channels.abs().amax((0, 2)) / 7
    expected = torch.fake_quantize_per_channel_affine(channels, scales, torch.zeros(10, dtype=torch.int32), 1, -7, 7)
    torch.testing.assert_close(fake_quantize(channels, bits=4, axes=(1,)), expected)


def test_gradients_pass_straight_through() -> None:
    x = torch.linspace(-2, 2, 41, requires_grad=True)
    (2 * fake_quantize(x, bits=3)).sum().backward()
    assert x.grad is not None
    assert x.grad.unique().tolist() == [2.0]
    x.grad = None
    fake_quantize(x, bits=3, signed=False).sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad > 0, x >= 0)


@pytest.mark.parametrize("exponent", [0, 2])
def test_zeros_stay(exponent: int) -> None:
    x = torch.zeros(2, 3)
    x[1, 1] = 4.0
    assert torch.equal(fake_quantize(x, bits=4, axes=(0,), exponent=exponent), x)
