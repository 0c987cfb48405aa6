"""The supernets that others are compared with: their published sizes, their gradients, and networks cut out of them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from benchmarks.by_hand import DartsCell
from benchmarks.genes import Gene
from benchmarks.oneshot import darts, gdas, ofa, pc_darts
from benchmarks.oneshot.sampled import SampledNetwork
from benchmarks.oneshot.supernet import Supernet

Subnet = tuple[Sequence[int], Sequence[int], Sequence[int]]

torch.set_num_threads(1)  # small networks gain nothing by more


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def size(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def batch(count: int = 4, side: int = 8) -> darts.Batch:
    return torch.randn(count, 3, side, side, dtype=torch.float64), torch.arange(count) % 3


def assert_same(found: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9)


def shaken(network: nn.Module) -> nn.Module:
    """Other numbers in what begins as zeros, ones and identities."""
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point():
                tensor.add_(0.1 * torch.rand_like(tensor) if "var" in name else 0.1 * torch.randn_like(tensor))
    return network


# Sizes


@pytest.mark.parametrize(
    ("build", "params"),
    [
        (darts.SearchNetwork, 1_930_618),
        (lambda: darts.SearchNetwork(4, layers=4), 118_742),
        (pc_darts.SearchNetwork, 299_578),
        (ofa.OnceForAll, 7_678_880),
        (lambda: ofa.OnceForAll(transform=False), 7_664_760),
        (lambda: SampledNetwork(["conv3", "conv3", "conv3", "skip", "conv3", "conv3"], affine=True), 1_288_506),
        (lambda: SampledNetwork(["conv3", "conv3", "none", "conv1", "pool3", "conv3"], affine=True), 830_426),
        (lambda: SampledNetwork(["none", "conv3", "none", "pool3", "conv3", "conv1"], affine=True), 587_386),
    ],
)
def test_published_parameters(build: Callable[[], nn.Module], params: int) -> None:
    assert size(build()) == params


def test_parameters_of_gdas() -> None:
    def cell(c: int) -> int:  # on each edge a 1x1 and a 3x3 convolution with biases
        return 6 * (10 * c * c + 2 * c)

    def reduction(c: int) -> int:  # two 3x3 convolutions with norms of two numbers per channel, and the shortcut
        return 9 * c * 2 * c + 9 * 4 * c * c + 2 * 2 * 2 * c + c * 2 * c

    rest = 27 * 16 + 2 * 16 + 2 * 64 + 65 * 10
    assert size(gdas.SearchNetwork()) == 5 * sum(map(cell, (16, 32, 64))) + reduction(16) + reduction(32) + rest


def test_published_work_of_darts() -> None:
    network = darts.SearchNetwork(4, layers=4)
    macs: list[int] = []
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda conv, x, y: macs.append(y.numel() * conv.weight[0].numel()))
    network(torch.randn(1, 3, 32, 32))
    assert (len(macs), sum(macs)) == (715, 18_419_712)


@pytest.mark.parametrize("network", [darts.SearchNetwork, pc_darts.SearchNetwork], ids=["DARTS", "PC-DARTS"])
def test_reductions(network: type[darts.SearchNetwork]) -> None:
    search = network(8, layers=8, classes=7, nodes=2)
    shapes: list[tuple[int, ...]] = []
    for cell in search.cells:
        cell.register_forward_hook(lambda cell, x, y: shapes.append(tuple(y.shape[1:])))
    assert search(torch.randn(2, 3, 8, 8)).shape == (2, 7)
    assert shapes == [(16, 8, 8)] * 2 + [(32, 4, 4)] * 3 + [(64, 2, 2)] * 3


# Architecture


NETWORKS: dict[str, Callable[[], Supernet]] = {
    "DARTS": lambda: darts.SearchNetwork(4, layers=3, classes=3, nodes=2),
    "PC-DARTS": lambda: pc_darts.SearchNetwork(8, layers=3, classes=3, nodes=2),
    "NAS-Bench-201": lambda: gdas.SearchNetwork(2, repeats=1, classes=3),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_architecture_is_beside_the_weights(name: str) -> None:
    network = NETWORKS[name]()
    held = [id(tensor) for tensor in network.architecture]
    assert not {id(weight) for weight in network.parameters()} & {*held}
    network.double()
    assert [id(tensor) for tensor in network.architecture] == held
    assert all(tensor.dtype == torch.float64 and tensor.is_leaf for tensor in network.architecture)
    copied = copy.deepcopy(network)
    assert all(tensor.requires_grad for tensor in copied.architecture)
    assert not {id(tensor) for tensor in copied.architecture} & {*held}


@pytest.mark.parametrize("name", NETWORKS)
def test_first_order_gradient(name: str) -> None:
    network = NETWORKS[name]().double()
    with torch.no_grad():
        for tensor in network.architecture:
            tensor.normal_()
    image, target = batch()
    found = darts.first_order(network, F.cross_entropy, (image, target))
    assert [gradient.shape for gradient in found] == [tensor.shape for tensor in network.architecture]

    def loss(tensor: Tensor, move: Tensor) -> float:
        with torch.no_grad():
            tensor += move
            value = F.cross_entropy(network(image), target).item()
            tensor -= move
        return value

    for tensor, gradient in zip(network.architecture, found, strict=True):
        assert gradient.abs().max() > 1e-4
        for _ in range(3):
            move = 1e-5 * torch.randn_like(tensor)
            difference = (loss(tensor, move) - loss(tensor, -move)) / 2
            assert difference == pytest.approx(float((gradient * move).sum()), rel=1e-5, abs=1e-14)
    assert all(weight.grad is None for weight in network.parameters())


class Smooth(Supernet):
    """Two layers, each a mixture of two smooth functions of one product."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(5, 4), nn.Linear(4, 3)])
        self.architecture = [torch.randn(2).requires_grad_() for _ in self.layers]

    def forward(self, x: Tensor) -> Tensor:
        for layer, alpha in zip(self.layers, self.architecture, strict=True):
            y = layer(x)
            weights = alpha.softmax(0)
            x = weights[0] * y.tanh() + weights[1] * y.sin()
        return x


@pytest.mark.parametrize("steps", [0, 2])
def test_second_order_gradient(steps: int) -> None:
    network = Smooth().double()
    rate, momentum, decay = 0.3, 0.8, 0.05
    train, valid = [(torch.randn(6, 5, dtype=torch.float64), torch.arange(6) % 3) for _ in range(2)]
    weights = dict(network.named_parameters())
    sgd = torch.optim.SGD(weights.values(), rate, momentum, weight_decay=decay)
    for _ in range(steps):
        F.cross_entropy(network(train[0]), train[1]).backward()
        sgd.step()
        sgd.zero_grad()
    buffers = [sgd.state[weight]["momentum_buffer"] for weight in weights.values()] if steps else None
    before = [weight.clone() for weight in weights.values()]
    found = darts.second_order(network, F.cross_entropy, train, valid, rate, momentum, decay, buffers)
    for weight, old in zip(weights.values(), before, strict=True):
        torch.testing.assert_close(weight.detach(), old, rtol=0, atol=1e-14)
        assert weight.grad is None

    # The exact one, through the step, which is first seen to be that of the optimiser.
    loss = F.cross_entropy(network(train[0]), train[1])
    gradients = torch.autograd.grad(loss, list(weights.values()), create_graph=True)
    stepped = {}
    for k, (name, weight) in enumerate(weights.items()):
        push = gradients[k] + decay * weight + (momentum * buffers[k] if buffers is not None else 0)
        stepped[name] = weight - rate * push
    exact_loss = F.cross_entropy(functional_call(network, stepped, valid[0]), valid[1])
    exact = torch.autograd.grad(exact_loss, network.architecture, retain_graph=True)
    loss.backward(inputs=list(weights.values()))
    sgd.step()
    for name, weight in network.named_parameters():
        assert_same(weight.detach(), stepped[name].detach())

    direct = darts.first_order(network, F.cross_entropy, valid)  # at the weights after the step
    for second, first, wanted in zip(found, direct, exact, strict=True):
        assert (wanted - first).norm() > 0.01 * wanted.norm()
        torch.testing.assert_close(second - first, wanted - first, rtol=1e-3, atol=1e-7)


def test_norms_see_the_training_batch_three_times() -> None:
    network = NETWORKS["DARTS"]().double()
    found = darts.second_order(network, F.cross_entropy, batch(), batch(), rate=0.025)
    assert all(gradient.isfinite().all() for gradient in found)
    counts = {int(value) for name, value in network.state_dict().items() if name.endswith("num_batches_tracked")}
    assert counts == {3}


# DARTS and PC-DARTS


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("name", ["max_pool_3x3", "avg_pool_3x3"])
def test_poolings_are_normalized(name: str, stride: int) -> None:
    x = torch.randn(3, 4, 8, 8, dtype=torch.float64)
    weights = torch.eye(8, dtype=torch.float64)[darts.PRIMITIVES.index(name)]
    found = darts.MixedOp(4, stride).double()(x, weights)
    windows = F.pad(x, (1, 1, 1, 1), value=torch.nan).unfold(2, 3, stride).unfold(3, 3, stride)
    pooled = windows.nan_to_num(-torch.inf).amax((4, 5)) if name == "max_pool_3x3" else windows.nanmean((4, 5))
    var, mean = torch.var_mean(pooled, (0, 2, 3), correction=0, keepdim=True)
    assert_same(found, (pooled - mean) / (var + 1e-5).sqrt())


def chosen(genes: Sequence[Gene], nodes: int) -> Tensor:
    """Logits that leave all weight to the genes, and to `none` on other edges."""
    logits = torch.full((nodes * (nodes + 3) // 2, len(darts.PRIMITIVES)), -1e4, dtype=torch.float64)
    logits[:, 0] = 0
    for k, (name, state) in enumerate(genes):
        node = k // 2
        edge = node * (node + 3) // 2 + state
        logits[edge, 0] = -1e4
        logits[edge, darts.PRIMITIVES.index(name)] = 0
    return logits


def test_one_candidate_per_edge_is_the_derived_network() -> None:
    normal = (("sep_conv_3x3", 1), ("skip_connect", 0), ("dil_conv_3x3", 2), ("sep_conv_3x3", 0))
    reduce = (("dil_conv_3x3", 0), ("sep_conv_3x3", 1), ("skip_connect", 1), ("skip_connect", 2))
    search = darts.SearchNetwork(4, layers=4, classes=3, nodes=2)
    shaken(search.double())
    search.architecture = [chosen(genes, 2) for genes in (normal, reduce)]
    image, _ = batch()
    s0 = s1 = search.stem(image)
    before = last = 12
    for layer, (channels, reduces, reduced) in enumerate(
        [(4, False, False), (8, True, False), (16, True, True), (16, False, True)]
    ):
        genes = reduce if reduces else normal
        cell = DartsCell(genes, before, last, channels, reduces, reduced).double()
        searched = search.cells[layer]
        for k, (name, state) in enumerate(genes):
            node = k // 2
            ops = searched.get_submodule(f"edges.{node * (node + 3) // 2 + state}.ops")
            cell.edges[k].load_state_dict(ops.get_submodule(name).state_dict(), strict=False)
        cell.first.load_state_dict(searched.get_submodule("first").state_dict(), strict=False)
        cell.second.load_state_dict(searched.get_submodule("second").state_dict(), strict=False)
        s0, s1 = s1, cell(s0, s1)
        before, last = last, 2 * channels
    assert_same(search(image), search.classifier(s1.mean((2, 3))))


def test_genotype_of_darts() -> None:
    search = darts.SearchNetwork(4, layers=3, nodes=2)
    names = {name: k for k, name in enumerate(darts.PRIMITIVES)}
    normal, reduce = torch.zeros(5, 8), torch.zeros(5, 8)
    normal[0, names["skip_connect"]] = 1.0
    normal[1, names["dil_conv_5x5"]] = 2.0
    normal[:, names["none"]] = 3.0  # is never derived, but takes weight
    normal[2, names["sep_conv_5x5"]] = 1.0
    normal[4, names["max_pool_3x3"]] = 4.0
    reduce[3, names["none"]] = -5.0  # leaves the others more
    search.architecture = [normal, reduce]
    assert search.genotype() == (
        [("dil_conv_5x5", 1), ("skip_connect", 0), ("max_pool_3x3", 2), ("sep_conv_5x5", 0)],
        [2, 3],
        [("max_pool_3x3", 0), ("max_pool_3x3", 1), ("max_pool_3x3", 1), ("max_pool_3x3", 0)],
        [2, 3],
    )


def test_genotype_of_pc_darts_ranks_by_both() -> None:
    search = pc_darts.SearchNetwork(8, layers=3, nodes=2)
    alpha, beta = torch.zeros(5, 8), torch.zeros(5)
    alpha[2, 4], alpha[3, 5], alpha[4, 6] = 1.0, 1.1, 1.2
    beta[2] = 2.0
    search.architecture = [alpha, alpha, beta, torch.zeros(5)]
    found = search.genotype()
    assert found.normal[2:] == [("sep_conv_3x3", 0), ("dil_conv_3x3", 2)]
    assert found.reduce[2:] == [("dil_conv_3x3", 2), ("sep_conv_5x5", 1)]


def test_betas_are_normalized_per_node() -> None:
    search = pc_darts.SearchNetwork(8, layers=3)
    beta = torch.randn(14)
    wanted = [beta[:2].exp(), beta[2:5].exp(), beta[5:9].exp(), beta[9:].exp()]
    torch.testing.assert_close(search.normalized(beta), torch.cat([part / part.sum() for part in wanted]))


@pytest.mark.parametrize("stride", [1, 2])
def test_three_quarters_pass_by(stride: int) -> None:
    mixed = pc_darts.MixedOp(8, stride)
    x = torch.randn(2, 8, 6, 6)
    y = mixed(x, torch.eye(8)[0], torch.tensor(0.5))  # nothing but `none`
    passed = x if stride == 1 else x.unfold(2, 2, 2).unfold(3, 2, 2).amax((4, 5))
    assert y.shape == passed.shape
    for k in range(2):  # two channels per group; the group of candidates is the first
        assert not y[:, 4 * k].any()
        for group in (1, 2, 3):
            torch.testing.assert_close(y[:, 4 * k + group], 0.5 * passed[:, 2 * group + k])


def test_one_quarter_is_mixed() -> None:
    mixed = pc_darts.MixedOp(8, 1)
    x = torch.randn(2, 8, 6, 6)
    weights = torch.rand(8)
    y = mixed(x, weights, torch.tensor(1.0))
    ops = mixed.mixed.ops.values()
    wanted = torch.stack([weight * op(x[:, :2]) for weight, op in zip(weights, ops, strict=True)]).sum(0)
    torch.testing.assert_close(y[:, [0, 4]], wanted)


# NAS-Bench-201


@pytest.mark.parametrize("affine", [False, True])
def test_a_draw_is_the_sampled_network(affine: bool) -> None:
    search = gdas.SearchNetwork(2, repeats=2, classes=3, affine=affine)
    shaken(search.double())
    ops = ["conv3", "none", "skip", "pool3", "conv1", "conv3"]
    rows = [gdas.PRIMITIVES.index(op) for op in ops]
    sampled = SampledNetwork(ops, 2, 2, 3, affine).double().copied(search)
    image, _ = batch()
    weights = torch.eye(5, dtype=torch.float64)[rows]
    wanted = sampled(image)
    assert_same(search.drawn(image, weights), wanted)
    search.architecture = [1e4 * weights]
    assert search.genotype() == ops
    assert_same(search(image), wanted)


def test_gradients_of_a_draw() -> None:
    search = gdas.SearchNetwork(2, repeats=1, classes=3).double()
    search.architecture[0].data.normal_()
    (alpha,) = search.architecture
    image, target = batch()
    noise = -torch.empty_like(alpha).exponential_().log()

    def soft(alpha: Tensor) -> Tensor:
        powers = ((alpha - alpha.exp().sum(1, keepdim=True).log() + noise) / 3.0).exp()
        return powers / powers.sum(1, keepdim=True)

    def loss(weights: Tensor) -> Tensor:
        return F.cross_entropy(search.drawn(image, weights), target)

    weights = gdas.one_hot(alpha, noise, 3.0)
    assert_same(weights.detach(), torch.eye(5, dtype=torch.float64)[soft(alpha).argmax(1)])
    (found,) = torch.autograd.grad(loss(weights), search.architecture)
    with torch.no_grad():  # element by element, first by weights, then through the softmax
        by_weight = torch.zeros(30, dtype=torch.float64)
        for k, move in enumerate(1e-6 * torch.eye(30, dtype=torch.float64).view(30, 6, 5)):
            by_weight[k] = (loss(weights + move) - loss(weights - move)) / 2e-6
        jacobian = torch.autograd.functional.jacobian(soft, alpha).view(30, 30)
        wanted = by_weight @ jacobian
    assert by_weight.abs().min() > 0  # those of candidates that didn't run, too
    torch.testing.assert_close(found.flatten(), wanted, rtol=1e-5, atol=1e-9)


def test_draws_follow_the_softmax() -> None:
    search = gdas.SearchNetwork(2, repeats=1)
    shares = torch.tensor([0.5, 0.25, 0.15, 0.07, 0.03])
    search.architecture = [shares.log().repeat(6, 1)]
    counts = torch.stack([search.draw(5.0) for _ in range(700)]).sum((0, 1))
    spread = (4200 * shares * (1 - shares)).sqrt()
    assert ((counts - 4200 * shares).abs() < 4 * spread).all()
    again = [search.draw(5.0, torch.Generator().manual_seed(3)) for _ in range(2)]
    assert torch.equal(*again)


# Once for all


SMALL: Subnet = ([7, 5, 3, 7, 3] * 4, [3, 6, 4, 6] * 5, [2, 3, 4, 2, 3])
LEAST: Subnet = ([3] * 20, [3] * 20, [2] * 5)
RANDOM: Subnet = (  # published with 5,316,280 parameters
    [5, 5, 3, 5, 7, 5, 5, 5, 5, 5, 7, 3, 7, 3, 5, 3, 3, 7, 5, 7],
    [6, 6, 3, 4, 3, 6, 3, 6, 4, 4, 6, 3, 4, 4, 4, 6, 6, 3, 6, 4],
    [3, 4, 3, 2, 4],
)


class Residual(nn.Sequential):
    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = super().forward(x)
        return x + y


class Excitation(nn.Module):
    def __init__(self, reduce: nn.Conv2d, expand: nn.Conv2d) -> None:
        super().__init__()
        self.reduce, self.expand = reduce, expand

    def forward(self, x: Tensor) -> Tensor:
        y = self.expand(self.reduce(F.adaptive_avg_pool2d(x, 1)).relu())
        return x * ((y + 3).clamp(0, 6) / 6)


def cut(conv: nn.Conv2d, out: int, inputs: int) -> nn.Conv2d:
    small = nn.Conv2d(inputs, out, 1, bias=conv.bias is not None)
    small.weight.data = conv.weight.data[:out, :inputs].clone()
    if conv.bias is not None and small.bias is not None:
        small.bias.data = conv.bias.data[:out].clone()
    return small


def cut_norm(norm: nn.BatchNorm2d, count: int) -> nn.BatchNorm2d:
    small = nn.BatchNorm2d(count).to(norm.weight.dtype)
    small.load_state_dict({name: value[:count] if value.ndim else value for name, value in norm.state_dict().items()})
    return small


def cut_kernel(depthwise: ofa.ElasticDepthwise, count: int, kernel: int) -> nn.Conv2d:
    weight = depthwise.conv.weight.data[:count]
    for edge, matrix in ((5, depthwise.to5), (3, depthwise.to3)):
        if kernel <= edge:
            weight = weight[:, :, 1:-1, 1:-1]
            if matrix is not None:
                weight = torch.einsum("ij,cj->ci", matrix.data, weight.reshape(count, -1)).view(count, 1, edge, edge)
    conv = nn.Conv2d(count, count, kernel, depthwise.stride, kernel // 2, groups=count, bias=False)
    conv.weight.data = weight.clone()
    return conv


def cut_out(supernet: ofa.OnceForAll, subnet: Subnet) -> nn.Sequential:
    """The subnet as a network of its own, of modules that know nothing of elasticity."""
    layers: list[nn.Module] = [supernet.stem, Residual(supernet.first.layers)]
    before = supernet.stem[0].weight.shape[0]
    kernels, expands, depths = subnet
    for stage, depth in enumerate(depths):
        for k in range(4 * stage, 4 * stage + depth):
            block = supernet.blocks[k]
            middle, out = before * expands[k], block.project.weight.shape[0]
            act = nn.Hardswish() if stage >= 2 else nn.ReLU()
            parts = [
                cut(block.expand, middle, before),
                cut_norm(block.expand_norm, middle),
                act,
                cut_kernel(block.depthwise, middle, kernels[k]),
                cut_norm(block.depthwise_norm, middle),
                act,
                cut(block.project, out, middle),
                cut_norm(block.project_norm, out),
            ]
            if stage in (1, 3, 4):
                few = max(8, (middle // 4 + 4) // 8 * 8)
                few += 8 * (10 * few < 9 * (middle // 4))
                excitation = block.excitation
                parts.insert(6, Excitation(cut(excitation.reduce, few, middle), cut(excitation.expand, middle, few)))
            same = before == out and (k % 4 > 0 or stage == 3)
            layers.append(Residual(*parts) if same else nn.Sequential(*parts))
            before = out
    layers += [supernet.last, nn.AdaptiveAvgPool2d(1), supernet.mix, nn.Flatten(), supernet.classifier]
    return copy.deepcopy(nn.Sequential(*layers))


@pytest.mark.parametrize(("subnet", "params"), [(LEAST, 3_410_792), (RANDOM, 5_316_280)])
def test_published_parameters_of_subnets(subnet: Subnet, params: int) -> None:
    with torch.device("meta"):
        assert size(cut_out(ofa.OnceForAll(), subnet)) == params


@pytest.mark.parametrize("transform", [False, True])
def test_a_subnet_is_a_network_of_slices(transform: bool) -> None:
    supernet = ofa.OnceForAll(0.1, 5, transform, dropout=0)
    shaken(supernet.double())
    image = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    for subnet in (SMALL, LEAST):
        alone = cut_out(supernet, subnet)
        assert_same(supernet.eval()(image, *subnet), alone.eval()(image))
        assert_same(supernet.train()(image, *subnet), alone.train()(image))
        assert_same(supernet.eval()(image, *subnet), alone.eval()(image))  # statistics moved alike
    whole = cut_out(supernet, ([7] * 20, [6] * 20, [4] * 5))
    assert_same(supernet(image), whole.eval()(image))


def test_gradients_reach_the_slices() -> None:
    supernet = ofa.OnceForAll(0.1, 5)
    supernet(torch.randn(2, 3, 32, 32), *LEAST).square().sum().backward()
    gradient = supernet.blocks[0].expand.weight.grad
    assert gradient[:24].any()
    assert not gradient[24:].any()
    assert supernet.blocks[0].depthwise.to5.grad.any()
    assert supernet.blocks[2].expand.weight.grad is None


def test_recalibrated_statistics() -> None:
    supernet = ofa.OnceForAll(0.1, 5, dropout=0)
    shaken(supernet.double().eval())
    old = copy.deepcopy(supernet.state_dict())
    first, second = torch.randn(3, 3, 32, 32, dtype=torch.float64), torch.randn(2, 3, 32, 32, dtype=torch.float64)
    ofa.recalibrate(supernet, [first, second], *LEAST)
    assert not any(module.training for module in supernet.modules())
    maps = [supernet.stem[0](images).transpose(0, 1).flatten(1).detach() for images in (first, second)]
    means, variances = [[value(x) for x in maps] for value in (lambda x: x.mean(1), lambda x: x.var(1, correction=0))]
    assert_same(supernet.stem[1].running_mean, (3 * means[0] + 2 * means[1]) / 5)
    assert_same(supernet.stem[1].running_var, (3 * variances[0] + 2 * variances[1]) / 5)
    new = supernet.state_dict()
    for name in ("running_mean", "running_var"):
        assert not torch.isclose(new[f"blocks.1.expand_norm.{name}"], old[f"blocks.1.expand_norm.{name}"])[:24].any()
        assert torch.equal(new[f"blocks.1.expand_norm.{name}"][24:], old[f"blocks.1.expand_norm.{name}"][24:])
        assert torch.equal(new[f"blocks.2.expand_norm.{name}"], old[f"blocks.2.expand_norm.{name}"])
    assert all(torch.equal(weight, old[name]) for name, weight in supernet.named_parameters())

    ofa.recalibrate(supernet, [first], *SMALL)  # after one batch, its statistics are those in use
    assert_same(supernet(first, *SMALL), supernet.train()(first, *SMALL))
