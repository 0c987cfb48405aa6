"""Samplers of Optuna as searchers, and spaces as objectives of Optuna's studies."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, assume, given, settings

import archlang as al
from archlang.adapters.optuna import OptunaSearch, Parameter, objective, suggest
from archlang.diagnostics import ArchError
from archlang.evaluate import FunctionEvaluator
from archlang.searchers import Exhausted, Objective, Recipe, Searcher
from archlang.searchers.objectives import Constraint, Constraints
from archlang.searchers.random import RandomSearch
from archlang.semantics.decision import Domain, Integers, OneOf, Reals, Subsets
from archlang.space import Choices, Program, Space, loads
from archlang.testing.searcher import SearcherContract, make_space
from tests.space.random_spaces import static_spaces

optuna = pytest.importorskip("optuna")
GOAL = (Objective("score"),)


@pytest.fixture(autouse=True)
def quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)


class TestTPE(SearcherContract):
    searcher = OptunaSearch
    settings: ClassVar = {"sampler": "TPESampler(n_startup_trials=5, multivariate=true)"}
    exhausts = False


class TestNSGA(SearcherContract):
    searcher = OptunaSearch
    settings: ClassVar = {"sampler": "NSGAIISampler(population_size=6)"}
    exhausts = False


def refused(action: Callable[[], Any]) -> str:
    with pytest.raises(ArchError) as problem:
        action()
    return str(problem.value)


def make(sampler: str, space: Space, objectives: tuple[Objective, ...] = GOAL) -> Searcher:
    return Recipe.of("optuna", {"sampler": sampler}).make(space, objectives, 0)


def test_samplers_are_named_with_their_arguments() -> None:
    small = make_space("small")
    searcher = Recipe.of('optuna(sampler="TPESampler(multivariate=true, n_startup_trials=7)")').make(small, GOAL, 3)
    assert isinstance(searcher, OptunaSearch)
    sampler = searcher._study.sampler
    assert (type(sampler).__name__, sampler._multivariate, sampler._n_startup_trials) == ("TPESampler", True, 7)
    assert "did you mean `TPESampler`" in refused(lambda: make("TPESample", small))
    assert "did you mean `multivariate`?" in refused(lambda: make("TPESampler(multivariat=true)", small))
    assert "`1 + 2` is not a sampler" in refused(lambda: make("1 + 2", small))
    assert "do not fit" in refused(lambda: make("NSGAIISampler(population_size=1)", small))
    two = (Objective("score"), Objective("cost", False))
    assert "takes one objective, and there are 2" in refused(lambda: make("CmaEsSampler", small, two))


def test_samplers_may_hold_samplers() -> None:
    searcher = make("CmaEsSampler(independent_sampler=RandomSampler())", make_space("floats"))
    assert isinstance(searcher, OptunaSearch)
    assert type(searcher._study.sampler._independent_sampler).__name__ == "RandomSampler"


@pytest.mark.parametrize("package", ["optuna", "ConfigSpace"])
def test_a_missing_package_is_told(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from archlang.adapters.configspace import to_configspace

    monkeypatch.setitem(__import__("sys").modules, package, None)
    use = {
        "optuna": lambda: make("TPESampler", make_space("small")),
        "ConfigSpace": lambda: to_configspace(make_space("small")),
    }
    assert f"`pip install archlang[{package.lower()}]`" in refused(use[package])


def test_only_decisions_that_are_made_are_suggested() -> None:
    space = make_space("conditional")
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(30):
        trial = study.ask()
        choices = suggest(space, trial)
        assert trial.params == dict(choices)
        study.tell(trial, 0.0)
    assert {frozenset(trial.params) for trial in study.trials} == {frozenset(choices) for choices in space.enumerate()}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(static_spaces())
def test_what_is_suggested_is_a_program_and_every_program_can_be_told(text: str) -> None:
    try:
        space = loads(text, "s")
    except ArchError:
        assume(False)
    searcher = OptunaSearch(space, GOAL, 0, sampler="RandomSampler")
    for seed in range(5):
        choices = searcher.ask()
        assert space.choices(choices.as_dict()) == choices
        searcher.tell(choices, {"score": 1.0})
        drawn = space.draw(random.Random(seed))
        searcher.tell(drawn, {"score": 1.0})
        told = searcher._study.trials[-1].params
        assert {name.partition(" (")[0] for name in told} <= set(drawn)
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler())
        study.enqueue_trial(told)
        assert suggest(space, study.ask()) == drawn


def test_ranges_may_hang_from_decisions() -> None:
    space = loads("space s {\n  most = choose [2, 4]\n  { most: most, width: choose 1..most }\n}")
    searcher = OptunaSearch(space, GOAL, 0)
    found = set()
    for _ in range(40):
        found.add(searcher.ask())
        searcher.tell(space.draw(random.Random(len(found))), {"score": 1.0})
    assert found == set(space.enumerate())


@pytest.mark.parametrize(
    "space",
    [
        loads("def deep(n) { choose { stop: n, go: deep(n + 1) } }\nspace s { { depth: deep(0) } }"),
        loads(
            "use std.nn\nspace s(x: f32[n, 4]) { x |> linear(choose 1..64) >> linear(choose 1..64) >> linear(2) }"
        ).narrowed("params <= 900"),
    ],
    ids=["recursion", "budget"],
)
def test_spaces_beyond_lists_of_programs_are_searched(space: Space) -> None:
    searcher = OptunaSearch(space, GOAL, 0)
    for _ in range(25):
        choices = searcher.ask()
        assert space.choices(choices.as_dict()) == choices
        searcher.tell(choices, {"score": -float(len(choices))})
        drawn = space.draw(random.Random(0))
        searcher.tell(drawn, {"score": -float(len(drawn))})


DOMAINS: list[Domain] = [
    OneOf(("a", "b")),
    OneOf((1, True, "true")),
    Integers(-4, 9),
    Integers(0, 90, 7),
    Integers(0, 10**18),
    Reals(1e-4, 1.0, log=True),
    Subsets(4, 1, 2),
    Subsets(30, 6, 6, ordered=True),
    Subsets(100, 50, 50),
]


@pytest.mark.parametrize("domain", DOMAINS, ids=str)
def test_parameters_stand_for_picks(domain: Domain) -> None:
    parameter = Parameter("p", domain)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    for _ in range(20):
        trial = study.ask()
        pick = parameter.suggest(trial)
        assert parameter.value(pick) == pytest.approx(trial.params["p"])
        again = parameter.pick(parameter.value(pick))
        assert (again == pick and type(again) is type(pick)) or domain.size > 2**53
        study.tell(trial, 0.0)
    if domain.size < 10:
        picks = [domain.pick(index) for index in range(int(domain.size))]
        assert [repr(parameter.pick(parameter.value(pick))) for pick in picks] == list(map(repr, picks))


@pytest.mark.parametrize("kind", ["TPESampler", "CmaEsSampler"])
def test_samplers_find_what_random_search_does_not(kind: str) -> None:
    pytest.importorskip("cmaes" if kind == "CmaEsSampler" else "optuna")
    space = loads("space s { { a: choose 0.0..1.0, b: choose 0.0..1.0, c: choose 0..20 } }")

    def best(searcher: Searcher) -> float:
        found = []
        for _ in range(60):
            choices = searcher.ask()
            a, b, c = (float(choices[name]) for name in "abc")  # type: ignore[arg-type]
            found.append(-((a - 0.3) ** 2) - (b - 0.8) ** 2 - (c / 20 - 0.5) ** 2)
            searcher.tell(choices, {"score": found[-1]})
        return sum(sorted(found)[-10:]) / 10

    assert best(make(kind, space)) > best(RandomSearch(space, GOAL, 0)) / 2


def test_a_sampler_that_has_gone_through_everything_is_exhausted() -> None:
    space = make_space("conditional")
    searcher = make("BruteForceSampler", space)
    found = []
    for _ in range(19):
        found.append(searcher.ask())
        searcher.tell(found[-1], {"score": 0.0})
    assert set(found) == set(space.enumerate())
    with pytest.raises(Exhausted):
        searcher.ask()


def test_failed_programs_are_failed_trials_and_others_may_be_told() -> None:
    space = make_space("floats")
    searcher = OptunaSearch(space, GOAL, 0)
    one, two = searcher.ask(), searcher.ask()
    searcher.tell(two, None)
    searcher.tell(one, {"score": 2.0})
    searcher.tell(space.draw(random.Random(0)), {"score": 3.0})
    assert [(trial.state.name, trial.values) for trial in searcher._study.trials] == [
        ("COMPLETE", [2.0]),
        ("FAIL", None),
        ("COMPLETE", [3.0]),
    ]


def test_constraints_rank_below_what_keeps_them() -> None:
    space = make_space("floats")
    limits = Constraints(limits=(Constraint("cost", 1.0),))
    searcher = OptunaSearch(space, (Objective("score"),), 0, limits)
    for score, cost in ((5.0, 1.0), (3.0, 0.5), (9.0, 2.0), (9.0, 9.0)):
        searcher.tell(searcher.ask(), {"score": score, "cost": cost})
    values = [trial.value for trial in searcher._study.trials]
    assert values[:2] == [5.0, 3.0]
    assert 3.0 > values[2] > values[3] > -2.0


def test_a_study_optimizes_a_space() -> None:
    space = al.loads(
        "use std.nn\nspace tiny(x: f32[n, 4]) {\n  width = choose [4, 8, 16]\n"
        "  depth = choose 1..3\n  x |> repeat(depth, linear(width) >> relu) >> linear(2)\n}"
    )

    def score(program: Program) -> dict[str, float]:
        return {"score": float(program.choices["depth"]) * float(program.choices["width"])}  # type: ignore[arg-type]

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0))
    study.optimize(objective(space, score, "score"), n_trials=25)
    assert study.best_params == {"width": 16, "depth": 3}
    assert Choices.from_json(study.best_trial.user_attrs["choices"]) == space.choices({"depth": 3, "width": 16})

    both = optuna.create_study(directions=["maximize", "minimize"], sampler=optuna.samplers.NSGAIISampler(seed=0))
    both.optimize(objective(space, FunctionEvaluator(score), ["score", "params"]), n_trials=10)
    trial = both.trials[0]
    assert trial.values[1] == space.program(trial.params).cost().params
    missing = objective(space, score, "accuracy")
    with pytest.raises(ArchError, match="E0711"):
        missing(both.ask())


def test_pruners_see_what_is_reported() -> None:
    space = make_space("small")

    class Reporting(FunctionEvaluator):
        def __call__(self, program: Program, fidelity: Any, report: Any) -> dict[str, float]:
            for step in range(3):
                report({"loss": float(step)})
            return {"loss": 0.0}

    pruner = optuna.pruners.ThresholdPruner(upper=1.5)
    study = optuna.create_study(pruner=pruner, sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(objective(space, Reporting(lambda program: 0.0), "loss"), n_trials=2)
    assert [trial.state.name for trial in study.trials] == ["PRUNED", "PRUNED"]
    assert study.trials[0].intermediate_values == {0: 0.0, 1: 1.0, 2: 2.0}
