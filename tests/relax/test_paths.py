"""A supernet's paths: each is the network of its program, with the weights that the program inherits."""

import pytest
import torch
from archlang_torch.supernet.network import Supernet
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import archlang as al
from archlang.relax.plan import plan
from archlang.space import Space
from tests.relax.spaces import SPACES
from tests.space.random_spaces import network_spaces


def image_for(supernet: Supernet, seed: int = 0) -> torch.Tensor:
    (given,) = supernet.varied.inputs
    return torch.randn(3, *given.type.shape[1:], generator=torch.Generator().manual_seed(seed))  # type: ignore[arg-type]


def weights_of(supernet: Supernet, choices: al.Choices) -> dict[tuple[int, bool], torch.Tensor | None]:
    """Weights that are one for what is picked and zero for all else."""
    found: dict[tuple[int, bool], torch.Tensor | None] = {}
    for variable, (position,) in supernet.varied.positions(choices).items():
        decision = supernet.varied.decisions[variable]
        found[variable, False] = torch.eye(int(decision.domain.size))[position]
        if hasattr(decision.domain, "of"):
            chosen = torch.zeros(decision.domain.of)
            chosen[list(decision.domain.pick(position))] = 1  # type: ignore[arg-type]
            found[variable, True] = chosen
    return found


def check_inherits(space: Space, supernet: Supernet, seed: int) -> None:
    program = space.sample(seed=seed)
    image = image_for(supernet, seed)
    for training in (True, False):
        network = supernet.program(program.choices).build("torch").train(training)
        supernet.train(training)
        with torch.no_grad():
            torch.testing.assert_close(supernet.path(program.choices, image), network(image), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("name", SPACES)
def test_programs_inherit_the_weights_of_their_path(name: str, apart: bool, parts: int) -> None:
    space = al.loads(SPACES[name]).partial(parts)
    supernet = space.supernet("torch", apart=apart)
    for seed in range(6):
        check_inherits(space, supernet, seed)


@given(network_spaces(), st.sampled_from([1, 2]))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_programs_of_random_spaces_inherit_the_weights_of_their_path(text: str, parts: int) -> None:
    try:
        space = al.loads(text).partial(parts)
        supernet = space.supernet("torch")
    except al.ArchError:
        assume(False)
        return
    for seed in range(3):
        check_inherits(space, supernet, seed)


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("name", SPACES)
def test_a_mixture_of_one_program_alone_is_that_program(name: str, parts: int) -> None:
    space = al.loads(SPACES[name]).partial(parts)
    supernet = space.supernet("torch").eval()
    image = image_for(supernet)
    for seed in range(6):
        choices = space.sample(seed=seed).choices
        with torch.no_grad():
            mixed = supernet.mixed(weights_of(supernet, choices), image)
            torch.testing.assert_close(mixed, supernet.path(choices, image), rtol=1e-5, atol=1e-6)


def test_an_input_that_only_some_programs_have() -> None:
    """The evaluation of such a space has variables that are no decisions."""
    space = al.loads(
        "use std.nn\nblock residual(f: block)(x: [n, c, h, w]) { x + (x |> f) }\n"
        "space s(image: f32[n, 4, 8, 8]) {\n  width = choose [4, 6]\n"
        "  y = image |> repeat(2, residual(conv2d(width, kernel=1)))\n"
        '  require width == 4, "narrow"\n  y |> global_avg_pool\n}\n'
    )
    check_inherits(space, space.supernet("torch"), seed=0)


def test_gradients_reach_the_shared_weights_as_those_of_the_program() -> None:
    space = al.loads(SPACES["elastic"])
    supernet = space.supernet("torch")
    image = image_for(supernet)
    choices = space.choices({"width": 4, "depth": 1, "layer[0].inner": 9, "layer[0].size": 3})
    program = supernet.program(choices)
    network = program.build("torch")
    supernet.path(choices, image).square().sum().backward()
    network(image).square().sum().backward()
    kernel = dict(network.named_parameters())["layer.0.conv2d_1.weight"].grad
    shared = dict(supernet.named_parameters())["layer[0]/conv2d#1.weight"].grad
    assert kernel is not None
    assert shared is not None
    torch.testing.assert_close(shared[:9, :4, 1:4, 1:4], kernel)
    assert shared.count_nonzero() == shared[:9, :4, 1:4, 1:4].count_nonzero()


def test_statistics_of_a_path_are_kept_in_its_part_of_the_shared_ones() -> None:
    space = al.loads(SPACES["elastic"])
    supernet = space.supernet("torch").train()
    choices = space.choices({"width": 4, "depth": 0})
    supernet.path(choices, image_for(supernet))
    mean = dict(supernet.named_buffers())["batch_norm.running_mean"]
    assert mean[:4].abs().min() > 0
    assert mean[4:].abs().max() == 0


def test_what_alternatives_have_in_common_is_computed_once() -> None:
    space = al.load("std.spaces.nasbench201", repeats=1)
    steps = plan(space.supernet("torch").varied).steps
    relus = [step.inputs for step in steps if getattr(getattr(step, "operation", None), "name", "") == "relu"]
    assert len(relus) == len(set(relus))


def test_a_result_whose_type_is_chosen_cannot_be_mixed() -> None:
    space = al.loads("use std.nn\nspace s(x: f32[n, 4]) { x |> linear(choose [2, 3] as width) }")
    supernet = space.supernet("torch")
    with pytest.raises(al.ArchError, match=r"`width` cannot be mixed: the type of the result depends on it"):
        supernet.mixed({}, torch.randn(2, 4))
    assert supernet.path(space.choices({"width": 3}), torch.randn(2, 4)).shape == (2, 3)


def test_the_sum_of_the_only_subset_is_mixed_by_its_elements() -> None:
    """As edges are normalised where all of a node's are kept."""
    space = al.loads(
        "use std.nn\nspace s(x: f32[n, 4]) { sum(choose 2 of [x |> linear(4), x |> linear(4)] as inputs) }"
    )
    assert [str(decision.domain.size) for decision in space.all_decisions()] == ["1"]
    supernet = space.supernet("torch")
    x = torch.randn(2, 4)
    first, second = (supernet.get_submodule(name)(x) for name in ("linear#1", "linear#2"))
    mixed = supernet.mixed({(0, True): torch.tensor([0.3, 0.7])}, x)
    torch.testing.assert_close(mixed, 0.3 * first + 0.7 * second)
    torch.testing.assert_close(supernet.mixed({(0, True): None}, x), first + second)
    torch.testing.assert_close(supernet.path(space.sample().choices, x), first + second)
