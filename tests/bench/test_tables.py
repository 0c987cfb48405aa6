"""Problems on published tables: programs are rows, and the best is the best of the table, as numpy finds it."""

from __future__ import annotations

import csv
import gzip
import math
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import pytest

import archlang as al
from archlang.bench.problems import PROBLEMS, BestOf, Evaluation, FrontOf, problem
from archlang.bench.problems.nasbench_graph import DATASETS, LINKS, tree
from archlang.diagnostics import ArchError
from tests.conftest import DataFile

NB201, GRAPH = "nb201_tss.csv.gz", "nasbench_graph.csv.gz"
HARDWARE, MACRO = "hwnasbench_nb201.csv.gz", "nasbench_macro_c10.csv.gz"
CODES = {"none": "0", "skip": "1", "conv1": "2", "conv3": "3", "pool3": "4"}


def columns(path: Path) -> dict[str, np.ndarray]:
    with gzip.open(path, "rt") as file:
        rows = list(csv.DictReader(file))
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def numbers(texts: np.ndarray) -> np.ndarray:
    return np.array([float(text or "nan") for text in texts])


def best_of(name: str, folder: Path) -> BestOf:
    found = problem(name, folder)
    assert isinstance(found, BestOf)
    return found


def check_best(found: BestOf, told: np.ndarray, scored: np.ndarray) -> None:
    assert found.answers.best_told == pytest.approx(told.max(), rel=1e-12)
    assert found.answers.best_scored == pytest.approx(scored.max(), rel=1e-12)
    assert found.floor == pytest.approx((scored.max() - scored[told == told.max()]).mean(), rel=1e-9)


def nb201_ops(choices: al.Choices) -> str:
    return "".join(CODES[str(choices[f"shared/edge#{edge}"])] for edge in range(1, 7))


@pytest.mark.parametrize(("data", "floor"), [("c10", 0.08), ("c100", 0.03), ("in16", 0.87)])
def test_nasbench201(data_file: DataFile, data: str, floor: float) -> None:
    table = columns(data_file(NB201))
    validation, test = numbers(table[f"{data}_val_200"]), numbers(table[f"{data}_test_200"])
    found = best_of(f"nb201-{data}", data_file(NB201).parent)
    check_best(found, validation, test)
    assert round(found.floor, 2) == floor
    row = {ops: place for place, ops in enumerate(table["ops"])}
    for seed in range(50):
        choices = found.space.sample(seed).choices
        place = row[nb201_ops(choices)]
        assert found.evaluate(choices) == {"accuracy": validation[place]}
        assert found.regret(choices) == test.max() - test[place]


@pytest.mark.parametrize("data", ["c10", "c100", "in16"])
def test_nasbench201_at_two_lengths(data_file: DataFile, data: str) -> None:
    """Simulated seconds are epochs times the MACs that the program itself has, in millions."""
    table = columns(data_file(NB201))
    found = best_of(f"nb201-{data}-epochs", data_file(NB201).parent)
    check_best(found, numbers(table[f"{data}_val_200"]), numbers(table[f"{data}_test_200"]))
    assert found.levels == (0.06, 1.0)
    program = found.space.sample(4)
    place = int(np.flatnonzero(table["ops"] == nb201_ops(program.choices))[0])
    levels = (
        (0.01, "val_12", 12),
        (0.06, "val_12", 12),
        (0.24, "val_12", 12),
        (0.25, "val_200", 200),
        (1, "val_200", 200),
    )
    for share, column, epochs in levels:
        told = found.evaluate(program.choices, share)
        assert told["accuracy"] == float(table[f"{data}_{column}"][place])
        assert told["seconds"] == pytest.approx(epochs * float(table[f"{data}_flops_m"][place]))
        assert set(told) == {"accuracy", "seconds"}
        assert found.evaluator(program, found.evaluator.at(share), print) == told
    if data == "c10":
        assert told["seconds"] == pytest.approx(200 * program.cost().macs / 1e6, rel=1e-3)


def macro_digits(choices: al.Choices) -> str:
    digits = {"identity": "0", "mb3_k3": "1", "mb6_k5": "2"}
    return "".join(digits[str(choices[f"layer[{place}]"])] for place in range(8))


@pytest.mark.parametrize(
    ("name", "file", "key", "column", "coded"),
    [
        ("nb201-c100", NB201, "ops", "c100_val_200", nb201_ops),
        ("nbmacro", MACRO, "arch", "acc_1", macro_digits),
    ],
)
def test_every_program_is_a_row_of_its_own(
    data_file: DataFile, name: str, file: str, key: str, column: str, coded: Callable[[al.Choices], str]
) -> None:
    table = columns(data_file(file))
    told = dict(zip(table[key], numbers(table[column]), strict=True))
    found = best_of(name, data_file(file).parent)
    for choices in found.space.enumerate():
        assert found.evaluate(choices) == {"accuracy": told.pop(coded(choices))}
    assert not told


def test_nasbench_macro(data_file: DataFile) -> None:
    table = columns(data_file(MACRO))
    runs = [numbers(table[f"acc_{run}"]) for run in (1, 2, 3)]
    found = best_of("nbmacro", data_file(MACRO).parent)
    check_best(found, runs[0], (runs[1] + runs[2]) / 2)
    assert found.floor == pytest.approx(0.185)


@pytest.mark.parametrize("data", DATASETS)
def test_nasbench_graph(data_file: DataFile, data: str) -> None:
    table = columns(data_file(GRAPH))
    found = best_of(f"nbgraph-{data}", data_file(GRAPH).parent)
    check_best(found, numbers(table[f"{data}_valid"]), numbers(table[f"{data}_test"]))


def test_every_program_of_nasbench_graph_is_a_row_and_every_row_is_reached(data_file: DataFile) -> None:
    table = columns(data_file(GRAPH))
    rows = {tree(link, ops.split("-")) for link, ops in zip(table["link"], table["ops"], strict=True)}
    assert len(rows) == len(table["link"]) == 26_206
    found = best_of("nbgraph-cora", data_file(GRAPH).parent)
    reached = set()
    count = 0
    for choices in found.space.enumerate():
        link, *operations = choices.values()
        reached.add(tree(LINKS[str(link)], [str(operation) for operation in operations]))
        count += 1
    assert count == 9 * 9**4 - 9
    assert reached == rows


def test_a_program_of_nasbench_graph_is_told_what_its_own_row_says(data_file: DataFile) -> None:
    table = columns(data_file(GRAPH))
    found = best_of("nbgraph-pubmed", data_file(GRAPH).parent)
    names = {digits: name for name, digits in LINKS.items()}
    for place in Random(0).sample(range(len(table["link"])), 200):
        operations = {f"operation[{i}]": name for i, name in enumerate(table["ops"][place].split("-"))}
        choices = found.space.choices({"link": names[table["link"][place]], **operations})
        assert found.evaluate(choices) == {"accuracy": float(table["pubmed_valid"][place])}


@pytest.mark.parametrize(
    ("link", "ops", "other_link", "other_ops"),
    [
        ("0000", "gcn-gat-fc-gin", "0000", "fc-gcn-gin-gat"),
        ("0012", "gcn-gat-fc-gin", "0012", "gat-gcn-gin-fc"),
        ("0123", "gcn-skip-gat-fc", "0123", "skip-gcn-gat-fc"),  # a skip in between is moved to the front
        ("0000", "gcn-gat-fc-skip", "0111", "skip-gcn-gat-fc"),  # the bare input is no output
    ],
)
def test_one_network_is_one_tree(link: str, ops: str, other_link: str, other_ops: str) -> None:
    assert tree(link, ops.split("-")) == tree(other_link, other_ops.split("-"))


@pytest.mark.parametrize(
    ("link", "ops", "other_link", "other_ops"),
    [
        ("0123", "gcn-gat-skip-skip", "0123", "gat-gcn-skip-skip"),
        ("0122", "skip-gcn-gat-skip", "0123", "skip-skip-gcn-gat"),  # what the first gives is an output too
        ("0111", "gcn-skip-skip-gat", "0122", "skip-gcn-skip-gat"),  # ... twice
        ("0001", "gcn-gat-fc-gin", "0001", "gat-gcn-fc-gin"),
    ],
)
def test_other_networks_are_other_trees(link: str, ops: str, other_link: str, other_ops: str) -> None:
    assert tree(link, ops.split("-")) != tree(other_link, other_ops.split("-"))


def volume(points: np.ndarray) -> float:
    """The area that is dominated up to the worst of both coordinates, by a grid of all of them; smaller is better."""
    worst = points.max(0)
    order = points[np.lexsort((points[:, 1], points[:, 0]))]
    lowest = np.minimum.accumulate(order[:, 1])
    widths = np.diff(np.append(order[:, 0], worst[0]))
    return float((widths * (worst[1] - lowest)).sum())


FRONTS = [("nb201-c10-macs", NB201, "c10_flops_m", "macs")] + [
    (f"hwnas-{device}", HARDWARE, f"c10_{device}_latency", "latency")
    for device in ("edgegpu", "raspi4", "edgetpu", "pixel3", "eyeriss", "fpga")
]


@pytest.mark.parametrize(("name", "file", "column", "metric"), FRONTS)
def test_fronts(data_file: DataFile, name: str, file: str, column: str, metric: str) -> None:
    table, other = columns(data_file(NB201)), columns(data_file(file))
    errors = dict(zip(table["ops"], 100 - numbers(table["c10_val_200"]), strict=True))
    seconds = dict(zip(other["ops"], numbers(other[column]), strict=True))
    points = np.array([(errors[ops], seconds[ops]) for ops in errors if not math.isnan(seconds[ops])])
    found = problem(name, data_file(NB201).parent)
    assert isinstance(found, FrontOf)
    assert found.volume == pytest.approx(volume(points), rel=1e-9)
    assert found.reference == (-points[:, 0].max(), -points[:, 1].max())
    history = []
    supported = []
    for seed in range(40):
        choices = found.space.sample(seed).choices
        point = errors[nb201_ops(choices)], seconds[nb201_ops(choices)]
        if math.isnan(point[1]):
            with pytest.raises(ArchError, match=r"E0715.*has no `latency`"):
                found.evaluate(choices)
            history.append(Evaluation(choices, None))
        else:
            assert found.evaluate(choices) == pytest.approx({"error": point[0], metric: point[1]})
            supported.append(point)
            history.append(Evaluation(choices, found.evaluate(choices)))
    regrets = found.regrets(history)
    corner = np.array([points.max(0)])
    dominated = volume(np.concatenate([np.array(supported), corner]))
    assert regrets[-1] == pytest.approx(1 - dominated / volume(points), abs=1e-9)
    assert regrets == sorted(regrets, reverse=True)
    assert len(regrets) == 40


def test_all_programs_leave_nothing_missing(data_file: DataFile) -> None:
    found = problem("nb201-c10-macs", data_file(NB201).parent)
    best = [Evaluation(choices, found.evaluate(choices)) for choices in found.space.enumerate()]
    best.sort(key=lambda each: (each.metrics or {})["error"])
    assert found.regrets(best[:2000])[-1] > 0
    front = []
    least = math.inf
    for each in best:
        assert each.metrics is not None
        if each.metrics["macs"] < least:
            least = each.metrics["macs"]
            front.append(each)
    assert found.regrets(front)[-1] == pytest.approx(0, abs=1e-12)


def test_a_search_is_told_by_a_problem(data_file: DataFile) -> None:
    found = best_of("nb201-c10", data_file(NB201).parent)
    study = al.search(found.space, found.evaluator, objectives=found.objectives, trials=30, searcher="random")
    history = [Evaluation(al.Choices(trial.choices), dict(trial.metrics)) for trial in study.measured]
    assert study.best_trial is not None
    assert found.regrets(history)[-1] == found.regret(al.Choices(study.best_trial.choices))


def test_the_surrogate_of_astrasim_is_the_forest_of_scikit_learn(data_file: DataFile) -> None:
    ensemble = pytest.importorskip("sklearn.ensemble")
    from archlang.bench.problems import astrasim
    from archlang.evaluate.rows import Rows

    found = best_of("astrasim", data_file(astrasim.TABLE).parent)
    rows = Rows.read(str(data_file(astrasim.TABLE)))
    designs = astrasim.designs_of(rows, found.space)
    assert len(designs) == 1792
    for design in designs[::50]:
        assert dict(found.space.choices(design)) == design
    features = astrasim.Features.of(found.space)
    x = np.array([features.row(design) for design in designs])
    y = np.log(numbers(np.array(rows.texts(astrasim.TIME))))
    forest = ensemble.RandomForestRegressor(astrasim.TREES, min_samples_leaf=2, random_state=0).fit(x, y)
    told = [found.evaluate(found.space.choices(design))["time"] for design in designs[:50]]
    np.testing.assert_allclose(told, np.exp(forest.predict(x[:50])) / 1e6, rtol=1e-9)
    assert found.answers.best_scored < min(told)
    seen = np.arange(len(x)) % 5 != 0
    predicted = astrasim.Forest.fitted(x[seen], y[seen]).predict(x[~seen])
    assert 1 - ((predicted - y[~seen]) ** 2).sum() / ((y[~seen] - y[~seen].mean()) ** 2).sum() > 0.7


def test_the_surrogate_needs_scikit_learn(data_file: DataFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    with pytest.raises(ArchError, match=r"E0919.*`astrasim` needs the package `sklearn`"):
        problem("astrasim", data_file("archgym_astrasim.csv.gz").parent).told  # noqa: B018


def test_constants_of_the_surrogate_are_what_the_rows_show(data_file: DataFile) -> None:
    """The columns that the space leaves out hold one value, or follow from another."""
    from archlang.bench.problems import astrasim

    table = columns(data_file(astrasim.TABLE))
    links = {"Ring": "2", "Switch": "1", "FullyConnected": "7"}
    for dimension in ("1", "2"):
        topologies = table[f"topologies-per-dim-{dimension}"]
        assert [links[topology] for topology in topologies] == list(table[f"links-count-{dimension}"])
    assert list(table["dimension-type-1"]) == list(table["dimension-type-2"])
    left = [name for name in table if name not in astrasim.NAMES and not name.startswith("observation")]
    left = [name for name in left if not name.startswith("links-count") and name != "dimension-type-2"]
    assert all(len(set(table[name])) == 1 for name in left)


def test_a_missing_folder_or_file_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ARCHLANG_DATA", raising=False)
    with pytest.raises(ArchError, match=r"E0701.*not said where the benchmark data lies"):
        problem("nb201-c10").told  # noqa: B018
    monkeypatch.setenv("ARCHLANG_DATA", str(tmp_path))
    with pytest.raises(ArchError, match=r"E0701.*does not exist"):
        problem("nb201-c10").evaluator.check(problem("nb201-c10").space.sample(), ["accuracy"])


def test_an_unknown_problem_has_a_suggestion() -> None:
    with pytest.raises(ArchError, match=r"(?s)E0920.*did you mean `nbgraph-cora`"):
        problem("nbgraph-corra")
    with pytest.raises(ArchError, match="E0711"):
        problem("synthetic-float").evaluator.check(problem("synthetic-float").space.sample(), ["acc"])
    for name in PROBLEMS:
        assert problem(name).name == name
