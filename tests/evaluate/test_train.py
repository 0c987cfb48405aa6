"""Training as an evaluator: settings, recipes, what is measured, what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archlang.diagnostics import ArchError
from archlang.evaluate import evaluator_from_spec, train
from archlang.space import Program, loads
from archlang.study import resume, search

SPACE = """
use std.nn

space tiny(classes: int = 10)(image: f32[n, 1, 8, 8]) -> [n, classes] {
  image |> conv2d(choose [4, 8], kernel=3, stride=2) >> relu >> flatten >> linear(classes)
}
"""
RECIPE = """
use std.nn

space recipe(image: f32[n, 1, 8, 8]) {
  { model: image |> flatten >> linear(10), lr: choose [0.1, 0.2], batch_size: 32,
    optimizer: choose { sgd: { momentum: choose [0.5, 0.9] }, adamw: { decay: choose [0.01, 0.1] } } }
}
"""


def program(text: str = SPACE, **config: Any) -> Program:
    return loads(text, None, config).sample(seed=0)


def codes(found: pytest.ExceptionInfo[ArchError]) -> list[str]:
    return [diagnostic.code for diagnostic in found.value.diagnostics]


def test_trains_and_measures() -> None:
    pytest.importorskip("torch")
    seen: list[dict[str, float]] = []
    evaluator = train("digits", epochs=2)
    metrics = evaluator(program(), {}, lambda metrics: seen.append(dict(metrics)))
    assert metrics["accuracy"] > 0.8
    assert metrics["params"] == program().cost().params
    assert metrics["macs"] == program().cost().macs
    assert [point["epoch"] for point in seen] == [1, 2]
    assert seen[-1]["accuracy"] == metrics["accuracy"]
    again = evaluator(program(), {}, lambda metrics: None)
    assert {**again, "seconds": 0} == {**metrics, "seconds": 0}, "the same each time"


def test_fidelity_goes_before_the_settings() -> None:
    evaluator = train("digits", epochs=20, lr=0.3)
    assert evaluator.settings_for(program(), {"epochs": 1}).epochs == 1
    assert evaluator.settings_for(program(), {}).lr == 0.3


def test_recipe_sets_the_training() -> None:
    space = loads(RECIPE)
    chosen = space.program({"lr": 0.2, "optimizer": "adamw", "optimizer:adamw.decay": 0.1})
    settings = train("digits", lr=0.7).settings_for(chosen, {})
    assert (settings.lr, settings.batch_size, settings.optimizer, settings.weight_decay) == (0.2, 32, "adamw", 0.1)
    chosen = space.program({"lr": 0.1, "optimizer": "sgd", "optimizer:sgd.momentum": 0.5})
    settings = train("digits").settings_for(chosen, {})
    assert (settings.optimizer, settings.momentum) == ("sgd", 0.5)


def test_recipe_with_a_field_that_training_does_not_know() -> None:
    strange = program(RECIPE.replace("batch_size", "batchsize"))
    with pytest.raises(ArchError) as found:
        train("digits").settings_for(strange, {})
    assert codes(found) == ["E0709"]
    assert "did you mean `batch_size`" in str(found.value)
    assert train("digits", ignore="batchsize").settings_for(strange, {}).batch_size == 64


def test_recipe_out_of_bounds() -> None:
    with pytest.raises(ArchError) as found:
        train("digits").settings_for(program(RECIPE.replace("batch_size: 32", "batch_size: 0")), {})
    assert codes(found) == ["E0706"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epoch": 3}, "training has no setting `epoch`\n  = help: did you mean `epochs`"),
        ({"epochs": "three"}, "the setting `epochs` of training is 'three', expected an integer"),
        ({"validation": 1.5}, "the setting `validation` of training is 1.5, expected a number < 1"),
        (
            {"optimizer": "sgdd"},
            "the setting `optimizer` of training is 'sgdd', expected one of 'sgd', 'adam', 'adamw'",
        ),
    ],
)
def test_settings_that_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ArchError) as found:
        train("digits", **settings)
    assert codes(found) == ["E0706"]
    assert message in str(found.value)


@pytest.mark.parametrize(
    ("code", "text", "given"),
    [
        ("E0701", SPACE, {"data": "nothing.npz"}),
        ("E0704", SPACE.replace("8, 8", "9, 9"), {}),
        ("E0705", SPACE.replace("classes: int = 10", "classes: int = 5"), {}),
        ("E0708", "space none { { lr: choose [0.1, 0.2] } }", {}),
        ("E0802", SPACE, {"backend": "troch"}),
    ],
)
def test_search_that_cannot_work_is_refused_before_it_begins(
    code: str, text: str, given: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(ArchError) as found:
        search(loads(text), train(**given), maximize="accuracy", trials=2, store=tmp_path / "study.db")
    assert codes(found) == [code]
    assert not (tmp_path / "study.db").exists()


def test_metric_that_training_does_not_give() -> None:
    with pytest.raises(ArchError) as found:
        search(loads(SPACE), train(), maximize="acuracy", trials=2)
    assert codes(found) == ["E0711"]
    assert "did you mean `accuracy`" in str(found.value)


def test_divergence_is_a_failed_trial() -> None:
    pytest.importorskip("torch")
    study = search(loads(SPACE), train("digits", epochs=3, lr=1e9), maximize="accuracy", trials=1)
    assert study.trials[0].state == "failed"
    assert study.trials[0].error.startswith("error[E0710]: training diverged")


def test_resumes_from_the_store_alone(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    random = np.random.RandomState(0)
    x = random.rand(64, 1, 8, 8).astype(np.float32)
    np.savez(tmp_path / "data.npz", x=x, y=(x.sum((1, 2, 3)) > 32).astype(int))
    evaluator = train(str(tmp_path / "data.npz"), epochs=1)
    given: dict[str, Any] = {"maximize": "accuracy", "minimize": "macs", "searcher": "random"}
    search(loads(SPACE), evaluator, **given, trials=1, store=tmp_path / "study.db")
    ended = resume(tmp_path / "study.db", trials=2)
    whole = search(loads(SPACE), evaluator, **given, trials=2)
    for one, other in zip(ended.trials, whole.trials, strict=True):
        assert one.choices_json == other.choices_json
        assert {**one.metrics, "seconds": 0} == {**other.metrics, "seconds": 0}
    np.savez(tmp_path / "data.npz", x=x, y=np.zeros(64, int))
    with pytest.raises(ArchError) as found:
        resume(tmp_path / "study.db", trials=2)
    assert codes(found) == ["E0912"]
    assert "`data_digest` was" in str(found.value)


def test_spec_makes_the_same_evaluator_again(tmp_path: Path) -> None:
    evaluator = train("digits", epochs=3, clip=1.0, ignore=("a", "b"))
    spec = evaluator.spec()
    assert spec is not None
    assert evaluator_from_spec(spec).describe() == evaluator.describe()
    arrays = (np.zeros((4, 2)), np.zeros(4, int))
    assert train(arrays).spec() is None
    with pytest.raises(ArchError) as found:
        evaluator_from_spec({"kind": "oracle"})
    assert codes(found) == ["E0912"]


def test_test_samples_are_measured_when_asked_for(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    random = np.random.RandomState(0)
    x, y = random.rand(60, 1, 8, 8).astype(np.float32), np.arange(60) % 2
    np.savez(tmp_path / "data.npz", x_train=x, y_train=y, x_test=x[:20], y_test=y[:20])
    path = str(tmp_path / "data.npz")
    assert "test_accuracy" not in train(path, epochs=1)(program(), {}, lambda metrics: None)
    measured = train(path, epochs=1, test=True)(program(), {}, lambda metrics: None)
    assert 0 <= measured["test_accuracy"] <= 1
