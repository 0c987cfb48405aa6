"""Runs: their curves against the problem's own regrets, what they count, and how benches of them are kept."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from archlang.bench import runner
from archlang.bench.problems import Evaluation, problem
from archlang.bench.run import Entry, Run, Task, Times, perform
from archlang.bench.runner import bench, missing, read_runs, tasks
from archlang.bench.summary import regret_at
from archlang.diagnostics import ArchError
from archlang.searchers.recipe import Recipe
from tests.bench import searchers
from tests.conftest import DataFile

HERE = "tests.bench.searchers"


def own(name: str) -> Entry:
    return Entry(name, f"{HERE}:{name}")


def test_a_run_has_the_regrets_of_its_history() -> None:
    """The search done by hand, and its regret after every evaluation."""
    run = perform(Task("synthetic-mixed", Entry.of("evolution(population=5)"), 3, 40))
    about = problem("synthetic-mixed")
    searcher = Recipe.of("evolution(population=5)").make(about.space, about.objectives, 3)
    history = []
    for _ in range(40):
        choices = searcher.ask()
        metrics = about.evaluate(choices)
        searcher.tell(choices, metrics)
        history.append(Evaluation(choices, metrics))
    regrets = about.regrets(history)
    assert [regret_at(run, count + 1) for count in range(40)] == regrets
    assert run.regret == regrets[-1]
    assert run.steps[-1].told == min(each.metrics["value"] for each in history if each.metrics)
    assert (run.asked, run.spent, run.failed, run.seconds, run.error) == (40, 40.0, 0, None, "")
    assert run.ask.p95 > 0
    assert len({step.regret for step in run.steps}) == len(run.steps), "a step is a change"


def test_repeats_count_and_an_exhausted_search_stays_where_it_is() -> None:
    run = perform(Task("synthetic-order", own("few"), 0, 10))
    assert (run.asked, run.repeats, run.equal, run.exhausted, run.spent) == (3, 1, 1, True, 3.0)
    assert regret_at(run, 10) == run.regret < math.inf
    assert regret_at(run, 0) == math.inf


def test_equal_in_function(data_file: DataFile) -> None:
    folder = str(data_file("nb201_tss.csv.gz").parent)
    run = perform(Task("nb201-c10", Entry.of("random"), 0, 60, folder))
    space = problem("nb201-c10", folder).space
    searcher = Recipe.of("random").make(space, problem("nb201-c10", folder).objectives, 0)
    hashes = [space.program(searcher.ask()).functional_hash for _ in range(60)]
    assert run.equal == 60 - len(set(hashes))


def test_short_evaluations_count_by_their_share(data_file: DataFile) -> None:
    folder = str(data_file("nb201_tss.csv.gz").parent)
    run = perform(Task("nb201-c10-epochs", own("cheap"), 0, 5, folder))
    about = problem("nb201-c10-epochs", folder)
    programs = searchers.drawn(about.space, 0, 30)
    full = math.ceil(5 - 30 * 0.06)
    assert (run.asked, run.spent, run.repeats) == (30 + full, pytest.approx(1.8 + full), 0)
    told = [about.evaluate(choices, 0.06) for choices in programs] + [about.evaluate(c) for c in programs[:full]]
    assert run.seconds == pytest.approx(sum(metrics["seconds"] for metrics in told))
    # Full evaluations go before short ones, whatever these were told.
    assert run.steps[-1].told == max(metrics["accuracy"] for metrics in told[30:])
    spents = [step.spent for step in run.steps]
    seconds = [step.seconds or 0 for step in run.steps]
    assert spents == sorted(spents)
    assert seconds == sorted(seconds)
    assert spents[0] == 0.06


def test_a_front_has_no_best_told(data_file: DataFile) -> None:
    folder = str(data_file("nb201_tss.csv.gz").parent)
    run = perform(Task("nb201-c10-macs", Entry.of("random"), 1, 30, folder))
    assert all(step.told is None and 0 <= step.regret <= 1 for step in run.steps)


def test_failed_evaluations_are_told_and_counted(data_file: DataFile) -> None:
    """The edge TPU runs two thirds of the programs."""
    folder = str(data_file("hwnasbench_nb201.csv.gz").parent)
    run = perform(Task("hwnas-edgetpu", Entry.of("evolution(population=5)"), 0, 40, folder))
    assert 0 < run.failed < 40
    assert not run.error
    assert run.regret < 1


def test_what_fails_is_part_of_the_run() -> None:
    assert "E0910" in perform(Task("synthetic-float", Entry.of("grid"), 0, 5)).error
    refused = perform(Task("synthetic-order", own("refusing"), 0, 5))
    assert refused.error == "RuntimeError: this space is not to my taste"
    assert (refused.steps, refused.regret) == ((), math.inf)
    absent = Entry("absent", "archlang.no_such_module:function")
    assert "no_such_module" in perform(Task("synthetic-order", absent, 0, 5)).error


def test_a_recipe_is_checked_when_it_is_named() -> None:
    assert Entry.of(" evolution( population = 5 )").name == "evolution(population=5)"
    with pytest.raises(ArchError, match="E0902"):
        Entry.of("evolution(populations=5)")
    with pytest.raises(ArchError, match="E0903"):
        Entry.of("evolution(population=0)")


def test_times() -> None:
    times = Times.of([0.001 * k for k in range(1, 101)])
    assert times.mean == pytest.approx(50.5)
    assert times.p95 == pytest.approx(95)
    assert Times.of([]) == Times(0, 0)


def test_a_run_survives_writing() -> None:
    run = perform(Task("synthetic-subset", Entry.of("random"), 2, 15))
    assert Run.from_dict(json.loads(json.dumps(run.as_dict()))) == run


def wanted(*entries: Entry, seeds: int = 3) -> list[Task]:
    return tasks(["synthetic-order", "synthetic-subset"], entries, seeds, 12)


def without_times(runs: list[Run]) -> list[dict[str, object]]:
    return [{name: value for name, value in run.as_dict().items() if name not in ("ask", "tell")} for run in runs]


def test_processes_give_what_one_process_gives(tmp_path: Path) -> None:
    given = wanted(Entry.of("random"), Entry.of("evolution(population=4)"), own("refusing"))
    seen: list[Run] = []
    together = bench(given, jobs=2, results=tmp_path / "runs.jsonl", watch=seen.append)
    assert without_times(together) == without_times(bench(given))
    assert [run.key for run in together] == [task.key for task in given]
    assert sorted(run.key for run in seen) == sorted(task.key for task in given)
    assert sum(bool(run.error) for run in together) == 6


def test_results_are_not_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(searchers.CALLS, str(tmp_path / "calls"))
    path = tmp_path / "folder" / "runs.jsonl"
    first = bench(wanted(own("noted"), seeds=2), results=path)
    assert bench(wanted(own("noted"), seeds=2), results=path) == first
    assert missing(wanted(own("noted"), seeds=3), path) == wanted(own("noted"), seeds=3)[-2:]
    more = bench(wanted(own("noted"), seeds=3), results=path)
    assert more[: len(first)] == first
    assert (tmp_path / "calls").read_text().split() == ["0", "0", "1", "1", "2", "2"]


def test_what_failed_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "runs.jsonl"
    given = tasks(["synthetic-order"], [own("noted")], 1, 12)
    monkeypatch.delenv(searchers.CALLS, raising=False)
    assert "KeyError" in bench(given, results=path)[0].error
    monkeypatch.setenv(searchers.CALLS, str(tmp_path / "calls"))
    assert not bench(given, results=path)[0].error
    assert [bool(json.loads(line)["error"]) for line in path.read_text().splitlines()] == [True, False]
    assert [run.error for run in read_runs(path)] == [""]


def test_an_interrupt_leaves_what_is_done(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    given = wanted(Entry.of("random"))

    def stop(run: Run) -> None:
        if run.seed == 1:
            raise KeyboardInterrupt

    assert len(bench(given, results=path, watch=stop)) == 3
    # The process may end while it writes.
    path.write_text(path.read_text() + '{"problem": "synthetic-o', encoding="utf-8")
    assert len(read_runs(path)) == 3
    assert without_times(bench(given, results=path)) == without_times(bench(given))
    assert len(path.read_text().splitlines()) == len(given)


def test_a_process_that_dies_ends_its_run_only() -> None:
    given = tasks(["synthetic-order"], [own("dying"), Entry.of("random")], 2, 12)
    found = bench(given, jobs=2)
    assert ["died" in run.error for run in found] == [True, False, True, False]
    assert without_times(found)[1] == without_times(bench(given[1:2]))[0]


@pytest.mark.parametrize("text", ["name,regret\n", "{}\n", "[1]\n", '{"problem": "x"}\n'])
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ArchError, match=r"(?s)E0922.*line 1 is no run"):
        bench(wanted(Entry.of("random")), results=path)
    assert path.read_text(encoding="utf-8") == text


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ArchError, match="E0922"):
        bench(wanted(Entry.of("random")), results=tmp_path / "file" / "runs.jsonl")


def test_runs_are_told_apart_by_their_budget(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    bench(tasks(["synthetic-order"], [Entry.of("random")], 1, 5), results=path)
    (run,) = bench(tasks(["synthetic-order"], [Entry.of("random")], 1, 6), results=path)
    assert run.asked == 6


def test_one_thread_is_for_the_processes_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    with runner._one_thread():
        assert (runner.os.environ["OMP_NUM_THREADS"], runner.os.environ["MKL_NUM_THREADS"]) == ("3", "1")
    assert "MKL_NUM_THREADS" not in runner.os.environ
