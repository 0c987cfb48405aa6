"""What supernets compute with on PyTorch, against torch's own layers."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import pytest
import torch
from archlang_torch.supernet.convolution import convolution
from archlang_torch.supernet.norms import batch_norm, mixed_norms
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import archlang as al

LAST = torch.channels_last


def image(*sizes: int, mean: float = 0.0) -> Tensor:
    x = mean + torch.randn(sizes, dtype=torch.float64)
    return x.contiguous(memory_format=LAST).requires_grad_()


def assert_same(found: Sequence[Tensor], wanted: Sequence[Tensor]) -> None:
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


def check(run: Callable[[Tensor], Tensor], layer: Callable[[Tensor], Tensor], x: Tensor, *wanted: Tensor) -> None:
    """Outputs and gradients; the sum of both outputs, so that one gradient may be of no simple form."""
    results = run(x), layer(x)
    assert_same(results[:1], results[1:])
    outer = torch.randn_like(results[0])
    found, own = (torch.autograd.grad(result, [x, *wanted], outer) for result in results)
    assert_same(found, own)


@settings(max_examples=150, deadline=None)
@given(
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.sampled_from([1, 2, 3, 4, 5, 7]),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(0, 7),
    st.sampled_from(["depthwise", "multiplied", "grouped", "full"]),
    st.booleans(),
    st.booleans(),
)
def test_convolutions(
    size: tuple[int, int],
    kernel: int,
    stride: int,
    dilation: int,
    padding: int,
    kind: str,
    bias: bool,
    trained: bool,
) -> None:
    torch.manual_seed(0)
    out, groups = {"depthwise": (4, 4), "multiplied": (8, 4), "grouped": (6, 2), "full": (3, 1)}[kind]
    layer = nn.Conv2d(4, out, kernel, stride, padding, dilation, groups, bias).double()
    reach = dilation * (kernel - 1)
    assume(all(side + 2 * padding > reach for side in size))
    layer.weight.requires_grad_(trained)
    wanted = [weight for weight in layer.parameters() if weight.requires_grad]
    check(lambda x: convolution(layer, x), layer, image(2, 4, *size), *wanted)


@pytest.mark.parametrize("kernel", [(1, 5), (5, 1), (3, 7)])
def test_convolutions_that_are_not_square(kernel: tuple[int, int]) -> None:
    layer = nn.Conv2d(4, 4, kernel, padding=(kernel[0] // 2, kernel[1] // 2), groups=4).double()
    check(lambda x: convolution(layer, x), layer, image(2, 4, 6, 8), *layer.parameters())


def test_a_convolution_keeps_its_input_only_to_train_its_weights() -> None:
    layer, x = nn.Conv2d(4, 4, 1).double(), image(2, 4, 6, 6)
    kept: list[int] = []

    def pack(tensor: Tensor) -> Tensor:
        kept.append(tensor.data_ptr())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        for trained in (False, True):
            kept.clear()
            layer.requires_grad_(trained)
            convolution(layer, x)
            assert (x.data_ptr() in kept) is trained


SIZES = [(4, 3, 5, 5), (2, 16, 8, 8), (3, 1, 1, 1), (2, 300, 3, 3), (5, 1, 4, 4), (9, 4, 24, 24), (2, 8, 51, 53)]


@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("sizes", SIZES)
def test_batch_norms(sizes: tuple[int, ...], affine: bool) -> None:
    torch.manual_seed(0)
    layer = nn.BatchNorm2d(sizes[1], affine=affine, momentum=0.3).double()
    for weight in layer.parameters():
        nn.init.normal_(weight)
    own = copy.deepcopy(layer)
    for training in (True, False):
        own.train(training)
        layer.train(training)
        x = image(*sizes, mean=3.0)
        results = batch_norm(own, x), layer(x)
        assert_same(results[:1], results[1:])
        outer = torch.randn_like(x)
        found = [
            torch.autograd.grad(result, [x, *each.parameters()], outer)
            for result, each in zip(results, (own, layer), strict=True)
        ]
        assert_same(*found)
        assert_same(list(own.buffers()), list(layer.buffers()))


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("sizes", SIZES)
def test_mixtures_of_batch_norms(sizes: tuple[int, ...], training: bool, trained: bool) -> None:
    torch.manual_seed(0)
    layers = [
        nn.BatchNorm2d(sizes[1], affine=False, eps=1e-3 * place, momentum=0.1 * place).double() if place != 2 else None
        for place in (1, 2, 3)
    ]
    own = copy.deepcopy(layers)
    for layer in (*layers, *own):
        if layer is not None:
            layer.train(training)
    values = [image(*sizes, mean=mean) for mean in (0.0, 1.0, 2.0)]
    weights = torch.randn(3, dtype=torch.float64, requires_grad=trained)
    wanted = [*values, *([weights] if trained else [])]
    found = mixed_norms(own, weights, values)
    parts = [x if layer is None else layer(x) for layer, x in zip(layers, values, strict=True)]
    total = torch.stack([weight * part for weight, part in zip(weights, parts, strict=True)]).sum(0)
    assert_same([found], [total])
    outer = torch.randn_like(total)
    assert_same(torch.autograd.grad(found, wanted, outer), torch.autograd.grad(total, wanted, outer))
    for one, other in zip(own, layers, strict=True):
        if one is not None and other is not None:
            assert_same(list(one.buffers()), list(other.buffers()))


def test_single_precision_is_as_exact_as_of_torch() -> None:
    """Its own loops over channels that come last lose another digit or two here."""
    torch.manual_seed(0)
    x = (3 + 2 * torch.randn(64, 4, 32, 32)).contiguous(memory_format=LAST)
    exact = nn.BatchNorm2d(4, affine=False).double()(x.double())
    found = batch_norm(nn.BatchNorm2d(4, affine=False), x)
    assert (found.double() - exact).norm() < 1e-6 * exact.norm()


def test_a_norm_that_more_than_a_mixture_needs_stays() -> None:
    space = al.loads(
        "use std.nn\nspace s(x: f32[n, 3, 8, 8]) {\n  y = x |> batch_norm(affine=false)\n"
        "  z = sum(choose 2 of [y, x |> relu |> batch_norm(affine=false), x] as inputs)\n  z + y\n}"
    )
    supernet = space.supernet("torch").double()
    (variable,) = supernet.varied.decisions
    x, weights = image(4, 3, 8, 8, mean=1.0), torch.randn(3, dtype=torch.float64)
    first, second = (nn.BatchNorm2d(3, affine=False).double()(given) for given in (x, x.relu()))
    wanted = (1 + weights[0]) * first + weights[1] * second + weights[2] * x
    assert_same([supernet.mixed({(variable, True): weights}, x)], [wanted])
    for name in ("batch_norm#1", "batch_norm#2"):  # each has seen one batch
        assert supernet.get_buffer(f"{name}.num_batches_tracked") == 1
