"""How well shared weights rank programs, against what SciPy makes of the same measurements."""

from pathlib import Path

import pytest
from scipy.stats import kendalltau, spearmanr

import archlang as al
from archlang.relax.agreement import Agreement, Measured
from archlang.relax.page import relaxed_page
from archlang.relax.selections.searching import measuring
from archlang.searchers import Objective
from archlang.space.choices import Choices
from tests.relax.test_run import SPACE

SETTINGS = {"epochs": 2, "batch_size": 128, "selection.trials": 3}


@pytest.fixture(scope="module")
def study() -> al.Study:
    return al.search(al.loads(SPACE), al.train("digits", epochs=1), searcher="random", trials=12, maximize=["accuracy"])


@pytest.mark.parametrize("minimized", [False, True])
def test_the_ranks_are_compared(tmp_path: Path, study: al.Study, minimized: bool) -> None:
    if minimized:
        evaluator = al.train("digits", epochs=1)
        study = al.search(al.loads(SPACE), evaluator, searcher="random", trials=12, minimize=["loss"])
    store = tmp_path / "small.supernet"
    al.train_supernet(al.loads(SPACE), "digits", method="spos", settings=SETTINGS, store=store)
    outcome = al.read_supernet(store)
    found = outcome.against(study, recalibration=256)
    name = "loss" if minimized else "accuracy"
    measure = measuring(outcome.session, 256)
    shared = [measure(program.choices)[name] for program in found.programs]
    trials = [study.trials[program.trial] for program in found.programs]
    alone = [trial.metrics[name] for trial in trials]
    assert [Choices(trial.choices) for trial in trials] == [program.choices for program in found.programs]
    assert len({program.choices for program in found.programs}) == len(found.programs) > 5
    assert found.correlation.kendall == pytest.approx(kendalltau(shared, alone).statistic)
    assert found.correlation.spearman == pytest.approx(spearmanr(shared, alone).statistic)
    best = (min if minimized else max)(range(len(shared)), key=shared.__getitem__)
    better = sum(value < alone[best] if minimized else value > alone[best] for value in alone)
    assert found.place_of_best == better + 1
    assert found.as_dict()["kendall"] == found.correlation.kendall
    page = relaxed_page(outcome, found)
    assert "Shared against alone" in page
    assert f"trial {trials[0].number}: {name}" in page


def test_what_cannot_be_compared(study: al.Study) -> None:
    text = "use std.nn\nspace other(x: f32[n, 1, 8, 8]) { x |> flatten >> choose { a: relu, b: tanh } >> linear(10) }"
    settings = {"epochs": 1, "batch_size": 512}
    other = al.train_supernet(al.loads(text), "digits", method="darts", settings=settings)
    with pytest.raises(al.ArchError, match=r"trial 0 of study `small` is no program of `other`"):
        other.against(study)
    one = al.search(
        al.loads(text), lambda program: {"accuracy": 1.0}, searcher="random", trials=1, maximize=["accuracy"]
    )
    with pytest.raises(al.ArchError, match="has 1 measured programs"):
        other.against(one)


def test_programs_that_measure_the_same_have_no_ranks() -> None:
    programs = tuple([Measured(Choices(), trial, 0.1, float(trial)) for trial in range(3)])
    found = Agreement("alone", Objective("accuracy"), Objective("loss", maximize=False), programs)
    assert found.summary.endswith(
        "accuracy with the shared weights, or loss alone, is the same for all, which ranks nothing"
    )


def test_choices_are_known_after_a_round_trip_through_json() -> None:
    picks = {"a": (0, 2), "b": "x", "c": 3}
    assert Choices({"a": [0, 2], "b": "x", "c": 3}) == Choices(picks)
