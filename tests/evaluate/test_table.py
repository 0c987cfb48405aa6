"""Tables as evaluators: how rows are found, what they give, what is refused, and resuming."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

import archlang as al
from archlang.diagnostics import ArchError
from archlang.evaluate import TableEvaluator, evaluator_from_spec, table
from archlang.space import Choices, Space, loads
from archlang.study import resume, search

CODED = """ops,note,val_12,val_200,test_a,test_b,cost
000,x,1,10,2,4,0.5
001,x,2,11,2,4,1.5
010,x,3,12,2,4,2.5
011,x,4,,2,5,3.5
100,x,5,14,2,4,4.5
101,x,6,15,2,4,5.5
110,x,7,16,2,4,6.5
111,"x, y",8,17,2,4,7.5
"""
EDGES = 'space s { { edges: [choose ["skip", "conv"] as edge for i in 0..<3] } }'
CODES = {"skip": "0", "conv": "1"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("coded.csv").write_text(CODED, encoding="utf-8")


def coded(**given: Any) -> TableEvaluator:
    return table(
        "coded.csv",
        **{"key": {"ops": "edges[*].edge"}, "codes": CODES, "metrics": {"accuracy": "val_200"}, **given},
    )


def edges(space: Space) -> list[str]:
    return [decision.address for decision in space.all_decisions()]


def three(picks: str) -> tuple[Space, Choices]:
    space = loads(EDGES)
    return space, space.choices(
        dict(zip(edges(space), ["skip" if pick == "0" else "conv" for pick in picks], strict=True))
    )


def write(text: str) -> str:
    Path("rows.csv").write_text(text, encoding="utf-8")
    return "rows.csv"


def code_and_text(found: pytest.ExceptionInfo[ArchError]) -> tuple[list[str], str]:
    return [diagnostic.code for diagnostic in found.value.diagnostics], str(found.value)


def test_joins_the_codes_of_a_pattern() -> None:
    space, choices = three("101")
    address = edges(space)[0]
    pattern = "*".join([address.split("0")[0], address.split("0")[1]])
    assert coded(key={"ops": pattern}).lookup(choices) == {"accuracy": 15}
    assert coded(key={"ops": edges(space)}).lookup(choices) == {"accuracy": 15}
    assert coded(key={"ops": edges(space)[::-1]}).lookup(three("100")[1]) == {"accuracy": 11}


def test_a_pattern_orders_numbers_by_value() -> None:
    space = loads("space s { { xs: [choose [0, 1] as x for i in 0..<11] } }")
    addresses = edges(space)
    assert addresses[2].replace("2", "10") == addresses[10]
    row = "0" * 2 + "1" + "0" * 8
    path = write(f"code,value\n{row},1\n{'0' * 10}1,2\n")
    evaluator = table(path, key={"code": addresses[0].replace("0", "*")}, metrics="value")
    assert evaluator.lookup(Choices({address: int(k == 2) for k, address in enumerate(addresses)})) == {"value": 1}


def test_means_levels_and_simulated_time() -> None:
    space, choices = three("110")
    evaluator = coded(
        key={"ops": edges(space)},
        metrics={"accuracy": {12: "val_12", 200: "val_200"}, "test": ["test_a", "test_b"], "late": {200: "cost"}},
        seconds={"of": "cost", "per_epoch": True, "factor": 10},
    )
    program = space.program(choices)
    assert evaluator(program, {}, print) == {"accuracy": 16, "test": 3, "late": 6.5, "seconds": 6.5 * 200 * 10}
    assert evaluator(program, {"epochs": 12}, print) == {"accuracy": 7, "test": 3, "seconds": 6.5 * 12 * 10}
    low: dict[str, Any] = {"epochs": 12}
    assert [evaluator.at(share) for share in (0.001, 0.06, 0.24, 0.25, 1.0)] == [low, low, low, {}, {}]
    assert coded().at(0.1) == {}
    with pytest.raises(ArchError) as found:
        evaluator.lookup(choices, {"epochs": 50})
    assert code_and_text(found)[0] == ["E0714"]
    assert "epochs=50" in str(found.value)
    assert "12, 200" in str(found.value)
    with pytest.raises(ArchError, match="it has no levels"):
        coded(key={"ops": edges(space)}).lookup(choices, {"epochs": 200})


@pytest.mark.parametrize(("given", "expected"), [("cost", 6.5), (4, 4), ({"of": "cost", "factor": 2}, 13)])
def test_time_that_does_not_hang_on_epochs(given: Any, expected: float) -> None:
    space, choices = three("110")
    evaluator = coded(key={"ops": edges(space)}, seconds=given)
    assert evaluator.lookup(choices)["seconds"] == expected
    evaluator.check(space.program(choices), ["seconds", "accuracy"])


def test_numbers_compare_by_value_and_texts_as_texts() -> None:
    space = loads('space s { { lr: choose [0.1, 1e-3], on: choose [true, false], code: choose ["01", "1"] } }')
    path = write("lr,on,code,value\n0.10,True,01,1\n1e-3,False,01,2\n0.001,TRUE,1,3\n")
    evaluator = table(path, key="*", metrics="value")
    assert evaluator.lookup(space.choices({"lr": 0.1, "on": True, "code": "01"})) == {"value": 1}
    assert evaluator.lookup(space.choices({"lr": 0.001, "on": False, "code": "01"})) == {"value": 2}
    assert evaluator.lookup(space.choices({"lr": 0.001, "on": True, "code": "1"})) == {"value": 3}
    with pytest.raises(ArchError, match=r"no row for lr = `0.1`, on = `true`, code = `1`"):
        evaluator.lookup(space.choices({"lr": 0.1, "on": True, "code": "1"}))


def test_a_decision_that_is_not_made_is_an_empty_cell() -> None:
    space = loads("space s { { op: choose { sgd: { momentum: choose [0.5, 0.9] }, adam: {} } } }")
    addresses = edges(space)
    inner = next(address for address in addresses if address != "op")
    path = write(f"op,{inner},value\nsgd,0.5,1\nsgd,0.90,2\nadam,,3\n")
    evaluator = table(path, key="*", metrics="value")
    assert evaluator.lookup(space.choices({"op": "sgd", inner: 0.9})) == {"value": 2}
    assert evaluator.lookup(space.choices({"op": "adam"})) == {"value": 3}


def test_a_key_may_be_a_function() -> None:
    space, choices = three("011")
    evaluator = coded(key=lambda choices: {"ops": "".join(CODES[pick] for pick in choices.values())}, metrics="cost")
    evaluator.check(space.program(choices), ["cost"])
    assert evaluator.lookup(choices) == {"cost": 3.5}
    assert evaluator.spec() is None
    with pytest.raises(ArchError) as found:
        coded(key=lambda choices: "011").lookup(choices)
    assert code_and_text(found)[0] == ["E0714"]


def test_costs_of_the_network_are_metrics_when_asked_for() -> None:
    space = al.loads("use std.nn\nspace s(x: f32[n, 4]) { width = choose [2, 3] as width\n x |> linear(width) }")
    path = write("width,value\n2,1\n3,2\n")
    program = space.program({"width": 3})
    assert table(path, key="*", metrics="value", costs=True)(program, {}, print)["params"] == 15
    table(path, key="*", metrics="value", costs=True).check(program, ["params", "value"])
    with pytest.raises(ArchError, match="`costs=True` gives"):
        table(path, key="*", metrics="value").check(program, ["params"])


def test_packed_and_plain_files_are_one_table() -> None:
    Path("coded.csv.gz").write_bytes(gzip.compress(CODED.encode()))
    plain, packed = (table(path, key="*", metrics="cost") for path in ("coded.csv", "coded.csv.gz"))
    assert plain.rows.columns == packed.rows.columns
    assert plain.rows.digest == packed.rows.digest
    assert plain.rows.columns["note"][-1] == "x, y"


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "has no rows"),
        ("a,value\n", "has no rows"),
        ("a,a\n1,2\n", "has two columns `a`"),
        ("a,value\n1,2\n1\n", "row 2 has 1 cells, its head 2"),
        ("a,value\n1,2\n1.0,3\n", "rows 1 and 2: a = `1`"),
        ("a,value\n1,high\n", "has `high` in the column `value`"),
        ("a,value\n1,inf\n", "has `inf` in the column `value`"),
    ],
)
def test_what_is_no_table_is_refused(text: str, part: str) -> None:
    program = loads("space s { { a: choose [1, 2] } }").sample()
    with pytest.raises(ArchError) as found:
        table(write(text), key={"a": "a"}, metrics="value").check(program)
    assert code_and_text(found)[0] == ["E0713"]
    assert part in str(found.value)


def test_files_that_cannot_be_read_are_refused() -> None:
    program = loads("space s { { a: choose [1, 2] } }").sample()
    Path("broken.csv.gz").write_bytes(b"no gzip")
    for path, code in (("nowhere.csv", "E0701"), (".", "E0701"), ("broken.csv.gz", "E0713")):
        with pytest.raises(ArchError) as found:
            table(path, key="*", metrics="value").check(program)
        assert code_and_text(found)[0] == [code]


@pytest.mark.parametrize(
    ("given", "codes", "hint"),
    [
        ({"key": {"opps": "edges*"}}, ["E0714"], "did you mean `ops`?"),
        ({"key": {"ops": "nodes*"}}, ["E0714"], "it has `"),
        ({"key": {"ops": ["a", "b"]}}, ["E0714", "E0714"], "is no decision"),
        ({"codes": {"skipp": "0"}}, ["E0714"], "did you mean `skip`?"),
        ({"metrics": {"accuracy": "val_20"}}, ["E0714"], "did you mean `val_200` or"),
        ({"metrics": {"accuracy": {12: "val_12", 200: "val"}}}, ["E0714"], "has no column `val`"),
        ({"seconds": "costs"}, ["E0714"], "did you mean `cost`?"),
        ({"metrics": {"acuracy": "val_200"}}, ["E0711"], "did you mean `acuracy`?"),
    ],
)
def test_what_the_table_does_not_have_is_refused(given: dict[str, Any], codes: list[str], hint: str) -> None:
    space, choices = three("000")
    with pytest.raises(ArchError) as found:
        coded(**{"key": {"ops": edges(space)}, **given}).check(space.program(choices), ["accuracy"])
    assert code_and_text(found)[0] == codes
    assert hint in str(found.value)


@pytest.mark.parametrize(
    "given",
    [
        {"metrics": {}},
        {"metrics": {"a": {"late": "val_12"}}},
        {"seconds": {"column": "cost"}},
        {"key": {}},
        {"key": ""},
    ],
)
def test_settings_that_are_not_well_formed_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ArchError) as found:
        coded(**given)
    assert code_and_text(found)[0] == ["E0714"]


def test_a_study_fails_where_a_cell_is_empty_and_resumes_from_its_store() -> None:
    space, _ = three("000")
    evaluator = coded(
        key={"ops": edges(space)}, metrics={"accuracy": {12: "val_12", 200: "val_200"}}, seconds={"of": "cost"}
    )
    spec = json.loads(json.dumps(evaluator.spec()))
    assert evaluator_from_spec(spec).describe() == json.loads(json.dumps(evaluator.describe())) | {"data": spec["data"]}
    kept = {"searcher": "grid", "maximize": "accuracy"}
    whole = search(space, evaluator, trials=8, **kept)
    search(space, evaluator, trials=3, store="s.db", **kept)
    again = resume("s.db", trials=8)
    assert [trial.metrics for trial in again.trials] == [trial.metrics for trial in whole.trials]
    assert [trial.error.partition("\n")[0] for trial in again.failed] == [
        "error[E0715]: in the table `" + spec["data"] + "` the row of ops = `011` has no `accuracy`"
    ]
    assert again.best_trial is not None
    assert again.best_trial.metrics == {"accuracy": 17, "seconds": 7.5}
    Path("coded.csv").write_text(CODED.replace("17", "18"), encoding="utf-8")
    with pytest.raises(ArchError) as found:
        resume("s.db", trials=9)
    assert code_and_text(found)[0] == ["E0912"]
    assert "`data_digest` was" in str(found.value)
