"""The engine in PyTorch: statistics for a path, and training that goes on from a file."""

import json
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from archlang_torch.supernet.network import Supernet
from torch import nn

import archlang as al
from archlang.relax.engine import Batch
from archlang.relax.method import Method
from archlang.relax.mixtures.softmax import Softmax
from archlang.relax.paths.controlled import Controlled
from archlang.relax.paths.fair import Fair
from archlang.relax.paths.sandwich import Sandwich
from archlang.relax.paths.shrinking import Phase, Shrinking
from archlang.relax.paths.uniform import Uniform
from archlang.relax.session import Session
from archlang.relax.updates.reinforce import Reinforce
from archlang.relax.updates.unrolled import Unrolled
from archlang.relax.updates.weights_only import WeightsOnly
from tests.relax.spaces import SPACES
from tests.relax.training import batches_of, session_of

DROPPING = """
use std.nn
space dropping(image: f32[n, 3, 8, 8]) {
  image |> conv2d(choose [4, 6] as width) >> batch_norm >> relu |> edge |> global_avg_pool >> linear(5)
}
block edge(x: [n, c, h, w]) -> [n, c, h, w] {
  x |> choose { drop: dropout(0.5), keep: identity, conv: conv2d(c) >> dropout(0.2) >> batch_norm } as way
}
"""


def supernet_of(session: Session) -> Supernet:
    found: Supernet = session.engine.supernet  # type: ignore[attr-defined]
    return found


# -------------------------------------------------------------------- recalibration


def statistics_of(network: nn.Module, batches: list[Any]) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """By the name of each batch norm the mean and the biased variance of what it is given, in float64, each
    batch weighted by its size, while all take the statistics of the batch and all else is in evaluation mode."""
    seen: dict[str, list[tuple[int, torch.Tensor, torch.Tensor]]] = {}
    handles = []
    network.eval()
    for name, module in network.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            module.train()

            def note(_: nn.Module, given: tuple[torch.Tensor, ...], name: str = name) -> None:
                (x,) = given
                flat = x.detach().double().transpose(0, 1).flatten(1)
                seen.setdefault(name, []).append((len(x), flat.mean(1), flat.var(1, unbiased=False)))

            handles.append(module.register_forward_pre_hook(note))
    with torch.no_grad():
        for x, _ in batches:
            network(x)
    for handle in handles:
        handle.remove()
    return {
        name: tuple(  # type: ignore[misc]
            sum(size * found[which] for size, *found in parts) / sum(size for size, *_ in parts) for which in (0, 1)
        )
        for name, parts in seen.items()
    }


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("name", ["nested", "elastic", "subsets", "recursive"])
def test_a_recalibrated_path_has_the_statistics_of_the_batches(name: str, apart: bool) -> None:
    space = al.loads(SPACES[name])
    session = session_of(Method(sampler=Uniform()), space)
    supernet = space.supernet("torch", apart=apart)
    session.engine = type(session.engine)(supernet, {}, session.method.weights, session.method.architecture)  # type: ignore[call-arg]
    batches: list[Any] = [batches_of(session, 1, size, seed=size)[0] for size in (8, 3, 5)]
    for step in range(8):
        session.train_weights(batches[step % 3])
    checked: set[str] = set()
    for seed in range(8):
        choices = space.sample(seed).choices
        expected = statistics_of(supernet.program(choices).build("torch"), batches)
        checked.update(expected)
        session.engine.recalibrate(batches, choices)
        found = dict(supernet.program(choices).build("torch").named_modules())
        for at, (mean, variance) in expected.items():
            norm = found[at]
            assert isinstance(norm, nn.BatchNorm2d)
            torch.testing.assert_close(norm.running_mean, mean.float(), rtol=1e-4, atol=1e-6)
            torch.testing.assert_close(norm.running_var, variance.float(), rtol=1e-4, atol=1e-6)
    assert checked


def test_recalibration_leaves_all_else_as_it_is() -> None:
    space = al.loads(SPACES["elastic"])
    session = session_of(Method(sampler=Uniform()), space)
    batches = batches_of(session)
    for _ in range(5):
        session.train_weights(batches[0])
    choices = space.choices({"width": 4, "depth": 1, "layer[0].inner": 9, "layer[0].size": 3})
    before = supernet_of(session).arrays()
    session.engine.recalibrate(batches, choices)
    parts = {"batch_norm": 4, "layer[0]/batch_norm": 9}
    changed = {f"{at}.{name}" for at in parts for name in ("mean", "variance")}
    for name, array in supernet_of(session).arrays().items():
        if name in changed:
            used = parts[name.rpartition(".")[0]]
            assert (array[:used] != before[name][:used]).all()
            np.testing.assert_array_equal(array[used:], before[name][used:])
        else:
            np.testing.assert_array_equal(array, before[name])
    again = supernet_of(session).arrays()
    session.engine.recalibrate([], choices)
    for name, array in supernet_of(session).arrays().items():
        np.testing.assert_array_equal(array, again[name])


def test_recalibration_drops_nothing() -> None:
    space = al.loads(DROPPING)
    session = session_of(Method(sampler=Uniform()), space)
    batches = batches_of(session)
    choices = space.choices({"width": 6, "edge.way": "conv"})
    found = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        session.engine.recalibrate(batches, choices)
        found.append(supernet_of(session).arrays())
    for name, array in found[0].items():
        np.testing.assert_array_equal(array, found[1][name])


def test_a_mixture_is_recalibrated_as_a_whole() -> None:
    """Every batch norm of a mixture, with the alternatives weighted as they are."""
    session = session_of(Method(sampler=Softmax()), SPACES["elastic"])
    batches = batches_of(session)
    before = supernet_of(session).arrays()
    session.engine.recalibrate(batches, session.draw(of_weights=True))
    after = supernet_of(session).arrays()
    for name, array in after.items():
        assert (array != before[name]).all() == name.endswith((".mean", ".variance")), name


# -------------------------------------------------------------------------- measure


def test_measures_in_evaluation_mode_or_with_the_statistics_of_each_batch() -> None:
    space = al.loads(SPACES["nested"])
    session = session_of(Method(sampler=Uniform()), space)
    batches: list[Any] = [batches_of(session, 1, size, seed=size)[0] for size in (8, 4)]
    for _ in range(3):
        session.train_weights(batches[0])
    choices = space.choices({"cell": "conv", "cell:conv.kernel": 3})
    for own in (False, True):
        network = supernet_of(session).program(choices).build("torch").train(own)
        with torch.no_grad():
            outputs = torch.cat([network(x) for x, _ in batches])
        y = torch.cat([y for _, y in batches])
        measured = session.engine.measure(batches, choices, by_batch=own)
        assert measured["loss"] == pytest.approx(float(nn.functional.cross_entropy(outputs, y)), rel=1e-5)
        assert measured["accuracy"] == pytest.approx(float((outputs.argmax(-1) == y).float().mean()))


# ---------------------------------------------------------------------------- state

METHODS = {
    "softmax": Method(sampler=Softmax()),
    "second order": Method(sampler=Softmax(edges="softmax"), update=Unrolled()),
    "uniform": Method(sampler=Uniform(), update=WeightsOnly()),
    "fair": Method(sampler=Fair(), update=WeightsOnly()),
    "sandwich": Method(sampler=Sandwich(), update=WeightsOnly()),
    "shrinking": Method(sampler=Shrinking(phases=[Phase(0.2, "*", programs=2)]), update=WeightsOnly()),
    "controlled": Method(sampler=Controlled(), update=Reinforce()),
}


def trained(session: Session, batches: list[Batch], steps: range) -> None:
    for step in steps:
        session.progress, session.rate = step / 6, 0.1 / (1 + step)
        session.method.update.step(session, batches[step % 3], batches[(step + 1) % 3])


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("of", ["dropping", "subsets", "recursive"])
def test_three_steps_and_three_more_from_a_file_are_six(name: str, of: str, tmp_path: Path) -> None:
    method, text = METHODS[name], DROPPING if of == "dropping" else SPACES[of]
    torch.manual_seed(0)
    whole = session_of(method, text)
    batches = batches_of(whole, 3)
    trained(whole, batches, range(6))

    torch.manual_seed(0)
    first = session_of(method, text)
    trained(first, batches, range(3))
    np.savez(tmp_path / "state.npz", **first.engine.state())
    notes, random = json.dumps(first.notes), first.random.getstate()

    torch.manual_seed(1)
    second = session_of(method, text, seed=7)
    with np.load(tmp_path / "state.npz", allow_pickle=False) as file:
        second.engine.set_state(dict(file))
    second.notes, second.random = json.loads(notes), Random()
    second.random.setstate(random)
    trained(second, batches, range(3, 6))

    expected, found = whole.engine.state(), second.engine.state()
    assert found.keys() == expected.keys()
    for key, array in expected.items():
        np.testing.assert_array_equal(found[key], array, err_msg=key, strict=True)
    assert second.notes == json.loads(json.dumps(whole.notes))
    assert second.random.getstate() == whole.random.getstate()


def test_a_state_is_a_copy() -> None:
    session = session_of(Method(sampler=Softmax()))
    batches = batches_of(session, 3)
    trained(session, batches, range(2))
    state = session.engine.state()
    kept = {name: array.copy() for name, array in state.items()}
    trained(session, batches, range(2, 4))
    for name, array in state.items():
        np.testing.assert_array_equal(array, kept[name])
    for array in state.values():
        array.flags.writeable = False  # as those of some files are
    session.engine.set_state(state)
    trained(session, batches, range(2, 4))
    for name, array in state.items():
        np.testing.assert_array_equal(array, kept[name])


def test_a_state_of_the_beginning_forgets_what_optimizers_kept() -> None:
    session = session_of(Method(sampler=Softmax()))
    batches = batches_of(session, 3)
    torch.manual_seed(0)
    state = session.engine.state()
    trained(session, batches, range(3))
    once = session.engine.state()
    session.engine.set_state(state)
    trained(session, batches, range(3))
    for name, array in session.engine.state().items():
        np.testing.assert_array_equal(array, once[name], err_msg=name)


def test_a_state_of_another_supernet_is_refused() -> None:
    session = session_of(Method(sampler=Softmax()))
    before = session.engine.state()
    other = session_of(Method(sampler=Softmax()), SPACES["nested"]).engine.state()
    with pytest.raises(al.ArchError, match="the state is that of another supernet or another method") as caught:
        session.engine.set_state(other)
    notes = caught.value.diagnostics[0].notes
    assert any("is missing" in note for note in notes)
    wrong = {**before, "supernet/linear.weight": before["supernet/linear.weight"][:, :2]}
    with pytest.raises(al.ArchError) as caught:
        session.engine.set_state(wrong)
    assert caught.value.diagnostics[0].notes == ("`supernet/linear.weight` has the shape (5, 2), expected (5, 4)",)
    with pytest.raises(al.ArchError) as caught:
        session.engine.set_state({**before, "parameters/more": before["parameters/edge#1"]})
    assert caught.value.diagnostics[0].notes == ("there is no `parameters/more` here",)
    for name, array in session.engine.state().items():
        np.testing.assert_array_equal(array, before[name])
