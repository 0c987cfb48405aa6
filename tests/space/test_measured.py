"""Costs from tables over whole spaces against the sum over each program's graph by itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import archlang as al
from archlang.cost.table import CostTable, configuration
from archlang.semantics import costs
from archlang.semantics.modules import Loader
from archlang.space.loading import open_module, space_of
from archlang.space.resolver import EachAnew
from archlang.study.origin import space_from_record, space_record
from tests.cost.tables import table_of
from tests.space.random_spaces import budget_spaces
from tests.space.test_budgets import valid_programs

relaxed = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)

SPACE = """
use std.nn
block unit(x: [n, c, h, w]) {
  x |> choose { conv: conv2d(c, kernel=choose [1, 3]), skip: identity, pool: max_pool2d(3) }
}
space s(image: f32[n, 3, 8, 8]) {
  x = image |> conv2d(choose [4, 6])
  same = share unit
  for i in 0..<3 { x = x |> unit |> same }
  y = x |> global_avg_pool >> linear(2)
  REQUIRE
  y
}
"""
PLAIN = SPACE.replace("  REQUIRE\n", "")


@pytest.fixture(params=["sums", "diagrams"])
def _kept_as(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "sums":
        monkeypatch.setattr(costs, "MAX_SUMS", 0)


def brute(table: CostTable, graph: object) -> float:
    """What a program takes, node by node from the rows alone."""
    total = table.intercept
    for node in graph.nodes:  # type: ignore[attr-defined]
        (row,) = (row for row in table.rows if (row.op, row.attributes, row.inputs) == configuration(node.operation))
        total += round(row.value * table.slopes.get(row.op, 1.0))
    return total / 1e6


@pytest.mark.usefixtures("_kept_as")
def test_random_spaces() -> None:
    @relaxed
    @given(budget_spaces(), st.integers(0, 2**32))
    def compare(text: str, seed: int) -> None:
        space, valid = valid_programs(text)
        assume(valid)
        operations, complete = space.operations()
        assert complete
        used = {configuration(node.operation) for c in valid for node in space.program(c).graph.nodes}
        assert used <= set(map(configuration, operations)), text
        table = table_of(operations, seed)
        known = space.with_table(table)
        taken = [brute(table, space.program(choices).graph) for choices in valid]
        assert [known.program(choices).measured() for choices in valid] == [{"latency": value} for value in taken]
        assert known.costs(valid)["latency"].tolist() == taken, text
        bounds = known.bounds("latency")
        assert (bounds.least.value, bounds.most.value) == (min(taken), max(taken)), text
        for extreme in (bounds.least, bounds.most):
            assert extreme.exact
            assert known.program(extreme.choices).measured()["latency"] == extreme.value
        limit = sorted(taken)[len(taken) // 2]
        within = [choices for choices, value in zip(valid, taken, strict=True) if value <= limit]
        few = known.narrowed(f"latency <= {limit!r}")
        count = few.count()  # nanoseconds may be too fine to be counted exactly
        assert count.low <= len(within) <= count.high, text
        assert set(few.enumerate()) == set(within), text

    compare()


@pytest.mark.usefixtures("_kept_as")
@pytest.mark.parametrize("name", ["latency", "energy"])
def test_requirements_read_tables_beside_the_file(name: str, tmp_path: Path) -> None:
    plain = al.loads(PLAIN)
    table = table_of(plain.operations()[0], seed=5, metric=name)
    taken = {choices: brute(table, plain.program(choices).graph) for choices in plain.enumerate()}
    limits = sorted(taken.values())[len(taken) // 4 :: len(taken) // 4]
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "t.csv").write_text(table.text(), encoding="utf-8")
    for limit in limits:
        for sign in ("<=", ">"):
            rule = f'require {name}(y, "tables/t.csv") {sign} {limit!r}, "slow"'
            (tmp_path / "s.arch").write_text(SPACE.replace("REQUIRE", rule), encoding="utf-8")
            space = al.load(str(tmp_path / "s.arch"))
            wanted = {c for c, value in taken.items() if (value <= limit if sign == "<=" else value > limit)}
            assert space.size == len(wanted)
            assert set(space.enumerate()) == wanted
    assert len(set(taken.values())) > 50


def test_parts_of_a_network_and_programs_by_themselves(tmp_path: Path) -> None:
    plain = al.loads(PLAIN)
    table = table_of(plain.operations()[0], seed=5)
    (tmp_path / "t.csv").write_text(table.text(), encoding="utf-8")
    text = SPACE.replace("REQUIRE", 'require latency(x, "t.csv") < latency(image |> relu, "t.csv") + 1')
    (tmp_path / "s.arch").write_text(text, encoding="utf-8")
    with pytest.raises(al.ArchError, match="E0507"):  # relu is not in the table
        al.load(str(tmp_path / "s.arch"))
    graphs = {choices: plain.program(choices).graph for choices in plain.enumerate()}
    before = {
        choices: brute(table, graph) - sum(table.get(node.operation) or 0 for node in graph.nodes[-2:]) / 1e6
        for choices, graph in graphs.items()
    }
    limit = sorted(before.values())[len(before) // 3] + 1e-7
    text = SPACE.replace("REQUIRE", f'require latency(x, "t.csv") < {limit!r}')
    (tmp_path / "s.arch").write_text(text, encoding="utf-8")
    space = al.load(str(tmp_path / "s.arch"))
    each = EachAnew(space.module, space.declaration, {})
    for choices, value in before.items():
        resolved = each.resolve(lambda decision, choices=choices: choices[decision.address])
        assert (resolved.fault is None) is (value < limit)
    assert space.size == sum(value < limit for value in before.values()) < plain.size


def test_a_space_remembers_its_tables(tmp_path: Path) -> None:
    plain = al.loads(PLAIN)
    table = table_of(plain.operations()[0], seed=5)
    known = plain.with_table(table).narrowed("latency <= 20")
    again = space_from_record(space_record(known))
    assert again.size == known.size < plain.size
    assert again.tables == known.tables
    assert known.digest != plain.narrowed("macs <= 8").with_table(table).digest
    # The text of a table that a file names is kept too, and read again from there.
    (tmp_path / "t.csv").write_text(table.text(), encoding="utf-8")
    (tmp_path / "s.arch").write_text(SPACE.replace("REQUIRE", 'require latency(y, "t.csv") <= 20'), encoding="utf-8")
    named = al.load(str(tmp_path / "s.arch"))
    record, digest = space_record(named), named.digest
    assert named.size == known.size
    (tmp_path / "t.csv").write_text(table_of(plain.operations()[0], seed=6).text(), encoding="utf-8")
    assert space_from_record(record).size == known.size
    assert al.load(str(tmp_path / "s.arch")).digest != digest


def test_what_a_table_lacks_is_an_error_at_its_place(tmp_path: Path) -> None:
    (tmp_path / "s.arch").write_text(SPACE.replace("REQUIRE", 'require latency(y, "t.csv") <= 20'), encoding="utf-8")
    with pytest.raises(al.ArchError, match="there is no table") as caught:
        al.load(str(tmp_path / "s.arch"))
    assert [found.code for found in caught.value.diagnostics] == ["E0207"]
    # Before there is a table, the space can be read to measure one.
    loader = Loader(tables=False)
    module, name = open_module(str(tmp_path / "s.arch"), loader)
    operations, complete = space_of(module, name, loader, {}).operations()
    assert complete
    (tmp_path / "t.csv").write_text(table_of(operations[1:]).text(), encoding="utf-8")
    with pytest.raises(al.ArchError, match="E0507") as caught:
        al.load(str(tmp_path / "s.arch"))
    (found,) = caught.value.diagnostics
    assert repr(found.labels[0].span).endswith("s.arch:11:11")
    (tmp_path / "t.csv").write_text(table_of(operations, metric="energy").text(), encoding="utf-8")
    with pytest.raises(al.ArchError, match="is a table of energy, not of latency"):
        al.load(str(tmp_path / "s.arch"))
    (tmp_path / "t.csv").write_text("op,attributes,inputs,ms\nrelu\n", encoding="utf-8")
    with pytest.raises(al.ArchError, match=r"t\.csv:2"):
        al.load(str(tmp_path / "s.arch"))


def test_spaces_that_are_not_evaluated_as_a_whole_are_sampled() -> None:
    space = al.loads("""
use std.nn
block tree(x: [n, c]) { x |> choose { leaf: relu, inner: linear(c) >> tree } }
space s(x: f32[n, 4]) { x |> tree }
""")
    operations, complete = space.operations(samples=20)
    assert not complete
    assert sorted(operation.name for operation in operations) == ["linear", "relu"]


def test_there_is_no_latency_without_a_table() -> None:
    space = al.loads(PLAIN)
    with pytest.raises(al.ArchError, match="E0506") as caught:
        space.bounds("latency")
    assert "--latency PATH" in str(caught.value)
    assert space.sample().measured() == {}
    with pytest.raises(al.ArchError, match="E0210"):
        al.loads(SPACE.replace("REQUIRE", "require latency(y) <= 8"))
    with pytest.raises(al.ArchError, match="which ends in"):
        al.loads(SPACE.replace("REQUIRE", 'require latency(y, "/etc/hostname") <= 8'))
    with pytest.raises(al.ArchError, match="must be written as a text"):
        al.loads(SPACE.replace("REQUIRE", 't = "t.csv"\n  require latency(y, t) <= 8'))
