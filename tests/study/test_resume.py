"""Interrupted at any point, a study goes on as if nothing had been."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest

from archlang.diagnostics import ArchError
from archlang.evaluate import FunctionEvaluator
from archlang.searchers import Recipe
from archlang.searchers.populations.evolution import Evolution
from archlang.space import Program, loads
from archlang.study import Store, Study, StudyRecord, list_studies, open_store, read_study, resume
from archlang.study.progress import Silent
from archlang.study.runner import Run
from tests.study import runs


@pytest.fixture(scope="module")
def whole() -> Study:
    """The study without interruption."""
    return runs.begin(None)


def test_killed_at_random_points(tmp_path: Path, whole: Study) -> None:
    store = tmp_path / "killed.db"
    chance = random.Random(0)
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, [root, root / "backends"]))}
    kills = 0
    for _ in range(12):
        command = [sys.executable, "-m", "tests.study.runs", str(store), "0.02"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root, env=environment)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(chance.uniform(0.0, 0.35))
        kills += process.poll() is None
        process.kill()
        process.wait()
        process.stdout.close()
    assert kills >= 3
    begun = store.exists() and list_studies(store)
    ended = resume(store, evaluator=runs.evaluate) if begun else runs.begin(store)
    assert runs.history(ended) == runs.history(whole)


class Crash(BaseException):
    """Ends a run as if the process had died."""


class Crashing(Store):
    """A store that dies at one of its writes, just before or just after it."""

    writes = 0
    dies_at = 0
    after = False

    @contextmanager
    def _writing(self) -> Iterator[Any]:
        self.writes += 1
        if self.writes == self.dies_at and not self.after:
            raise Crash
        with super()._writing() as connection:
            yield connection
        if self.writes == self.dies_at:
            raise Crash


@pytest.mark.parametrize("after", [False, True])
def test_died_at_each_write(after: bool) -> None:
    expected = runs.history(runs.begin(None, trials=12))
    for dies_at in range(1, 25):
        with open_store(None) as store:
            record = attrs.evolve(runs.begin(None, trials=1).record, trials=12)
            store.create(record)
            crashing = Crashing(store.location, store.engine)
            crashing.dies_at, crashing.after = dies_at, after
            with pytest.raises(Crash):
                goes_on(crashing, record)
            assert runs.history(goes_on(store, record)) == expected


def goes_on(store: Store, record: StudyRecord) -> Study:
    return Run(
        store, record, runs.space(), FunctionEvaluator(runs.evaluate), Recipe.of(Evolution, record.settings), Silent()
    ).go()


@pytest.mark.parametrize("stop", [1, 7, 8, 20, 39])
def test_interrupted_from_the_keyboard(tmp_path: Path, whole: Study, stop: int) -> None:
    calls = 0

    def evaluate(program: Program) -> dict[str, float]:
        nonlocal calls
        calls += 1
        if calls == stop:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
        return runs.evaluate(program)

    store = tmp_path / "study.db"
    stopped = runs.begin(store, evaluator=evaluate)
    assert stopped.interrupted
    assert [trial.state for trial in stopped.trials].count("interrupted") == 1
    assert stopped.trials[-1].state == "interrupted"
    assert len(stopped.trials) >= stop
    ended = resume(store, evaluator=runs.evaluate)
    assert not ended.interrupted
    assert runs.history(ended) == runs.history(whole)


def test_more_trials(tmp_path: Path, whole: Study) -> None:
    store = tmp_path / "study.db"
    runs.begin(store, trials=15)
    assert runs.history(resume(store, evaluator=runs.evaluate, trials=runs.TRIALS)) == runs.history(whole)
    assert read_study(store).record.trials == runs.TRIALS


def test_nothing_left_to_do(tmp_path: Path, whole: Study) -> None:
    store = tmp_path / "study.db"
    runs.begin(store)
    assert runs.history(resume(store, evaluator=runs.evaluate)) == runs.history(whole)


def test_resumes_with_the_configuration_of_the_space(tmp_path: Path) -> None:
    store = tmp_path / "study.db"
    begun = runs.begin(store, space=runs.space(most=2), trials=10)
    ended = resume(store, evaluator=runs.evaluate, trials=12)
    assert ended.space.digest == begun.space.digest
    assert all(trial.choices["depth"] <= 2 for trial in ended.trials)


def refused(code: str, store: Path, **given: object) -> str:
    with pytest.raises(ArchError) as found:
        resume(store, **given)  # type: ignore[arg-type]
    assert [diagnostic.code for diagnostic in found.value.diagnostics] == [code]
    return str(found.value)


def test_changed_space_is_refused(tmp_path: Path) -> None:
    store = tmp_path / "study.db"
    runs.begin(store, trials=3)
    changed = loads(runs.TEXT.replace("[32, 64, 96]", "[32, 64]"))
    message = refused("E0904", store, evaluator=runs.evaluate, space=changed)
    assert "the file `<text>` has changed, first in line 4" in message
    message = refused("E0904", store, evaluator=runs.evaluate, space=runs.space(most=3))
    assert "the configuration `most` was not set, now it is 3" in message
    resume(store, evaluator=runs.evaluate, space=runs.space())


def test_function_has_to_be_given_again(tmp_path: Path) -> None:
    store = tmp_path / "study.db"
    runs.begin(store, trials=3)
    assert "resume(store, evaluator=…)" in refused("E0912", store)


def test_searcher_that_does_not_repeat_itself(tmp_path: Path) -> None:
    from archlang.searchers.random import RandomSearch

    store = tmp_path / "study.db"
    runs.begin(store, trials=3, searcher="grid", space=loads("space s { { a: choose [1, 2, 3] } }"), settings={})
    message = refused("E0913", store, evaluator=runs.evaluate, searcher=RandomSearch)
    assert "does not repeat trial" in message
