"""Penalties: expected costs against enumerated programs, the others against their formulas."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest
import torch
from archlang_torch.supernet.engine import TorchEngine
from archlang_torch.supernet.tensors import TorchTensors
from attrs import evolve
from hypothesis import HealthCheck, assume, given, settings
from scipy.optimize import minimize
from torch import Tensor

import archlang as al
from archlang.cost.table import CostTable, Row, configuration
from archlang.relax.expectation import Expectation, chances
from archlang.relax.method import Method
from archlang.relax.mixtures.dirichlet import Dirichlet
from archlang.relax.mixtures.gates import Gates
from archlang.relax.mixtures.mixture import Mixture
from archlang.relax.mixtures.sigmoid import Sigmoid
from archlang.relax.mixtures.softmax import Softmax
from archlang.relax.penalties.concentration import Concentration, divergence
from archlang.relax.penalties.cost import AddedCost, MultipliedCost
from archlang.relax.penalties.entropy import Entropy
from archlang.relax.penalties.lagrangian import Lagrangian
from archlang.relax.penalties.penalty import Penalty
from archlang.relax.penalties.projection import Projection
from archlang.relax.penalties.zero_one import ZeroOne
from archlang.relax.questions import Question, questions
from archlang.relax.session import Session
from archlang.relax.settings import ArchitectureSettings, Schedule
from archlang.relax.varied import Varied
from archlang.semantics.decision import Subsets
from archlang.space import Space
from tests.relax.spaces import SPACES
from tests.relax.training import TWO, batches_of, session_of
from tests.space.random_spaces import network_spaces

# Layers of which the first decides how wide the others are, weights that are tied, and a depth.
TIED = """
use std.nn
block layer(width: int)(x: [n, d]) -> [n, d] {
  x |> linear(width * choose [1, 2, 3] as ratio) >> choose { relu: relu, more: linear(width) >> gelu } >> linear(d)
}
space tied(x: f32[n, 6]) {
  same = tie layer(choose [4, 8] as width)
  x |> repeat(choose 1..3 as depth, same) |> choose { none: zero, last: layer(5) } as end |> linear(5)
}
"""
# Sums of one, two or three elements.
LENGTHS = """
use std.nn
space lengths(x: f32[n, 6]) {
  parts = [x |> linear(4), x |> linear(3) >> linear(4), x |> linear(8) >> linear(4)]
  sum(choose 1..3 of parts as inputs) |> linear(5)
}
"""
ENUMERATED = {
    **{name: text for name, text in SPACES.items() if name != "transformer"},
    "two": TWO,
    "tied": TIED,
    "lengths": LENGTHS,
}


class Doubles(TorchTensors):
    """Tensors of 64 bits."""

    def constant(self, values: object) -> Tensor:
        return torch.as_tensor(values, dtype=torch.float64)


DOUBLES = Doubles(torch.device("cpu"), 0)


def parameters_of(mixture: Mixture, asked: tuple[Question, ...], seed: int = 0) -> dict[str, Tensor]:
    """Logits spread widely, in float64."""
    random = np.random.default_rng(seed)
    found = mixture.parameters(asked, random)
    return {
        name: torch.from_numpy(random.standard_normal(len(first))).requires_grad_() for name, first in found.items()
    }


def likelihood(pick: object, question: Question | None, logits: Mapping[str, Tensor], domain: object) -> Tensor:
    """How likely a pick is under a softmax mixture, by the definition."""
    if question is not None and question.by_pick:
        place = question.domain.index(pick)
        return logits[question.name].softmax(0)[question.open.index(place)]
    name = f"{question.name}:elements" if question is not None else ""
    if name in logits:
        assert isinstance(domain, Subsets)
        weights = logits[name].softmax(0)
        products = {chosen: torch.stack([weights[e] * domain.of for e in chosen]).prod() for chosen in domain.picks()}
        assert isinstance(pick, tuple)
        return products[pick] / sum(products.values())
    return torch.tensor(1 / domain.size, dtype=torch.float64)  # type: ignore[attr-defined]


def enumerated(
    space: Space, asked: tuple[Question, ...], logits: Mapping[str, Tensor], cost: str
) -> tuple[Tensor, Tensor]:
    """The probability of all programs, and their mean cost, from the graph of each."""
    by_decision = {(question.name, question.domain): question for question in asked}
    total, mass = torch.zeros((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)
    for choices in space.enumerate():
        program = space.program(choices)
        chance = torch.ones((), dtype=torch.float64)
        for decision in space.decisions(choices):
            question = by_decision.get((decision.address, decision.domain))
            pick = program.choices[decision.address]
            chance = chance * likelihood(pick, question, logits, decision.domain)
        mass = mass + chance
        figures = program.cost().totals() | program.measured()
        total = total + chance * figures[cost]
    return mass, total


def is_as_enumerated(space: Space, mixture: Mixture, cost: str) -> bool:
    """Whether all programs can be drawn (requirements exclude none); then their mean cost is that expected."""
    asked = questions(Varied(space))
    logits = parameters_of(mixture, asked)
    expectation = Expectation(space, cost)
    found = expectation.value(chances(mixture, logits, asked, expectation.sizes, DOUBLES), DOUBLES)
    mass, expected = enumerated(space, asked, logits, cost)
    if not math.isclose(mass.item(), 1):  # requirements exclude some programs
        return False
    torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-9)
    if found.requires_grad:
        slopes = torch.autograd.grad(found, [*logits.values()], allow_unused=True, materialize_grads=True)
        wanted = torch.autograd.grad(expected, [*logits.values()], allow_unused=True, materialize_grads=True)
        torch.testing.assert_close(slopes, wanted, rtol=1e-9, atol=1e-11 * max(1.0, expected.item()))
    return True


@pytest.mark.parametrize("cost", ["macs", "params", "activations"])
@pytest.mark.parametrize("edges", ["all", "softmax"])
@pytest.mark.parametrize("name", ENUMERATED)
def test_expected_costs_are_the_means_of_all_programs(name: str, edges: str, cost: str) -> None:
    assert is_as_enumerated(al.loads(ENUMERATED[name]), Softmax(edges=edges), cost)


@given(network_spaces())
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_expected_costs_of_random_spaces_are_the_means_of_all_programs(text: str) -> None:
    try:
        space = al.loads(text)
        supernet = space.supernet("torch")
        questions(supernet.varied)
        assume(space.size <= 200)
    except al.ArchError:
        assume(False)
        return
    assume(is_as_enumerated(space, Softmax(), "macs"))


def with_latency(text: str) -> Space:
    """A space with a table that has some number for each operation."""
    space = al.loads(text)
    rows = [Row(*configuration(each), 1_000 * (place + 1)) for place, each in enumerate(space.operations()[0])]
    return space.with_table(CostTable("latency", rows, intercept=5_000))


def test_expected_latencies_are_the_means_of_all_programs() -> None:
    assert is_as_enumerated(with_latency(TIED), Softmax(), "latency")


def test_sigmoids_and_nulls_count_relative_to_each_other() -> None:
    space = al.loads(TWO)
    asked = questions(Varied(space))
    expectation = Expectation(space, "macs")
    logits = parameters_of(Sigmoid(), asked)
    softened = {name: tensor.sigmoid().log() for name, tensor in logits.items()}
    of_sigmoids = expectation.value(chances(Sigmoid(), logits, asked, expectation.sizes, DOUBLES), DOUBLES)
    as_softmax = expectation.value(chances(Softmax(), softened, asked, expectation.sizes, DOUBLES), DOUBLES)
    torch.testing.assert_close(of_sigmoids, as_softmax)
    with_null = {name: torch.cat([torch.tensor([2.0], dtype=torch.float64), one]) for name, one in logits.items()}
    without = chances(Softmax(), logits, asked, expectation.sizes, DOUBLES)
    for variable, found in chances(Softmax(null=True), with_null, asked, expectation.sizes, DOUBLES).items():
        torch.testing.assert_close(found, without[variable])


def test_costs_that_are_none_are_refused() -> None:
    space = al.loads(TWO)
    with pytest.raises(al.ArchError, match="there is no cost `flops`"):
        Expectation(space, "flops")
    with pytest.raises(al.ArchError, match="latency"):
        Expectation(space, "latency")
    budgeted = al.loads(
        "use std.nn\nspace s(x: f32[n, 4]) {\n  y = x |> linear(choose 2..40 as a) >> linear(choose 2..40 as b)\n"
        "  if params(y) <= 400 { y |> linear(5) } else { y |> linear(9) >> linear(5) }\n}"
    )
    with pytest.raises(al.ArchError, match=r"cannot be worked out(.|\n)*whether a sum of costs is within a limit"):
        Expectation(budgeted, "macs")
    with pytest.raises(al.ArchError, match="whether a sum of costs is within a limit cannot be mixed"):
        questions(Varied(budgeted))


# --------------------------------------------------------------- added, multiplied


def session(penalty: Penalty, mixture: Mixture | None = None, text: str | Space = TWO, **settings: float) -> Session:
    method = Method(
        sampler=mixture or Softmax(spread=1.0),
        penalties=(penalty,),
        architecture=ArchitectureSettings(**{"lr": 0.1, "betas": (0.0, 0.999), "decay": 0, **settings}),
    )
    return session_of(method, text)


def penalised(found: Session, loss: float = 1.7) -> float:
    value: float = found.method.penalties[0].add(torch.tensor(loss), found).item()
    return value


def test_added_and_multiplied_costs_follow_their_formulas() -> None:
    found = session(AddedCost())
    expected, average = found.expected("macs").item(), found.average("macs")
    all_costs = [found.space.program(choices).cost().macs for choices in found.space.enumerate()]
    assert found.space.size == 27  # 3 pairs of edges, 9 operations on them: an even draw of all programs
    assert average == pytest.approx(np.mean(all_costs), rel=1e-6)
    assert penalised(found) == pytest.approx(1.7 + 0.2 * (expected / average - 1), rel=1e-5)
    found = session(AddedCost(weight=0.5, reference=1e4, cost="params"))
    assert penalised(found) == pytest.approx(1.7 + 0.5 * (found.expected("params").item() / 1e4 - 1), rel=1e-5)
    found = session(MultipliedCost(reference=1e3))
    assert penalised(found) == pytest.approx(0.2 * 1.7 * (math.log(expected) / math.log(1e3)) ** 0.3, rel=1e-5)
    found = session(MultipliedCost(exponent=0.6, reference=math.e))
    assert penalised(found) == pytest.approx(0.2 * 1.7 * math.log(expected) ** 0.6, rel=1e-5)  # FBNet


def test_the_gradient_is_that_of_the_loss_with_the_penalty() -> None:
    with_cost, without = session(MultipliedCost()), session(Penalty())
    (batch,) = batches_of(with_cost, 1)
    loss = with_cost.engine.add_gradients(without.objective(batch))
    for found in (with_cost, without):
        found.engine.add_gradients(found.objective(batch), parameters=True)
    expected, average = with_cost.expected("macs"), with_cost.average("macs")
    factor = 0.2 * (expected.log() / math.log(average)) ** 0.3
    names = [*with_cost.engine.parameters]
    slopes = torch.autograd.grad(factor, [with_cost.engine.parameters[name] for name in names])
    for name, slope in zip(names, slopes, strict=True):
        of_loss = without.engine.parameter_gradients()[name]
        found_slope = with_cost.engine.parameter_gradients()[name]
        torch.testing.assert_close(found_slope, factor.detach() * of_loss + loss * slope, rtol=1e-4, atol=1e-6)


def test_logarithms_are_of_costs_above_one() -> None:
    with pytest.raises(al.ArchError, match="logarithms are of costs above one, and the reference is"):
        MultipliedCost(reference=0.5)
    found = session(MultipliedCost(cost="latency", reference=2.0), text=with_latency(TWO))
    with pytest.raises(al.ArchError, match="the expected cost is"):
        penalised(found)


def test_of_two_gates_that_are_compared_the_cost_is_between_these() -> None:
    found = session(AddedCost(), Gates())
    (batch,) = batches_of(found, 1)
    penalty = found.method.penalties[0]
    found.engine.add_gradients(lambda: penalty.add(found.engine.loss(batch, found.draw(False)), found), parameters=True)
    for question in found.questions:
        if question.by_pick:
            slope = found.engine.parameter_gradients()[question.name]
            assert len(slope.nonzero()) <= 2
            assert set(slope.nonzero().flatten().tolist()) <= set(found.drawn.active[question.variable])
    pairs = {q.variable: q for q in found.questions if q.by_pick}
    likely = chances(
        found.mixture,
        found.engine.parameters,
        found.questions,
        {v: 3 for v in pairs},
        found.engine.tensors,
        found.drawn,
    )
    for variable, question in pairs.items():
        pair = list(found.drawn.active[variable])
        logits = found.engine.parameters[question.name]
        torch.testing.assert_close(likely[variable][pair], logits[pair].softmax(0))


# -------------------------------------------------------------------- constraints


def trained(penalty: Penalty, steps: int, **settings: float) -> Session:
    """A session in which the loss is for the convolution on each edge, and nothing else."""
    found = session(penalty, **settings)
    for _ in range(steps):
        found.engine.clear(parameters=True)

        def objective() -> Tensor:
            likely = [found.engine.parameters[q.name].softmax(0)[1] for q in found.questions if q.by_pick]
            return penalty.add(-torch.stack(likely).mean(), found)

        found.engine.add_gradients(objective, parameters=True)
        found.step_parameters()
    return found


def bounds_of(cost: str = "macs") -> tuple[float, float]:
    found = al.loads(TWO).bounds(cost)
    return found.least.value, found.most.value


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6])
def test_projection_keeps_the_expected_cost_within_the_limit(share: float) -> None:
    least, most = bounds_of()
    limit = least + share * (most - least)
    free = trained(Penalty(), 60)
    assert free.expected("macs").item() > 0.9 * most
    held = trained(Projection(limit=limit), 60)
    assert held.expected("macs").item() <= limit * 1.0011
    assert held.expected("macs").item() > 0.9 * limit  # it is as near to what is wanted as is allowed


def test_projection_moves_to_the_nearest_parameters_and_leaves_what_is_within_the_limit() -> None:
    found = session(Projection())
    names = [*found.engine.parameters]
    before = torch.cat([found.engine.parameters[name].detach() for name in names]).double().numpy()
    limit = 0.97 * found.expected("macs").item()
    evolve(Projection(), limit=limit, tolerance=1e-6).after_step(found)
    after = torch.cat([found.engine.parameters[name].detach() for name in names]).double().numpy()
    assert found.expected("macs").item() == pytest.approx(limit, rel=1e-5)

    expectation = Expectation(found.space, "macs")
    sizes = [len(found.engine.parameters[name]) for name in names]

    def excess(point: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
        logits = dict(zip(names, torch.from_numpy(point).split(sizes), strict=True))
        likely = chances(Softmax(), logits, found.questions, expectation.sizes, DOUBLES)
        return expectation.value(likely, DOUBLES).item() / limit - 1

    best = minimize(
        lambda point: float(((point - before) ** 2).sum()),
        after,
        method="SLSQP",
        constraints={"type": "ineq", "fun": lambda point: -excess(point)},
    )
    assert best.success
    nearest = np.linalg.norm(best.x - before)
    assert np.linalg.norm(after - before) == pytest.approx(nearest, rel=0.05)
    evolve(Projection(), limit=limit * 1.01).after_step(found)
    again = torch.cat([found.engine.parameters[name].detach() for name in names]).double().numpy()
    np.testing.assert_array_equal(again, after)


def test_a_limit_that_cannot_be_met_is_approached() -> None:
    least, _ = bounds_of()
    found = trained(Projection(limit=0.5 * least), 5)
    assert found.expected("macs").item() == pytest.approx(least, rel=0.02)
    assert all(tensor.isfinite().all() for tensor in found.engine.parameters.values())


def test_the_multiplier_grows_while_the_limit_is_exceeded_and_holds_it_in_the_end() -> None:
    least, most = bounds_of()
    limit = (least + most) / 2
    penalty = Lagrangian(limit=limit, rate=0.2)
    found = session(penalty)
    assert penalty.multiplier(found) == 0
    penalty.after_step(found)
    violation = found.expected("macs").item() / limit - 1
    assert penalty.multiplier(found) == pytest.approx(max(0.0, 0.2 * violation), rel=1e-4)
    found.kept["multiplier of macs"] = 0.7
    assert penalised(found) == pytest.approx(1.7 + 0.7 * violation, rel=1e-4)
    held = trained(penalty, 400, lr=0.03)
    assert penalty.multiplier(held) > 0
    assert held.expected("macs").item() == pytest.approx(limit, rel=0.08)
    slack = trained(Lagrangian(limit=2 * most), 20)
    assert slack.kept == {"multiplier of macs": 0.0}


# ------------------------------------------------------------ entropy, zero or one


def all_logits(found: Session) -> list[Tensor]:
    return [found.engine.parameters[question.name].detach() for question in found.questions if question.by_pick]


def test_entropy_is_that_of_the_decisions_and_its_weight_may_change() -> None:
    found = session(Entropy(weight=Schedule(0.0, 2.0)))
    mean = np.mean([torch.distributions.Categorical(logits=each).entropy() for each in all_logits(found)])
    assert penalised(found) == pytest.approx(1.7)
    found.progress = 0.5
    assert penalised(found) == pytest.approx(1.7 + mean, rel=1e-5)
    with torch.no_grad():
        for tensor in found.engine.parameters.values():
            tensor.copy_(torch.tensor([200.0, 0, -200]))
    found.engine.add_gradients(lambda: Entropy().add(torch.tensor(0.0), found), parameters=True)
    assert all(slope.isfinite().all() for slope in found.engine.parameter_gradients().values())


def test_zero_one_losses_are_those_of_fairdarts() -> None:
    found = session(ZeroOne(), Sigmoid(spread=1.0))
    weights = torch.cat(all_logits(found)).sigmoid()
    squared = torch.nn.functional.mse_loss(weights, torch.full_like(weights, 0.5))
    absolute = torch.nn.functional.l1_loss(weights, torch.full_like(weights, 0.5))
    assert penalised(found) == pytest.approx(1.7 - 10 * squared.item(), rel=1e-5)
    assert ZeroOne(weight=3, power=1).add(torch.tensor(1.7), found).item() == pytest.approx(1.7 - 3 * absolute.item())


def test_concentrations_are_drawn_to_the_even_distribution() -> None:
    found = session(Concentration(weight=0.5, distance="kl"), Dirichlet(spread=1.0))
    even = 0.0
    for logits in all_logits(found):
        each = torch.nn.functional.elu(logits) + 1
        of, to = torch.distributions.Dirichlet(each), torch.distributions.Dirichlet(torch.ones_like(each))
        even += torch.distributions.kl_divergence(of, to).item()
    assert penalised(found) == pytest.approx(1.7 + 0.5 * even, rel=1e-4)
    assert divergence(torch.zeros(4), found.engine.tensors).item() == pytest.approx(0, abs=1e-5)


def test_the_squared_distance_is_the_decay_of_the_optimizer() -> None:
    decayed, penalty = session(Penalty(), decay=0.03), session(Concentration(weight=0.03))
    (batch,) = batches_of(decayed, 1)
    for found in (decayed, penalty):
        for _ in range(3):
            found.engine.clear(parameters=True)
            found.engine.add_gradients(found.objective(batch), parameters=True)
            found.step_parameters()
    for name, tensor in decayed.engine.parameters.items():
        torch.testing.assert_close(penalty.engine.parameters[name], tensor, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "penalty",
    [AddedCost(), MultipliedCost(), Lagrangian(), Projection(), Entropy(), ZeroOne(), Concentration(distance="kl")],
    ids=lambda penalty: type(penalty).__name__,
)
def test_penalties_work_on_every_kind_of_space(penalty: Penalty) -> None:
    for text in SPACES.values():
        found = session(penalty, text=text)
        batches = batches_of(found)
        for _ in range(2):
            assert np.isfinite(found.method.update.step(found, *batches))
        assert isinstance(found.engine, TorchEngine)
        assert all(tensor.isfinite().all() for tensor in found.engine.parameters.values())
