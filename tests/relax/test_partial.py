"""Partial channels, derived for any space: of that of DARTS they make the network of PC-DARTS."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import archlang as al
from archlang.relax.varied import Varied
from archlang.semantics.partial import SEGMENT
from archlang.space import Program, Space
from archlang.study.origin import require_same_space, space_from_record, space_record
from benchmarks.by_hand import FactorizedReduce
from benchmarks.oneshot import darts, pc_darts
from tests.relax.spaces import SPACES


def space_of(body: str, blocks: str = "", given: str = "f32[n, 8, 6, 6]") -> Space:
    return al.loads(f"use std.nn\n{blocks}\nspace s(x: {given}) {{ {body} }}")


def ops(program: Program) -> list[str]:
    """The ops of a network, those of partial channels in brackets."""
    return [
        f"({node.operation.name})" if SEGMENT in node.address else node.operation.name for node in program.graph.nodes
    ]


def is_partial(program: Program) -> bool:
    return "(slice)" in ops(program)


# --------------------------------------------------------- as networks by hand

LAYERS = {
    "skip_connect": ("conv2d#1", "conv2d#2"),
    "sep_conv_3x3": ("depthwise_conv2d#1", "conv2d#1", "depthwise_conv2d#2", "conv2d#2"),
    "sep_conv_5x5": ("depthwise_conv2d#1", "conv2d#1", "depthwise_conv2d#2", "conv2d#2"),
    "dil_conv_3x3": ("depthwise_conv2d", "conv2d"),
    "dil_conv_5x5": ("depthwise_conv2d", "conv2d"),
}


def kernels_by_hand(network: darts.SearchNetwork) -> Iterator[tuple[str, Tensor]]:
    """The weights of cells by hand, by the addresses of the same in the space."""
    for layer, cell in enumerate(network.cells):
        assert isinstance(cell, darts.Cell)
        at = f"{'reduce' if cell.reduce else 'normal'}[{layer}]"
        if isinstance(cell.first, FactorizedReduce):
            yield from zip((f"{at}/factorized_reduce/conv2d#{k}" for k in (1, 2)), cell.first.parameters(), strict=True)
        else:
            yield f"{at}/relu_conv_bn#1/conv2d", next(cell.first.parameters())
        yield f"{at}/relu_conv_bn#2/conv2d", next(cell.second.parameters())
        edges = iter(cell.edges)
        for node in range(cell.nodes):
            for state in range(2 + node):
                edge = next(edges)
                mixed = edge.mixed if isinstance(edge, pc_darts.MixedOp) else edge
                assert isinstance(mixed, darts.MixedOp)
                for label, candidate in mixed.ops.items():
                    for name, kernel in zip(LAYERS.get(label, ()), candidate.parameters(), strict=False):
                        yield f"{at}/candidate[{node}][{state}]:{label}/{name}", kernel


def arrays_by_hand(network: darts.SearchNetwork) -> dict[str, np.ndarray]:
    named = {f"{at}.kernel": kernel for at, kernel in kernels_by_hand(network)}
    conv, norm = network.stem
    assert isinstance(norm, nn.BatchNorm2d)
    named |= {"conv2d.kernel": conv.weight, "batch_norm.scale": norm.weight, "batch_norm.bias": norm.bias}
    named |= {"linear.kernel": network.classifier.weight, "linear.bias": network.classifier.bias}
    return {name: tensor.detach().numpy() for name, tensor in named.items()}


def mixture(varied: Varied, network: darts.SearchNetwork) -> dict[tuple[int, bool], Tensor | None]:
    """What edges take by hand, by decision; all `none` gives is nothing."""
    found: dict[tuple[int, bool], Tensor | None] = {}
    by_address = {decision.address: variable for variable, decision in varied.decisions.items()}
    for cell, (alphas, *betas) in zip(("normal", "reduce"), network.weights(), strict=True):
        edge = 0
        for node in range(network.nodes):
            for state in range(2 + node):
                found[by_address[f"{cell}/candidate[{node}][{state}]"], False] = alphas[edge + state][1:]
            inputs = by_address[f"{cell}.inputs[{node}]"]
            found[inputs, True] = betas[0][edge : edge + 2 + node] if betas else None
            edge += 2 + node
    return found


@pytest.mark.parametrize(("network", "parts"), [(darts.SearchNetwork, 1), (pc_darts.SearchNetwork, 4)])
def test_the_derived_network_is_that_by_hand(network: type[darts.SearchNetwork], parts: int) -> None:
    """Outputs, and the gradients of weights and architecture."""
    torch.manual_seed(0)
    by_hand = network(channels=8, layers=3)
    for tensor in by_hand.architecture:
        tensor.data = torch.randn(tensor.shape)
    derived = al.load("std.spaces.darts", channels=8, layers=3, supernet=True).partial(parts).supernet("torch")
    states = {name: array for name, array in derived.arrays().items() if name.endswith((".mean", ".variance"))}
    arrays = arrays_by_hand(by_hand)
    assert {*states, *arrays} == {*derived.arrays()}
    derived.set_arrays(states | arrays)
    image = torch.randn(2, 3, 32, 32)
    results = derived.mixed(mixture(derived.varied, by_hand), image), by_hand(image)
    torch.testing.assert_close(*results, rtol=1e-5, atol=1e-5)
    gradients = [torch.autograd.grad(result.square().sum(), by_hand.architecture) for result in results]
    for found, wanted in zip(*gradients, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    derived.mixed(mixture(derived.varied, by_hand), image).square().sum().backward()
    found_by_name = {name: weight.grad for name, weight in derived.named_parameters()}
    by_hand(image).square().sum().backward()
    for at, kernel in kernels_by_hand(by_hand):
        torch.testing.assert_close(found_by_name[f"{at}.weight"], kernel.grad, rtol=1e-4, atol=1e-5)


def test_parameters_of_pc_darts() -> None:
    """The 588 numbers of the published architecture are not among them."""
    space = al.load("std.spaces.darts", channels=16, layers=8, supernet=True).partial(4)
    found = sum(parameter.numel() for parameter in space.supernet("torch").parameters())
    assert found == sum(parameter.numel() for parameter in pc_darts.SearchNetwork().parameters()) == 299_578


# ------------------------------------------------------------------ the space


@pytest.mark.parametrize("name", SPACES)
def test_decisions_are_those_of_the_space(name: str) -> None:
    space = al.loads(SPACES[name])
    partial = space.partial(2)
    assert partial.size == space.size
    assert partial.all_decisions() == space.all_decisions()
    for seed in range(3):
        program = partial.sample(seed)
        assert space.program(program.choices).choices == program.choices
        assert al.loads(program.source()).program().canonical_hash == program.canonical_hash
        assert al.loads(program.source(flat=True)).program().canonical_hash == program.canonical_hash


def test_parts_are_part_of_what_a_space_is() -> None:
    space = al.loads(SPACES["nested"])
    assert len({space.digest, space.partial(2).digest, space.partial(4).digest}) == 3
    assert space.partial(1).digest == space.partial(4).partial(1).digest == space.digest
    assert space.partial(2).narrowed("params < 100").partial_channels == 2
    kept = space_from_record(space_record(space.partial(2)))
    assert kept.digest == space.partial(2).digest
    with pytest.raises(al.ArchError) as caught:
        require_same_space(space_record(space), space.partial(2))
    assert "`partial_channels` was 1, now it is 2" in caught.value.diagnostics[0].notes


def test_costs_are_those_of_partial_channels() -> None:
    space = space_of("x |> choose { a: conv, b: identity }", CONV)
    assert space.bounds("params").most.value == 8 * 8 * 9
    assert space.partial(4).bounds("params").most.value == 2 * 2 * 9
    assert space.partial(4).program({"choice": "a"}).cost().params == 2 * 2 * 9


def test_no_parts() -> None:
    with pytest.raises(al.ArchError, match="channels cannot be divided into 0 parts"):
        al.loads(SPACES["nested"]).partial(0)


def test_a_space_that_is_not_evaluated_as_a_whole() -> None:
    space = al.loads(
        "use std.nn\nspace s(x: f32[n, 8, 6, 6]) {\n  k = choose 1..1000000\n"
        "  x |> choose { a: relu, b: identity } |> repeat(if k > 1000 { 2 } else { 1 }, relu)\n}",
        check=False,
    ).partial(2)
    assert space.analysis.once is None
    with pytest.raises(al.ArchError, match="`s` cannot have partial channels"):
        space.program({"choice": "a", "k": 7})


# ------------------------------------------------------------- where it is so

CONV = "block conv(x: [n, c, h, w]) { x |> conv2d(c) }\n"
PARTS = ["(slice)", "conv2d", "(slice)", "(concat)", "(channel_shuffle)"]


@pytest.mark.parametrize(
    ("body", "blocks"),
    [
        ("x |> choose { a: conv, b: identity }", CONV),
        ("x |> conv_or_not", "block conv_or_not(x: [n, c, h, w]) { x |> choose { a: conv2d(c), b: identity } }"),
        ("x |> f", "block f(x: [n, c, h, w]) { mixed = choose { a: conv2d(c), b: identity }\n x |> mixed }"),
        ("x |> f", "block f(x: [n, c, h, w]) { mixed = choose { a: conv2d(c), b: identity }\n mixed(x) }"),
        ("x |> f", "block f(x: [n, c, h, w]) { k = 2 * c\n x |> choose { a: conv2d(k // 2), b: identity } }"),
        ("x |> f(8)", "block f(width: int)(x: [n, width, h, w]) { x |> choose { a: conv2d(width), b: identity } }"),
        ("x |> f", "block f(x: [n, c, h, w]) { y = x |> identity\n y |> choose { a: conv2d(c), b: identity } }"),
        ("x |> f", "block f(x: [n, c, ...rest]) { x |> choose { a: choose { p: conv2d(c) }, b: identity } }"),
        ("shared = share choose { a: conv, b: identity }\n x |> shared", CONV),
    ],
)
def test_the_first_part_goes_through_the_choice(body: str, blocks: str) -> None:
    space = space_of(body, blocks).partial(4)
    (picks,) = [dict(choices) for choices in space.enumerate() if "a" in choices.values()]
    found = [op for op in ops(space.program(picks)) if op != "identity"]
    assert found == PARTS
    kinds = [node.operation.output.shape[1] for node in space.program(picks).graph.nodes]
    assert [size for size in kinds if size != 8] == [2, 2, 6]


def test_every_step_of_a_repeat_is_partial() -> None:
    space = space_of("x |> repeat(2, choose { a: conv, b: identity })", CONV).partial(4)
    assert ops(space.program({"choice": "a"})) == 2 * PARTS
    written_here = "block f(x: [n, c, h, w]) { x |> repeat(c // 4, choose { a: conv2d(c), b: identity }) }"
    assert ops(space_of("x |> f", written_here).partial(4).program({"f": "a"})) == 2 * PARTS


@pytest.mark.parametrize(
    ("given", "stride", "ceil"),
    [("f32[n, 8, 6, 4]", 2, False), ("f32[n, 8, 5, 6]", 2, True), ("f32[n, 8, 5, 7]", 2, True)],
)
def test_the_rest_is_pooled_where_the_size_halves(given: str, stride: int, ceil: bool) -> None:
    body = f"x |> choose {{ a: max_pool2d(3, stride={stride}), b: avg_pool2d(3, stride={stride}) }}"
    program = space_of(body, given=given).partial(2).program({"choice": "b"})
    assert ops(program) == ["(slice)", "avg_pool2d", "(slice)", "(max_pool2d)", "(concat)", "(channel_shuffle)"]
    pool = program.graph.nodes[3].operation
    assert [pool.attribute(name) for name in ("kernel", "stride", "padding", "ceil")] == [2, 2, 0, ceil]


@pytest.mark.parametrize(("given", "last"), [("f32[n, 8]", 1), ("f32[n, 5, 8]", 2)])
def test_other_ranks(given: str, last: int) -> None:
    block = "block f(x: [...lead, d]) { x |> choose { a: linear(d), b: identity } }"
    program = space_of("x |> f", block, given).partial(4).program({"f": "a"})
    shuffled = ["(channel_shuffle)"] if last == 1 else []
    assert ops(program) == ["(slice)", "linear", "(slice)", "(concat)", *shuffled]
    assert program.graph.nodes[1].operation.output.shape[last] == 2


@pytest.mark.parametrize(
    ("body", "blocks"),
    [
        # what is chosen is no block
        ("x |> conv2d(8, kernel=choose [1, 3])", ""),
        ("y = if (choose [true, false] as more) { x |> relu } else { x }\n y |> conv2d(8)", ""),
        ("x |> [identity, conv][choose 0..1 as depth]", CONV),
        # the parts do not divide the channels
        ("x |> conv2d(6) >> choose { a: conv, b: identity }", CONV),
        # alternatives have a width of their own, be it that of the part
        ("x |> choose { a: conv2d(8), b: identity }", ""),
        ("x |> choose { a: conv2d(2), b: conv2d(2, kernel=1) }", ""),
        # alternatives differ in type
        ("x |> choose { a: conv2d(8, stride=2), b: conv2d(8) } |> global_avg_pool", ""),
        ("x |> choose { a: global_avg_pool, b: flatten >> linear(8) }", ""),
        # the size changes otherwise than by halves
        ("x |> choose { a: max_pool2d(3, stride=3), b: avg_pool2d(3, stride=3) }", ""),
        # an alternative that only all channels have
        ("x |> f", "block f(x: [n, c, h, w]) { x |> choose { a: conv2d(c, groups=4), b: identity } }"),
        # what hangs from the choice would have other picks
        (
            "x |> f",
            "block f(x: [n, c, h, w]) { x |> choose { a: conv2d(choose 1..c as k) >> conv2d(c), b: conv2d(c) } }",
        ),
        # a value without channels
        ("(x, x) |> choose { a: concat, b: add } |> global_avg_pool >> linear(2)", ""),
    ],
)
def test_elsewhere_the_choice_is_applied_to_all(body: str, blocks: str) -> None:
    space = space_of(body, blocks)
    for seed in range(6):
        choices = space.sample(seed).choices
        partial = space.partial(4).program(choices)
        assert partial.canonical_hash == space.program(choices).canonical_hash
        assert not is_partial(partial)


def test_a_choice_inside_an_alternative_is_partial_again() -> None:
    block = "block outer(x: [n, c, h, w]) { x |> relu >> choose { c: conv2d(c), d: identity } }"
    program = (
        space_of("x |> choose { a: outer, b: identity }", block).partial(2).program({"choice": "a", "choice:a": "c"})
    )
    (kernel,) = [node.operation.weights[0].shape for node in program.graph.nodes if node.operation.name == "conv2d"]
    assert kernel == (2, 2, 3, 3)


def test_programs_that_are_left_out_stay_so() -> None:
    """A requirement in an alternative holds for the part as for all; else the choice is applied to all."""
    guarded = 'block f(x: [n, c, h, w]) { require c > 4, "wide"\n x |> conv2d(c) }'
    space = space_of("x |> choose { a: f, b: identity }", guarded)
    assert space.partial(2).size == space.size == 2
    assert not is_partial(space.partial(2).program({"choice": "b"}))
    small = space_of("x |> conv2d(choose [4, 8] as width) >> choose { a: f, b: identity } |> global_avg_pool", guarded)
    assert small.partial(2).size == small.size == 3


def test_mixing_comes_before_the_concatenation() -> None:
    """One sum over a part of the channels, and one shuffle after it."""
    supernet = space_of("x |> choose { a: conv, b: identity, c: relu }", CONV).partial(4).supernet("torch")
    x = torch.randn(2, 8, 6, 6)
    weights = torch.tensor([0.5, 0.3, 0.2])
    found = supernet.mixed({(0, False): weights}, x)
    kernel = next(supernet.parameters())
    part = 0.5 * nn.functional.conv2d(x[:, :2], kernel, padding=1) + 0.3 * x[:, :2] + 0.2 * x[:, :2].relu()
    wanted = nn.functional.channel_shuffle(torch.cat([part, x[:, 2:]], 1), 4)
    torch.testing.assert_close(found, wanted)
