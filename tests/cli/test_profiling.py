"""profile: the table that it writes, going on with one, and what it refuses. Nothing is said of times."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import archlang as al
from archlang.cost.table import CostTable, configuration
from archlang.evaluate import profiling
from tests.cli.conftest import Run

QUICK = ("--repeats", "2", "--programs", "3")


def test_a_table_has_every_operation(run: Run) -> None:
    text = run("profile", "net.arch", "-o", "runs/cpu.csv", *QUICK).stdout
    table = CostTable.read("runs/cpu.csv")
    space = al.load("net.arch")
    used = {configuration(node.operation) for c in space.enumerate() for node in space.program(c).graph.nodes}
    assert {(row.op, row.attributes, row.inputs) for row in table.rows} == used
    assert all(row.value > 0 and row.runs == 2 for row in table.rows)
    assert set(table.slopes) == {"conv2d", "relu", "global_avg_pool", "linear"}
    assert min(table.slopes.values()) >= 0
    assert table.info["threads"] == table.info["batch"] == "1"
    assert table.info["backend"].startswith("torch ")
    assert table.info["profiled"] == "all operations of small"
    assert text.startswith(f"runs/cpu.csv: {len(used)} rows, all operations of small, in ")
    assert [path.name for path in Path("runs").iterdir()] == ["cpu.csv"]
    assert "latency" in run("cost", "net.arch", "--latency", "runs/cpu.csv").stdout


def test_what_was_measured_is_kept(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("profile", "net.arch", "-o", "cpu.csv", *QUICK)
    whole = CostTable.read("cpu.csv")
    assert json.loads(run("profile", "net.arch", "-o", "cpu.csv", *QUICK, "--json").stdout)["rows"] == len(whole.rows)
    assert CostTable.read("cpu.csv") == whole
    # Stopped after the first group, it has the rows of this group, and goes on with the others.
    write = CostTable.write

    def interrupted(table: CostTable, path: str) -> None:
        write(table, path)
        raise KeyboardInterrupt

    with monkeypatch.context() as changed:
        changed.setattr(profiling, "GROUP", 4)
        changed.setattr(CostTable, "write", interrupted)
        assert "the same command goes on" in run("profile", "net.arch", "-o", "part.csv", *QUICK, code=1).stderr
    begun = CostTable.read("part.csv")
    assert len(begun.rows) == 4
    assert not begun.slopes
    run("profile", "net.arch", "-o", "part.csv", *QUICK)
    done = CostTable.read("part.csv")
    assert set(begun.rows) < set(done.rows)
    assert [row.key for row in done.rows] == [row.key for row in whole.rows]
    assert done.slopes.keys() == whole.slopes.keys()


def test_a_space_that_names_the_table_it_is_to_have(run: Run) -> None:
    text = Path("net.arch").read_text(encoding="utf-8")
    last = "  image |> unit(width) >> global_avg_pool >> linear(classes)\n"
    assert last in text
    rule = f'  y = {last.strip()}\n  require latency(y, "own.csv") <= 10k\n  y\n'
    Path("own.arch").write_text(text.replace(last, rule), encoding="utf-8")
    assert "E0207" in run("count", "own.arch", code=1).stderr
    run("profile", "own.arch", "-o", "own.csv", *QUICK)
    assert run("count", "own.arch").stdout == "4\n"


def test_a_table_that_was_measured_otherwise_is_left_alone(run: Run) -> None:
    run("profile", "net.arch", "-o", "cpu.csv", *QUICK)
    before = Path("cpu.csv").read_bytes()
    refused = run("profile", "net.arch", "-o", "cpu.csv", *QUICK, "--batch", "3", code=1).stderr
    assert refused.startswith("error[E0712]")
    assert "batch was 1, now it is 3" in refused
    Path("energy.csv").write_text("op,attributes,inputs,mJ\n", encoding="utf-8")
    assert "E0712" in run("profile", "net.arch", "-o", "energy.csv", *QUICK, code=1).stderr
    assert Path("cpu.csv").read_bytes() == before
    assert "E0805" in run("profile", "net.arch", "-o", "gpu.csv", *QUICK, "--device", "cuda:9", code=1).stderr
    assert "E0217" in run("profile", "net.arch", "-o", "net.arch/x.csv", *QUICK, code=1).stderr


@pytest.mark.usefixtures("run")
def test_a_space_without_a_network() -> None:
    with pytest.raises(al.ArchError, match="E0409"):
        profiling.profile(al.loads("space s { choose 1..3 }"))
