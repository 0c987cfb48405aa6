"""How samplers of single paths train the shared weights, against gradients that torch works out of one loss."""

import json
from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from archlang_torch.supernet.network import Supernet

import archlang as al
from archlang.relax.engine import Batch
from archlang.relax.method import Method
from archlang.relax.paths.controlled import Controlled
from archlang.relax.paths.fair import Fair
from archlang.relax.paths.paths import Paths
from archlang.relax.paths.sandwich import Sandwich
from archlang.relax.paths.shrinking import Phase, Shrinking
from archlang.relax.paths.uniform import Uniform
from archlang.relax.session import Session
from archlang.relax.settings import WeightSettings
from archlang.relax.updates.reinforce import Reinforce
from archlang.relax.updates.update import Update
from archlang.relax.updates.weights_only import WeightsOnly
from tests.relax.spaces import SPACES
from tests.relax.training import batches_of, session_of

GROWING = Shrinking(phases=[Phase(0.3, "*", programs=3)])
METHODS: dict[str, tuple[Paths, Update]] = {
    "uniform": (Uniform(), WeightsOnly()),
    "fair": (Fair(), WeightsOnly()),
    "sandwich": (Sandwich(), WeightsOnly()),
    "shrinking": (GROWING, WeightsOnly()),
    "controlled": (Controlled(), Reinforce()),
    "controlled by evolution": (Controlled(searcher="evolution"), Reinforce(programs=2)),
    "controlled until nothing is left": (Controlled(searcher="grid"), Reinforce(programs=4)),
}


def supernet_of(session: Session) -> Supernet:
    found: Supernet = session.engine.supernet  # type: ignore[attr-defined]
    return found


def gradients(session: Session) -> dict[str, torch.Tensor | None]:
    return {name: weight.grad for name, weight in supernet_of(session).named_parameters()}


def of_one_loss(session: Session, loss: torch.Tensor) -> dict[str, torch.Tensor | None]:
    named = dict(supernet_of(session).named_parameters())
    found = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
    return dict(zip(named, found, strict=True))


def check_gradients(
    sampler: Paths, text: str, loss: Any, progress: float = 0.0, smoothing: float = 0.0
) -> Sequence[al.Choices]:
    """What a sampler adds are the gradients of `loss`, a function of a forward pass, the targets, and the programs."""
    session = session_of(Method(sampler=sampler, weights=WeightSettings(smoothing=smoothing)), text)
    session.progress = progress
    batch: Any = batches_of(session, 1)[0]
    session.random = Random(5)
    programs = sampler.programs(session)
    session.random, session.notes, session.known = Random(5), {}, {}
    sampler.add_weight_gradients(session, batch)
    found = gradients(session)
    network = supernet_of(session)
    expected = of_one_loss(session, loss(lambda choices: network.path(choices, batch[0]), batch[1], programs))
    for name, gradient in expected.items():
        assert (gradient is None) == (found[name] is None), name
        if gradient is not None:
            torch.testing.assert_close(found[name], gradient, rtol=1e-4, atol=1e-6)
    return programs


def of_labels(run: Any, y: torch.Tensor, programs: Sequence[al.Choices]) -> torch.Tensor:
    return sum((F.cross_entropy(run(choices), y) for choices in programs), torch.zeros(()))


@pytest.mark.parametrize("name", SPACES)
def test_gradients_of_the_programs_of_a_step_are_summed(name: str) -> None:
    assert len(check_gradients(Uniform(), SPACES[name], of_labels)) == 1
    assert len(check_gradients(Fair(), SPACES[name], of_labels)) == 3
    assert len(check_gradients(Controlled(), SPACES[name], of_labels)) == 1


@pytest.mark.parametrize("name", SPACES)
def test_the_largest_program_learns_from_labels_and_teaches_the_others(name: str) -> None:
    def loss(run: Any, y: torch.Tensor, programs: Sequence[al.Choices]) -> torch.Tensor:
        largest, *others = programs
        assert len(others) == 3
        taught = run(largest).detach().softmax(-1)
        total = F.cross_entropy(run(largest), y, label_smoothing=0.1)
        for choices in others:
            total = total + F.kl_div(run(choices).log_softmax(-1), taught, reduction="batchmean")
        return total

    check_gradients(Sandwich(), SPACES[name], loss, smoothing=0.1)


@pytest.mark.parametrize("labels", [1.0, 0.0, 0.5])
def test_shrunk_programs_learn_from_the_largest_and_from_labels(labels: float) -> None:
    def loss(run: Any, y: torch.Tensor, programs: Sequence[al.Choices]) -> torch.Tensor:
        largest = {"width": 8, "depth": 2} | {
            f"layer[{i}].{a}": b for i in (0, 1) for a, b in [("inner", 12), ("size", 5)]
        }
        taught = run(space.choices(largest)).detach().softmax(-1)
        total = torch.zeros(())
        for choices in programs:
            total = total - (taught * run(choices).log_softmax(-1)).sum(-1).mean()
            total = total + labels * F.cross_entropy(run(choices), y, label_smoothing=0.1)
        return total

    space = al.loads(SPACES["elastic"])
    sampler = Shrinking(phases=[Phase(0.3, "*", programs=3)], labels=labels)
    assert len(check_gradients(sampler, SPACES["elastic"], loss, progress=0.5, smoothing=0.1)) == 3


def test_before_the_first_phase_the_largest_program_learns_from_labels() -> None:
    assert len(check_gradients(GROWING, SPACES["elastic"], of_labels)) == 1


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("of", SPACES)
def test_training_learns_a_batch_by_heart(name: str, of: str) -> None:
    sampler, update = METHODS[name]
    settings = WeightSettings(lr=0.03, decay=0)
    session = session_of(Method(sampler=sampler, update=update, weights=settings), SPACES[of])
    train, validation = batches_of(session)
    before = session.engine.measure([train], sampler.programs(session)[0], by_batch=True)["loss"]
    losses = []
    for step in range(12):
        session.progress = step / 12
        losses.append(update.step(session, train, validation))
    after = [
        session.engine.measure([train], session.space.sample(seed).choices, by_batch=True)["loss"] for seed in range(8)
    ]
    assert np.isfinite(losses).all()
    assert sum(after) / len(after) < before


def test_only_those_who_learn_of_the_architecture_need_validation_data() -> None:
    assert not WeightsOnly().uses_validation
    assert Reinforce().uses_validation


# ----------------------------------------------------------------------- controlled

USEFUL = """
use std.nn
space s(x: f32[n, 4]) {
  seen = x |> choose { useless: slice(1, 2, 4), mixed: slice(1, 1, 3), useful: slice(1, 0, 2) } as way
  seen |> linear(8) >> relu |> linear(choose [8, 16] as width) >> relu >> linear(5)
}
"""


def useful_session(searcher: str, programs: int = 1) -> tuple[Session, list[Batch]]:
    settings = WeightSettings(lr=0.2, momentum=0, decay=0)
    method = Method(sampler=Controlled(searcher=searcher), update=Reinforce(programs=programs), weights=settings)
    session = session_of(method, USEFUL)
    random = np.random.default_rng(0)
    x = random.standard_normal((512, 4)).astype(np.float32)
    y = np.where(x[:, 0] > 0, 1, 3)
    return session, [session.engine.batch(x[:256], y[:256]), session.engine.batch(x[256:], y[256:])]


def test_the_policy_learns_from_the_accuracy_of_shared_weights() -> None:
    session, batches = useful_session("reinforce(dedupe=false)")
    for _ in range(120):
        session.method.update.step(session, *batches)
    sampler = session.method.sampler
    drawn = [sampler.programs(session)[0]["way"] for _ in range(100)]
    assert drawn.count("useful") > 80


def test_draws_for_the_weights_are_not_told() -> None:
    session, batches = useful_session("reinforce(dedupe=false)", programs=3)
    sampler = session.method.sampler
    for _ in range(5):
        session.train_weights(batches[0])
    policy = sampler.controller(session).searcher
    assert policy.asked == 0
    for _ in range(5):
        session.method.update.step(session, *batches)
    assert policy.asked == 15
    told = session.notes["controlled"]["told"]
    assert len(told) == 15
    assert all(0 <= reward <= 1 for reward in told)


def test_a_searcher_without_a_policy_has_the_weights_of_what_it_proposes_trained() -> None:
    session, batches = useful_session("grid")
    sampler: Controlled = session.method.sampler
    seen = []
    for _ in range(5):
        session.method.update.step(session, *batches)
        seen.append(sampler.programs(session)[0])
    assert seen == list(session.space.enumerate())[1:6]
    for _ in range(3):  # nothing is left, and training goes on
        session.method.update.step(session, *batches)
    assert len(session.notes["controlled"]["told"]) == 6
    assert sampler.programs(session)[0] in seen + list(session.space.enumerate())[:1]


def test_what_is_told_is_the_accuracy_with_the_statistics_of_the_batch() -> None:
    session = session_of(Method(sampler=Controlled(searcher="grid"), update=Reinforce()), SPACES["elastic"])
    train, (image, y) = batches_of(session, size=32)
    for _ in range(5):
        session.train_weights(train)
    x = image * 9 + 5  # far from what the running statistics have seen
    sampler: Controlled = session.method.sampler
    proposed = sampler.controller(session).asked()
    network = supernet_of(session).program(proposed).build("torch").train()
    accuracy = float((network(x).argmax(-1) == y).float().mean())
    assert session.engine.measure([(x, y)], proposed)["accuracy"] != pytest.approx(accuracy)
    before = supernet_of(session).arrays()
    sampler.learn(session, (x, y))
    assert session.notes["controlled"]["told"] == [pytest.approx(accuracy)]
    for name, array in supernet_of(session).arrays().items():
        np.testing.assert_array_equal(array, before[name])


@pytest.mark.parametrize("searcher", ["reinforce(dedupe=false)", "evolution", "then(random, 3, local_search)", "grid"])
def test_a_controller_is_made_again_from_what_it_was_told(searcher: str) -> None:
    def proposals(session: Session) -> list[al.Choices]:
        found = []
        for _ in range(6):
            session.method.update.step(session, *batches)
            found += session.method.sampler.programs(session)
        return found

    session, batches = useful_session(searcher)
    for _ in range(4):
        session.method.update.step(session, *batches)
    other, _ = useful_session(searcher)
    other.notes = json.loads(json.dumps(session.notes))
    other.random.setstate(session.random.getstate())
    other.engine.restore(session.engine.snapshot())
    assert proposals(other) == proposals(session)
