"""Steps of training derived supernets against those of supernets by hand (`benchmarks.oneshot`)."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from typing import Any

import archlang as al
from benchmarks.measure import Figure, compared

CHANNELS, LAYERS = 16, 8
# Of DARTS, where a step by hand on 64 images, as the papers have, takes a quarter of a minute; and of the others.
FEW, MANY = 16, 64
PATHS = 16  # that are drawn before, for the networks by hand; ours are planned as they come


def supernets(repetitions: int) -> Iterator[Figure]:
    """Gradients of one batch: of the weights, or of the architecture; then whole steps. One thread."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    try:
        yield from _one_shot("DARTS", 1, FEW, repetitions)
        yield from _one_shot("PC-DARTS", 4, MANY, repetitions)
        yield _single_path(3 * repetitions)
        yield from _unrolled(repetitions)
    finally:
        torch.set_num_threads(threads)


def _one_shot(name: str, parts: int, count: int, repetitions: int) -> Iterator[Figure]:
    """Time and memory of a step, the architecture by hand left out of it where it is not trained."""
    import torch
    from torch.nn import functional as F

    from benchmarks.oneshot import darts, pc_darts

    session = _session(parts)
    by_hand = (pc_darts.SearchNetwork if parts > 1 else darts.SearchNetwork)(CHANNELS, LAYERS)
    weights = list(by_hand.parameters())
    assert sum(map(torch.Tensor.numel, weights)) == sum(map(torch.Tensor.numel, session.engine.supernet.parameters()))
    images, labels = batch = _batch(count)

    def gradients_by_hand(wanted: Sequence[torch.Tensor]) -> None:
        for tensor in by_hand.architecture:
            tensor.requires_grad_(wanted is not weights)
        torch.autograd.grad(F.cross_entropy(by_hand(images), labels), wanted)

    def weight_step() -> None:
        session.engine.add_gradients(session.loss(batch), weights=True)
        session.engine.clear(weights=True)

    def architecture_step() -> None:
        session.engine.add_gradients(session.objective(batch), parameters=True)
        session.engine.clear(parameters=True)

    for what, ours, wanted in (
        ("weights", weight_step, weights),
        ("architecture", architecture_step, by_hand.architecture),
    ):
        hand = lambda wanted=wanted: gradients_by_hand(wanted)  # noqa: E731
        yield compared(f"{name}, {what}, {count} images", ours, hand, repetitions, aim=0.9)
        yield Figure(f"{name}, {what}: memory", (_peak(ours),), 0.9, (_peak(hand),), "MiB")


def _single_path(repetitions: int) -> Figure:
    """A path drawn for each step, against the networks of the same programs, which are there before."""
    import torch
    from archlang_torch.supernet.engine import TorchEngine
    from torch.nn import functional as F

    from archlang.relax.settings import ArchitectureSettings, WeightSettings
    from benchmarks.oneshot.gdas import PRIMITIVES
    from benchmarks.oneshot.sampled import SampledNetwork

    space = al.load("std.spaces.nasbench201", supernet=True)
    engine = TorchEngine(space.supernet("torch"), {}, WeightSettings(), ArchitectureSettings())
    draws = random.Random(0)
    paths = [[draws.choice(PRIMITIVES) for _ in range(6)] for _ in range(PATHS)]
    networks = cycle([SampledNetwork(path) for path in paths])
    ours = cycle(paths)
    images, labels = batch = _batch(MANY)

    def step() -> None:
        engine.supernet._plans.clear()
        choices = space.choices({f"shared/edge#{edge}": op for edge, op in enumerate(next(ours), 1)})
        engine.add_gradients(lambda: engine.loss(batch, choices), weights=True)
        engine.clear(weights=True)

    def by_hand() -> None:
        network = next(networks)
        loss = F.cross_entropy(network(images), labels)
        torch.autograd.grad(loss, list(network.parameters()), allow_unused=True)

    return compared("NAS-Bench-201, one path", step, by_hand, repetitions, aim=1.05)


def _unrolled(repetitions: int) -> Iterator[Figure]:
    """A second-order step of DARTS against that by hand, and against a first-order one, optimizers included."""
    import torch
    from torch.nn import functional as F

    from archlang.relax.updates.alternating import Alternating
    from archlang.relax.updates.unrolled import Unrolled
    from benchmarks.oneshot import darts

    session = _session(1)
    by_hand = darts.SearchNetwork(CHANNELS, LAYERS)
    train, validation = _batch(FEW), _batch(FEW)

    def step(update: Alternating) -> Callable[[], float]:
        return lambda: update.step(session, train, validation)

    def step_by_hand() -> None:
        darts.second_order(by_hand, F.cross_entropy, train, validation, session.rate)
        images, labels = train
        for parameter in by_hand.architecture:
            parameter.requires_grad_(False)
        torch.autograd.grad(F.cross_entropy(by_hand(images), labels), list(by_hand.parameters()))
        for parameter in by_hand.architecture:
            parameter.requires_grad_(True)

    yield compared("DARTS, unrolled", step(Unrolled()), step_by_hand, repetitions, aim=0.9)
    yield compared("DARTS, unrolled by first-order", step(Unrolled()), step(Alternating()), repetitions, aim=2.5)


def _session(parts: int) -> Any:
    """A session of DARTS, or of PC-DARTS where channels are in parts."""
    import numpy as np
    from archlang_torch.supernet.engine import TorchEngine

    from archlang.relax.feeding import Feeding
    from archlang.relax.method import Method
    from archlang.relax.mixtures.softmax import Softmax
    from archlang.relax.questions import questions
    from archlang.relax.session import Session

    space = al.load("std.spaces.darts", channels=CHANNELS, layers=LAYERS, supernet=True).partial(parts)
    method = Method(sampler=Softmax(null=True, edges="softmax" if parts > 1 else "all"))
    supernet = space.supernet("torch")
    asked = questions(supernet.varied)
    parameters = method.sampler.parameters(asked, np.random.default_rng(0))
    engine: Any = TorchEngine(supernet, parameters, method.weights, method.architecture)
    nothing = np.zeros((1, 3, 32, 32)), np.zeros(1)
    feeding = Feeding(engine, nothing, nothing, nothing, 1, 0)
    return Session(method, space, engine, asked, random.Random(0), feeding, rate=method.weights.lr)


def _batch(count: int) -> Any:
    import torch

    return torch.randn(count, 3, 32, 32), torch.randint(10, (count,))


def _peak(action: Callable[[], Any]) -> float:
    """The most that an action has allocated at once beside what was there before, in MiB, by torch's own account."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        action()
    results: Any = profiled.profiler
    events = [each for each in results.kineto_results.events() if each.name() == "[memory]"]
    level = most = 0
    for event in sorted(events, key=lambda each: each.start_ns()):
        level += event.nbytes()
        most = max(most, level)
    return most / 2**20
