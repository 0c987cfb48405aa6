"""Tables of measured costs: the text that they are, what they say of a graph, and what is wrong with one."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archlang.cost import table as tables
from archlang.cost.table import CostTable, Row, configuration
from archlang.diagnostics import ArchError
from archlang.ir.types import SymbolicDim, TensorType
from tests.cost.tables import table_of
from tests.ir.handmade import Sketch, nasbench201

words = st.text("abcxyz_", min_size=1, max_size=8)
cells = st.text(st.characters(codec="utf-8", exclude_categories=["Z", "C"]), max_size=20)
amounts = st.integers(0, 10**12)
rows = st.builds(Row, words, cells, words, amounts, amounts, st.integers(1, 10**6))
several = st.lists(rows, max_size=6, unique_by=lambda row: row.key)
infos = st.dictionaries(words.filter(lambda word: word != "intercept"), words, max_size=3)
slopes = st.dictionaries(words, st.floats(0, 1e6, allow_subnormal=False), max_size=3)


@given(st.builds(CostTable, st.sampled_from(["latency", "energy"]), several, infos, amounts, slopes))
def test_the_text_of_a_table_is_the_table(table: CostTable) -> None:
    assert CostTable.parse(table.text()) == table


def test_a_table_written_by_another_tool() -> None:
    sketch = Sketch()
    y = sketch.conv2d(sketch.input(3, 8, 8), 16)
    z = sketch.apply("matmul", y, y, transpose_b=True, note='a "b", c')
    graph = sketch.graph(sketch.relu(z))
    table = CostTable.parse(
        "# measured by hand\n# device: abacus, large\n#intercept:0.5\n# slope conv2d: 2\n\n"
        "op,attributes,inputs,ms\n"
        'conv2d,"out = 16,kernel=3, stride=1","f32[n,3,8,8]",1.5\r\n'
        'matmul,"transpose_b=true, note=""a \\""b\\"", c""","f32[n, 16, 8, 8], f32[n, 16, 8, 8]",0.25\n'
        'relu,,"f32[n, 16, 8, 8]",1e-3'
    )
    assert table.info == {"device": "abacus, large"}
    assert table.predict(graph) == 0.5 + 2 * 1.5 + 0.25 + 0.001
    assert [table.get(node.operation) for node in graph.nodes] == [3_000_000, 250_000, 1_000]


def test_the_total_is_the_sum_over_the_nodes() -> None:
    graph = nasbench201("340124", channels=4, repeats=2)
    table = table_of(node.operation for node in graph.nodes)
    values = {row.key: round(row.value * table.slopes.get(row.op, 1.0)) for row in table.rows}
    keys = [Row(*configuration(node.operation), 0).key for node in graph.nodes]
    assert table.total(graph) == table.intercept + sum(map(values.__getitem__, keys))
    assert table.predict(graph) == table.total(graph) / 1e6
    assert len(table.rows) < len(graph.nodes)


def test_free_dimensions_have_no_names() -> None:
    sketch = Sketch()
    operation = sketch.graph(sketch.relu(sketch.input(4))).nodes[0].operation
    kinds = [TensorType("f32", (SymbolicDim(name, factor), 4)) for name, factor in (("n", 1), ("batch", 1), ("n", 2))]
    texts = [configuration(attrs.evolve(operation, inputs=(kind,)))[2] for kind in kinds]
    assert texts == ["f32[n, 4]", "f32[n, 4]", "f32[2 * n, 4]"]


HEAD = "op,attributes,inputs,ms,spread,runs\n"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "no line with the names of the columns"),
        ("# only: a head\n", 1, "no line with the names of the columns"),
        ("op,attributes,inputs,seconds\n", 1, "the columns are op,attributes,inputs,ms,spread,runs, or mJ for ms"),
        (HEAD + "relu,,f32[n],1,0\nrelu,,f32[4],1,0,1,9\n", 3, "a row has 4 to 6 cells"),
        (HEAD + "conv2d,out=16, kernel=3,f32[n, 3, 8, 8],1\n", 2, "a row has 4 to 6 cells"),
        (HEAD + "relu,,f32[n],fast\n", 2, "the value must be a number from 0 to 1e9, and is `fast`"),
        (HEAD + "relu,,f32[n],-1\n", 2, "the value must be a number"),
        (HEAD + "relu,,f32[n],inf\n", 2, "the value must be a number"),
        (HEAD + "relu,,f32[n],1,nan\n", 2, "the spread must be a number"),
        (HEAD + "relu,,f32[n],1,0,often\n", 2, "the number of runs must be a number"),
        (HEAD + "relu,,f32[n],1\n\nrelu,,f32[ n ],2\n", 4, "this configuration has a row already"),
        (HEAD + "relu,,,1\n", 2, "the name of an op and its inputs"),
        (HEAD + f"relu,{'x' * 200_000},f32[n],1\n", 2, "this is no line of a CSV file"),
        ("# slope relu: steep\n" + HEAD, 1, "a slope must be a number"),
        ("# device: a\n# intercept: -2\n" + HEAD, 2, "the intercept must be a number"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, line: int, message: str) -> None:
    with pytest.raises(ArchError) as caught:
        CostTable.parse(text, "t.csv")
    (found,) = caught.value.diagnostics
    assert found.code == "E0218"
    assert message in found.message
    assert repr(found.labels[0].span).startswith(f"t.csv:{line}:")


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "image.csv").write_bytes(b"\x89PNG\xff")
    (tmp_path / "large.csv").write_text("#" * 100, encoding="utf-8")
    monkeypatch.setattr(tables, "MAX_CHARACTERS", 99)
    for name, message in (("none.csv", "there is no table"), ("image.csv", "cannot be read"), ("large.csv", "large")):
        with pytest.raises(ArchError, match="E0207") as caught:
            CostTable.read(tmp_path / name)
        assert message in str(caught.value)


def test_what_a_table_lacks_is_named() -> None:
    sketch = Sketch()
    graph = sketch.graph(sketch.relu(sketch.conv2d(sketch.input(3, 8, 8), 16)))
    table = table_of([graph.nodes[0].operation])
    with pytest.raises(ArchError, match="E0507") as caught:
        table.predict(graph)
    assert "does not have `relu` for `f32[n, 16, 8, 8]`" in str(caught.value)
    with pytest.raises(ArchError, match="nor 1 other") as caught:
        table_of([]).predict(graph)
    assert "`conv2d(out=16, kernel=3, stride=1)` for `f32[n, 3, 8, 8]`" in str(caught.value)
    assert "archlang profile" in str(caught.value)
