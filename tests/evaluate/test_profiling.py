"""Profiling with a backend whose times are known, so that what is made of them can be told."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from zlib import crc32

import pytest

import archlang as al
import archlang.backend
from archlang.cost.table import CostTable, configuration
from archlang.evaluate.profiling import Timing, alone, profile, timed
from archlang.ir.graph import Graph, Operation
from archlang.ir.verify import verify

SPACE = """
use std.nn
block unit(x: [n, c, h, w]) { x |> choose { conv: conv2d(c, kernel=choose [1, 3]), pool: max_pool2d(3) } }
space s(image: f32[n, 3, 8, 8]) {
  image |> conv2d(choose [4, 6]) |> unit |> unit |> unit |> global_avg_pool >> linear(2)
}
"""


class Known:
    """A backend on which an op takes a time of its own, and in a network so much of it by its kind."""

    name = "known"
    slopes: Mapping[str, float] = {"conv2d": 1.5, "max_pool2d": 0.5, "global_avg_pool": 1.0, "linear": 1.0}

    def __init__(self) -> None:
        self.asked: list[tuple[str, int, int]] = []
        self.runs: Counter[str] = Counter()
        self.order: list[str] = []

    @contextmanager
    def meter(self, device: str, threads: int, batch: int) -> Iterator[Known]:
        self.asked.append((device, threads, batch))
        yield self

    @property
    def info(self) -> dict[str, str]:
        return {"backend": "known 1", "device": "none", "clock": "none"}

    def prepare(self, graph: Graph) -> Callable[[], int]:
        verify(graph)
        name = str(configuration(graph.nodes[0].operation)) if len(graph.nodes) == 1 else "network"
        total = 0.0
        for node in graph.nodes:
            slope = self.slopes[node.operation.name] if name == "network" else 1.0
            total += slope * self.time(node.operation)

        def run() -> int:
            self.runs[name] += 1
            self.order.append(name)
            return round(total) + (1_000_000 if self.runs[name] % 7 == 3 and name != "network" else 0)  # now and then

        return run

    @staticmethod
    def time(operation: Operation) -> int:
        return 50_000 + crc32(str(configuration(operation)).encode()) % 200_000


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Known:
    found = Known()
    monkeypatch.setattr(archlang.backend, "backend", lambda name: found)
    return found


def test_the_table_says_what_was_measured(known: Known) -> None:
    space = al.loads(SPACE)
    told: list[tuple[str, int, int]] = []
    timing = Timing("known", "none", threads=2, batch=4, repeats=9, programs=40)
    table = profile(space, timing=timing, progress=lambda *step: told.append(step))
    operations = {configuration(operation): operation for operation in space.operations()[0]}
    assert known.asked == [("none", 2, 4)]
    assert {(row.op, row.attributes, row.inputs): row.value for row in table.rows} == {
        key: Known.time(operation) for key, operation in operations.items()
    }
    assert all(row.spread == 0 and row.runs == 9 for row in table.rows)
    assert all(known.runs[str(key)] == 2 * (9 + 1) for key in operations)
    assert table.slopes == pytest.approx(dict(Known.slopes), abs=0.1)
    for choices in space.enumerate():
        graph = space.program(choices).graph
        taken = sum(Known.slopes[node.operation.name] * Known.time(node.operation) for node in graph.nodes)
        assert table.predict(graph) == pytest.approx(taken / 1e6, rel=0.03)
    assert table.info["profiled"] == "all operations of s"
    assert re.fullmatch(r"\d+ programs of s, mean error \d\.\d%", table.info["fitted on"])
    assert ("operations", len(operations), len(operations)) in told
    programs = [(done, of) for what, done, of in told if what == "programs"]
    assert programs == sorted(programs)
    assert programs[-1][0] == programs[-1][1]


def test_graphs_take_turns_in_an_order_of_chance(known: Known) -> None:
    operations, _ = al.loads(SPACE).operations()
    graphs = [alone(operation) for operation in operations[:4]]
    with known.meter("none", 1, 1) as meter:
        taken = timed(meter, graphs, repeats=5)
    assert [len(runs) for runs in taken] == [5] * 4
    turns = [known.order[start : start + 8] for start in range(0, len(known.order), 8)]
    assert len(turns) == 6
    for turn in turns:
        assert turn[::2] == turn[1::2]  # each one twice at once: the first run is not timed
        assert len(set(turn)) == 4
    assert len(set(map(tuple, turns))) > 1


def test_without_programs_nothing_is_fitted(known: Known) -> None:
    table = profile(al.loads(SPACE), timing=Timing("known", repeats=1, programs=0))
    assert (table.intercept, table.slopes) == (0, {})
    assert "network" not in known.runs


def test_other_spaces_add_to_a_table(known: Known, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    timing = Timing("known", repeats=1, programs=10)
    first = profile(al.loads(SPACE), path, timing)
    known.runs.clear()
    more = al.loads(SPACE.replace("linear(2)", "linear(3)"))
    second = profile(more, path, timing)
    assert CostTable.read(path) == second
    assert set(first.rows) < set(second.rows)
    assert sorted(name.split("'")[1] for name in known.runs if name != "network") == ["linear", "linear"]
    for space in (more, al.loads(SPACE)):
        second.predict(space.sample(0).graph)


@pytest.mark.usefixtures("known")
def test_spaces_without_end_are_measured_by_sample() -> None:
    space = al.loads("""
use std.nn
block tree(x: [n, c, h, w]) { x |> choose { leaf: max_pool2d(3), inner: conv2d(c) >> tree } }
space s(x: f32[n, 4, 8, 8]) { x |> tree }
""")
    table = profile(space, timing=Timing("known", repeats=1, programs=5))
    assert table.info["profiled"] == "operations of programs drawn from s"
    assert sorted(row.op for row in table.rows) == ["conv2d", "max_pool2d"]


def test_a_backend_that_cannot_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archlang.backend, "backend", lambda name: object())
    with pytest.raises(al.ArchError, match="E0802") as caught:
        profile(al.loads(SPACE), timing=Timing("still"))
    assert "no backend `still` that times networks" in str(caught.value)
