"""What selections take from supernets, against hand-written rules and brute force."""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from archlang_torch.supernet.engine import TorchEngine
from scipy import stats

import archlang as al
from archlang.evaluate.evaluator import costs
from archlang.relax.correlation import correlation
from archlang.relax.elements import decisions_of_elements
from archlang.relax.engine import Batch, Draw, Way
from archlang.relax.feeding import Feeding
from archlang.relax.method import Method
from archlang.relax.methods import method_of
from archlang.relax.mixtures.softmax import Softmax
from archlang.relax.selections.argmax import Argmax, of_subsets
from archlang.relax.selections.pareto import Pareto
from archlang.relax.selections.perturbation import Perturbation
from archlang.relax.selections.searching import Searching
from archlang.relax.session import Session
from archlang.relax.settings import WeightSettings
from archlang.relax.varied import Varied
from archlang.semantics.decision import Subsets
from archlang.space import Space
from tests.relax.spaces import SPACES
from tests.relax.training import TWO, batches_of, session_of

Array = np.ndarray[Any, Any]
OPERATIONS = (
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)


def set_logits(session: Session, **logits: Sequence[float]) -> None:
    """Give the mixture parameters; `_` in a name stands for all others, which become zero."""
    for name, tensor in session.engine.parameters.items():
        with torch.no_grad():
            tensor.copy_(torch.tensor(logits.get(name, [0.0] * len(tensor))))


def softmax(logits: Array) -> Array:
    found: Array = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    return found


# ---------------------------------------------------------------------- argmax


def published(alphas: Array, betas: Array | None) -> dict[str, Any]:
    """The genotype of a DARTS cell by the published rule: `alphas` has a row for each edge and a column for
    each operation, the first for `none`; `betas` one number for each edge (PC-DARTS)."""
    weights = softmax(alphas)
    choices: dict[str, Any] = {}
    start = 0
    for node in range(4):
        rows = weights[start : start + node + 2].copy()
        if betas is not None:
            rows = rows * softmax(betas[start : start + node + 2])[:, None]
        best = rows[:, 1:].max(axis=1)
        # `stable` puts the earlier edge first among equals.
        kept = sorted(np.argsort(-best, kind="stable")[:2].tolist())
        choices[f"cell.inputs[{node}]"] = kept
        for edge in kept:
            choices[f"cell/candidate[{node}][{edge}]"] = OPERATIONS[int(rows[edge, 1:].argmax())]
        start += node + 2
    return choices


@pytest.fixture(scope="module")
def darts_cell() -> Space:
    return al.load("std.spaces.darts_cell", channels=4)


@pytest.mark.parametrize("edges", ["all", "softmax"])
def test_the_argmax_of_a_darts_cell_is_the_published_genotype(darts_cell: Space, edges: str) -> None:
    session = session_of(Method(sampler=Softmax(null=True, edges=edges)), darts_cell)
    names = [(node, edge) for node in range(4) for edge in range(node + 2)]
    for seed in range(20):
        random = np.random.default_rng(seed)
        alphas = random.standard_normal((14, 8)).astype(np.float32)
        betas = random.standard_normal(14).astype(np.float32)
        if seed < 5:  # with ties
            alphas, betas = alphas.round(), betas.round()
        logits = {f"cell/candidate[{i}][{j}]": row for (i, j), row in zip(names, alphas, strict=True)}
        for i in range(1, 4):
            logits[f"cell.inputs[{i}]:elements"] = betas[names.index((i, 0)) :][: i + 2]
        set_logits(session, **logits)
        (found,) = Argmax().select(session)
        wanted = darts_cell.choices(published(alphas, betas if edges == "softmax" else None))
        assert found.choices == wanted
        assert found.metrics["params"] == darts_cell.program(wanted).cost().params


def test_equal_likelihoods_give_the_first_of_everything(darts_cell: Space) -> None:
    session = session_of(Method(sampler=Softmax()), darts_cell)
    set_logits(session)
    choices = Argmax().select(session)[0].choices
    assert {pick for pick in choices.values() if isinstance(pick, str)} == {"max_pool_3x3"}
    assert {pick for pick in choices.values() if isinstance(pick, tuple)} == {(0, 1)}


def test_the_decisions_of_an_element_are_those_of_its_edge_alone(darts_cell: Space) -> None:
    varied = Varied(darts_cell)
    names = {variable: decision.address for variable, decision in varied.decisions.items()}
    found = {
        names[variable]: {element: {names[own] for own in owns} for element, owns in elements.items()}
        for variable, elements in decisions_of_elements(varied).items()
    }
    for node in range(1, 4):
        expected = {edge: {f"cell/candidate[{node}][{edge}]"} for edge in range(node + 2)}
        assert found[f"cell.inputs[{node}]"] == expected


# Elements that go on after their choice, one that has an elastic op only, one that has nothing to choose and
# comes from a choice that is not its own.
EDGES = """
use std.nn
block edge(x: [n, c]) -> [n, c] { x + (x |> choose { lin: linear(c), relu: relu } |> layer_norm) }
space edges(x: f32[n, 6]) {
  y = x |> choose { a: linear(4), b: linear(4) >> relu } as before
  z = sum(choose 2 of [y |> edge, y |> dropout(choose [0.1, 0.2] as rate), y |> tanh] as inputs)
  (z + y) |> linear(5)
}
"""


def test_elements_own_what_hangs_from_them_and_not_what_comes_before() -> None:
    varied = Varied(al.loads(EDGES))
    names = {variable: decision.address for variable, decision in varied.decisions.items()}
    ((variable, elements),) = decisions_of_elements(varied).items()
    assert names[variable] == "inputs"
    assert {element: {names[own] for own in owns} for element, owns in elements.items()} == {
        0: {"edge"},
        1: {"rate"},
        2: set(),
    }


NESTED = """
use std.nn
space nested(x: f32[n, 4]) {
  x |> choose {
    none: zero
    wide: linear(8 * (choose [1, 2, 3] as ratio)) >> linear(4)
    plain: linear(4)
  } as op |> linear(5)
}
"""


def test_only_decisions_that_are_needed_are_picked() -> None:
    session = session_of(Method(sampler=Softmax()), NESTED)
    ratio = next(question.name for question in session.questions if question.name != "op")
    set_logits(session, op=[3, 1, 2], **{ratio: [0, 0, 1]})
    assert Argmax().select(session)[0].choices.as_dict() == {"op": "none"}
    assert Argmax(exclude=("none",)).select(session)[0].choices.as_dict() == {"op": "plain"}
    assert Argmax(exclude=("none", "plain")).select(session)[0].choices.as_dict() == {"op": "wide", ratio: 3}
    every = ("none", "plain", "wide")
    assert Argmax(exclude=every).select(session)[0].choices.as_dict() == {"op": "none"}


def test_a_threshold_says_how_many_elements_are_kept_where_that_is_open() -> None:
    text = TWO.replace("choose 2 of", "choose 1..2 of")
    session = session_of(Method(sampler=Softmax()), text)
    by_place = [f"edge#{place}" for place in (1, 2, 3)]
    likely, unlikely = [4.0, 0, 0], [0.1, 0, 0]
    for logits, kept in [
        ((likely, unlikely, likely), (0, 2)),
        ((unlikely, likely, unlikely), (1,)),
        ((unlikely, unlikely, unlikely), (0,)),
        ((likely, likely, likely), (0, 1)),
    ]:
        set_logits(session, **dict(zip(by_place, logits, strict=True)))
        assert Argmax(threshold=0.85).select(session)[0].choices["inputs"] == kept
        assert len(Argmax().select(session)[0].choices["inputs"]) == 2  # type: ignore[arg-type]


def test_the_strongest_subset_is_the_likeliest_whatever_its_sum_is_rounded_to() -> None:
    random = np.random.default_rng(0)
    for domain in (Subsets(5, 2, 2), Subsets(5, 1, 4), Subsets(4, 0, 4), Subsets(3, 2, 3, repeated=True)):
        for _ in range(50):
            strengths = random.random(domain.of).round(1).tolist()
            found = of_subsets(domain, strengths, 0.5)
            best = max(found, key=lambda pick: found[pick])
            assert isinstance(best, tuple)
            product = {p: math.prod(max(strengths[e], 1e-30) / 0.5 for e in p) for p in domain.picks()}
            if not domain.repeated:
                assert product[best] == pytest.approx(max(product.values()))
            assert list(found) == [best, *(pick for pick in domain.picks() if pick != best)]


# The requirement is one that `walk` sees coming only after its first picks.
REQUIRED = """
use std.nn
block layer(x: [n, d]) -> [n, d] {
  width = choose [4, 8, 16] as width
  x + (x |> linear(width) >> choose { relu: relu, tanh: tanh, gelu: gelu } >> linear(d))
}
space required(x: f32[n, 6]) {
  y = x |> layer |> layer |> layer
  require macs(y) <= 240
  y |> linear(5)
}
"""


@pytest.mark.parametrize("condition", ["macs <= 260", "macs <= 330", "params >= 0"])
def test_under_requirements_the_valid_program_of_the_greatest_likelihood_is_taken(condition: str) -> None:
    space = al.loads(REQUIRED).narrowed(condition)
    programs = list(space.enumerate())
    forbidden = 0
    for seed in range(10):
        session = session_of(Method(sampler=Softmax(spread=1.0)), space, seed)
        learnt = {
            question.name: dict(
                zip(
                    map(question.domain.pick, range(question.picks)),
                    softmax(session.engine.parameters[question.name].detach().double().numpy()),
                    strict=True,
                )
            )
            for question in session.questions
        }
        likelihood = {
            choices: math.prod(learnt[address][pick] for address, pick in choices.items()) for choices in programs
        }
        (found,) = Argmax().select(session)
        assert likelihood[found.choices] == pytest.approx(max(likelihood.values()), rel=1e-4)
        unbounded = math.prod(max(picks.values()) for picks in learnt.values())
        forbidden += likelihood[found.choices] < 0.999 * unbounded
    assert forbidden >= 5
    assert forbidden < 10 or condition != "params >= 0"


def test_without_a_solver_a_valid_program_near_the_wanted_one_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    space = al.loads(REQUIRED)
    session = session_of(Method(sampler=Softmax()), space)
    set_logits(session, **{question.name: [0, 0, 1] for question in session.questions})
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    (found,) = Argmax().select(session)
    differ = {choices: sum(pick not in (16, "gelu") for pick in choices.values()) for choices in space.enumerate()}
    assert differ[found.choices] == min(differ.values()) > 0


def test_a_number_with_too_many_picks_to_list_stays_in_the_middle() -> None:
    text = """
use std.nn
space s(x: f32[n, 4]) {
  first = choose [1, 2] as first
  second = choose [1, 2] as second
  require first + second <= MOST
  x |> dropout(choose 0.0..0.4 as rate) |> linear(4 * first) >> linear(4 * second) >> linear(5)
}
"""
    for most, first in ((4, 2), (3, 1)):
        session = session_of(Method(sampler=Softmax()), text.replace("MOST", str(most)))
        set_logits(session, first=[0, 1], second=[0, 2])
        (found,) = Argmax().select(session)
        assert found.choices.as_dict() == {"first": first, "second": 2, "rate": 0.2}


@pytest.mark.parametrize("name", SPACES)
def test_every_selection_gives_programs_of_every_space(name: str) -> None:
    space = al.loads(SPACES[name])
    session = session_of(Method(sampler=Softmax(spread=1.0, edges="softmax")), space, kind=Recalibrating)
    batches = session.feeding.measuring()
    selections = (Argmax(), Searching(trials=5), Pareto(trials=5), Perturbation(interval=0))
    for selection in selections:
        for found in selection.select(session):
            assert space.choices(found.choices) == found.choices
            assert found.metrics["params"] == space.program(found.choices).cost().params
    # What is left of a mixture in which all is decided is the program.
    (found,) = selections[-1].select(session)
    left = session.engine.measure(batches, session.draw(of_weights=True))
    assert left == pytest.approx(session.engine.measure(batches, found.choices), rel=1e-5)


SEARCHED = """
use std.nn
space searched(supernet: bool = false)(x: f32[n, 4]) {
  y = if supernet { x |> linear(4) } else { x }
  y |> choose { small: linear(4), large: linear(16) >> linear(4) } as op |> linear(5)
}
"""


def test_costs_are_those_of_the_programs_that_are_wanted() -> None:
    derived = al.loads(SEARCHED)
    session = session_of(Method(sampler=Softmax()), derived.configured(supernet=True), kind=Recalibrating)
    session.derived = derived
    macs = derived.program({"op": "small"}).cost().macs
    budget = f"macs <= {macs}"
    for selection in (Argmax(), Perturbation(interval=0), Pareto(budgets=(budget,), trials=2)):
        (found,) = selection.select(session)
        assert found.metrics["macs"] == derived.program(found.choices).cost().macs
    assert found.choices.as_dict() == {"op": "small"}


def test_selections_are_set_from_outside() -> None:
    method = method_of("darts", {"selection.exclude": ["skip_connect"], "selection.threshold": 0.2})
    assert method.selection == Argmax(exclude=("skip_connect",), threshold=0.2)


# ---------------------------------------------------------------- perturbation


class Told(TorchEngine):
    """Measures by a utility of each alternative: the sum of what the weights of a draw are worth. `watch` is
    told of each step of the weights."""

    worth: Mapping[tuple[int, bool], Sequence[float]] = {}
    watch: Callable[[float], None] = staticmethod(lambda rate: None)

    def measure(self, batches: Sequence[Batch], way: Way, *, by_batch: bool = False) -> dict[str, float]:
        assert by_batch
        assert isinstance(way, Draw)
        self.draws = [*getattr(self, "draws", ()), way]
        total = 0.0
        for key, worth in self.worth.items():
            weights = way.weights.get(key)
            total += sum(worth) if weights is None else float(np.dot(weights.detach().numpy(), worth))
        return {"loss": 0.0, "accuracy": total}

    def step_weights(self, rate: float) -> None:
        super().step_weights(rate)
        self.watch(rate)


def told(method: Method, text: str = TWO, seed: int = 0) -> tuple[Session, Told, dict[str, int]]:
    """A session, its engine, and the variables of the decisions by name."""
    session = session_of(method, text, seed, Told)
    assert isinstance(session.engine, Told)
    return session, session.engine, {question.name: question.variable for question in session.questions}


def test_what_is_missed_most_stays() -> None:
    settings = WeightSettings(lr=1.0, least=0.0)
    session, engine, variables = told(Method(sampler=Softmax(spread=0.5), weights=settings))
    engine.worth = {
        (variables["edge#1"], False): [1, 5, 2],
        (variables["edge#2"], False): [1, 1, 8],
        (variables["edge#3"], False): [9, 1, 1],
        (variables["inputs"], True): [3, 2, 1],
    }
    learnt = {
        variable: softmax(engine.parameters[name].detach().numpy())
        for name, variable in variables.items()
        if name != "inputs"
    }
    steps: list[tuple[int, float]] = []

    def watch(rate: float) -> None:
        steps.append((len(session.decided), rate))
        for question in session.questions:
            position = session.decided.get(question.variable)
            if position is not None:
                alone = session.draw(of_weights=True).weights[question.variable, False]
                assert alone is not None
                assert alone.tolist() == [float(other == position) for other in range(question.picks)]

    engine.watch = watch
    (found,) = Perturbation(interval=2).select(session)
    # The weights are near a third each, so that the worth decides.
    assert found.choices == session.space.choices({"edge#1": "conv", "edge#2": "pool", "inputs": (0, 1)})
    # Two epochs of four steps after each of the first three decisions, on one cosine from a tenth of the rate.
    rates = [0.1 * 0.5 * (1 + math.cos(math.pi * epoch / 7)) for epoch in range(6)]
    expected = [(1 + epoch // 2, rate) for epoch, rate in enumerate(rates) for _ in range(4)]
    assert steps == pytest.approx(np.array(expected))
    # Each measurement lacks one part, and the others are as they were.
    first = engine.draws[:3]
    (changed,) = [variable for variable in learnt if any(0 in _numbers(draw, variable) for draw in first)]
    for entry, draw in enumerate(first):
        for variable, weights in learnt.items():
            lacking = [0 if (variable, other) == (changed, entry) else w for other, w in enumerate(weights)]
            assert _numbers(draw, variable) == pytest.approx(lacking, rel=1e-6)


def _numbers(draw: Draw, variable: int) -> list[float]:
    weights = draw.weights[variable, False]
    assert weights is not None
    return list(weights.tolist())


def test_several_decisions_are_decided_in_a_round() -> None:
    session, engine, _ = told(Method(sampler=Softmax()))
    decided: list[int] = []
    engine.watch = lambda rate: decided.append(len(session.decided))
    (found,) = Perturbation(interval=1, at_once=3).select(session)
    assert decided == [3] * session.feeding.steps
    # Where nothing is missed, the first of everything stays.
    assert found.choices == session.space.choices({"edge#1": "skip", "edge#2": "skip", "inputs": (0, 1)})


def test_elements_that_are_not_missed_go_where_the_number_is_open() -> None:
    session, engine, variables = told(Method(sampler=Softmax()), TWO.replace("choose 2 of", "choose 1..3 of"))
    for worth, kept in [([3, 0, 1], (0, 2)), ([0, -1, 0], (0,)), ([1, 1, 1], (0, 1, 2)), ([-2, -1, -2], (1,))]:
        engine.worth = {(variables["inputs"], True): worth}
        session.decided.clear()
        session.notes.clear()
        assert Perturbation(interval=0).select(session)[0].choices["inputs"] == kept


def test_decisions_that_no_program_makes_any_more_are_not_asked() -> None:
    for seed in range(4):
        session, engine, variables = told(Method(sampler=Softmax()), NESTED, seed)
        engine.worth = {(variables["op"], False): [0, 0, 1]}
        (found,) = Perturbation(interval=0).select(session)
        assert found.choices.as_dict() == {"op": "plain"}
        order = list(session.decided)
        assert order[-1] == variables["op"]  # what hangs from it is decided before it, or never


def test_a_mixture_that_has_learnt_misses_what_it_needs() -> None:
    text = """
use std.nn
space s(x: f32[n, 4]) {
  seen = x |> choose { useless: slice(1, 2, 4), useful: slice(1, 0, 2) } as way
  seen |> linear(8) >> batch_norm >> relu >> linear(5)
}
"""
    settings = WeightSettings(lr=0.2, momentum=0.9, decay=0)
    session = session_of(Method(sampler=Softmax(spread=0), weights=settings), text)
    random = np.random.default_rng(0)
    x = random.standard_normal((256, 4)).astype(np.float32)
    pair = x, np.where(x[:, 0] > 0, 1, 3)
    session.feeding = Feeding(session.engine, pair, pair, pair, 256, 0)
    for _ in range(30):
        session.train_weights(session.engine.batch(*pair))
    before = {name: buffer.clone() for name, buffer in session.engine.supernet.named_buffers()}
    assert Argmax().select(session)[0].choices.as_dict() == {"way": "useless"}  # nothing is learnt of the mixture
    assert Perturbation().select(session)[0].choices.as_dict() == {"way": "useful"}
    for name, buffer in session.engine.supernet.named_buffers():
        torch.testing.assert_close(buffer, before[name], rtol=0, atol=0)


def test_batch_norms_go_by_the_batch_where_that_is_asked() -> None:
    session = session_of(Method(sampler=Softmax()))
    engine = session.engine
    batches = batches_of(session, 2, 16)
    choices = session.space.sample(seed=1).choices
    network = engine.supernet.program(choices).build("torch").train()
    losses = [float(torch.nn.functional.cross_entropy(network(x), y).detach()) for x, y in batches]
    assert engine.measure(batches, choices, by_batch=True)["loss"] == pytest.approx(np.mean(losses), rel=1e-5)
    assert engine.measure(batches, choices)["loss"] != pytest.approx(np.mean(losses), rel=1e-5)


def test_an_optimizer_that_is_restarted_has_no_momentum() -> None:
    session = session_of(Method(sampler=Softmax(), weights=WeightSettings(momentum=0.9, decay=0, clip=None)))
    (batch,) = batches_of(session, 1)
    session.train_weights(batch)
    session.engine.restart_optimizer()
    weight = next(session.engine.supernet.parameters())
    before = weight.detach().clone()
    session.rate = 0.1
    session.train_weights(batch)
    torch.testing.assert_close(before - weight.detach(), 0.1 * weight.grad)


# ------------------------------------------------------------------- searching


class Recalibrating(TorchEngine):
    def recalibrate(self, batches: Sequence[Batch], way: Way) -> None:
        for batch in batches:
            self.outputs(batch, way)


@pytest.fixture
def session() -> Session:
    session = session_of(Method(sampler=Softmax()), kind=Recalibrating)
    random = np.random.default_rng(1)
    train, validation = (
        (random.standard_normal((64, 3, 8, 8)).astype(np.float32), random.integers(0, 5, 64)) for _ in range(2)
    )
    session.feeding = Feeding(session.engine, train, train, validation, 32, 0)
    for _ in range(6):
        session.train_weights(session.engine.batch(*train))
    return session


def measured(session: Session) -> dict[al.Choices, dict[str, float]]:
    """All programs, measured one by one."""
    engine = session.engine
    found = {}
    for choices in session.space.enumerate():
        kept = engine.snapshot()
        engine.recalibrate([engine.batch(*session.feeding.weights)], choices)
        measured = engine.measure([engine.batch(*session.feeding.validation)], choices)
        found[choices] = measured | costs(session.space.program(choices))
        engine.restore(kept)
    return found


def test_a_search_on_shared_weights_finds_the_best_path(session: Session) -> None:
    every = measured(session)
    before = [tensor.clone() for tensor in session.engine.snapshot()]
    for searcher in ("grid", "then(random, 10, evolution(population=10, sample=4))"):
        found = Searching(searcher=searcher, trials=len(every), minimize=("loss",)).select(session)
        assert [each.metrics["loss"] for each in found] == sorted(each.metrics["loss"] for each in found)
        for each in found:
            assert each.metrics == pytest.approx(every[each.choices])
        if searcher == "grid":
            assert {each.choices for each in found} == set(every)
            assert found[0].choices == min(every, key=lambda choices: every[choices]["loss"])
    for tensor, kept in zip(session.engine.snapshot(), before, strict=True):
        torch.testing.assert_close(tensor, kept, rtol=0, atol=0)


def test_a_search_goes_by_accuracy_unless_told_otherwise(session: Session) -> None:
    every = measured(session)
    found = Searching(searcher="grid", trials=len(every)).select(session)
    assert found[0].metrics["accuracy"] == max(each["accuracy"] for each in every.values())


def test_recalibration_counts(session: Session) -> None:
    settings: dict[str, Any] = {"searcher": "grid", "trials": 200, "minimize": ("loss",)}
    one, other = (Searching(recalibration=count, **settings).select(session) for count in (0, 64))
    losses = {each.choices: each.metrics["loss"] for each in one}
    assert any(each.metrics["loss"] != pytest.approx(losses[each.choices]) for each in other)


def test_constraints_of_a_search_are_kept(session: Session) -> None:
    every = measured(session)
    limit = int(np.median([each["macs"] for each in every.values()]))
    search = Searching(searcher="grid", trials=200, minimize=("loss",), constraints=(f"macs <= {limit}",))
    found = search.select(session)
    within = {choices: each for choices, each in every.items() if each["macs"] <= limit}
    assert {each.choices for each in found} == set(within) != set(every)
    assert found[0].metrics["loss"] == pytest.approx(min(each["loss"] for each in within.values()))


def test_a_search_in_which_nothing_can_be_measured_says_why(session: Session) -> None:
    nothing = np.zeros((2, 7), np.float32), np.zeros(2, int)
    session.feeding = Feeding(session.engine, nothing, nothing, nothing, 2, 0)
    with pytest.raises(al.ArchError, match=r"no program of `two` could be measured with the shared weights"):
        Searching(searcher="random", trials=2, minimize=("loss",), recalibration=0).select(session)


def test_each_budget_has_its_best_program(session: Session) -> None:
    every = measured(session)
    macs = sorted({each["macs"] for each in every.values()})
    budgets = tuple(f"macs <= {limit:g}" for limit in macs)
    assert len(budgets) >= 3
    selection = Pareto(searcher="grid", trials=len(every), minimize=("loss",), budgets=budgets)
    found = selection.select(session)
    for limit, each in zip(macs, found, strict=True):
        best = min(other["loss"] for other in every.values() if other["macs"] <= limit)
        assert each.metrics["loss"] == pytest.approx(best)
        assert each.metrics["macs"] <= limit


def test_without_budgets_there_is_a_front(session: Session) -> None:
    every = measured(session)
    found = Pareto(searcher="grid", trials=len(every), minimize=("loss",)).select(session)
    points = {(each["loss"], each["macs"]) for each in every.values()}
    front = {p for p in points if not any(q != p and q[0] <= p[0] and q[1] <= p[1] for q in points)}
    assert {(each.metrics["loss"], each.metrics["macs"]) for each in found} == front


# ----------------------------------------------------------------- correlation


def test_rank_correlations_are_those_of_scipy() -> None:
    random = np.random.default_rng(0)
    for digits, size in itertools.product((1, 5), (2, 7, 60)):
        one = random.random(size).round(digits)
        other = (one + random.random(size)).round(digits)
        found = correlation(one, other)
        assert found.kendall == pytest.approx(stats.kendalltau(one, other).statistic, nan_ok=True)
        assert found.spearman == pytest.approx(stats.spearmanr(one, other).statistic, nan_ok=True)
        assert found.programs == size


def test_no_order_no_correlation() -> None:
    found = correlation([1, 1, 1], [1, 2, 3])
    assert math.isnan(found.kendall)
    assert math.isnan(found.spearman)
    with pytest.raises(ValueError, match="2 programs were measured one way, 3 the other"):
        correlation([1, 2], [1, 2, 3])
