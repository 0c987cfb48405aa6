"""Measuring a table of times: every configuration of an op of a space, then some whole networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from statistics import median
from typing import TYPE_CHECKING

import attrs

from archlang.backend import Meter, profiler
from archlang.cost.calibration import calibrated
from archlang.cost.table import SCALE, CostTable, Row, configuration
from archlang.diagnostics import ArchError, error
from archlang.ir.graph import Graph, Input, Node, Operation, Output

if TYPE_CHECKING:
    from archlang.space import Space

GROUP = 64  # operations that are measured together; a table is written after each group
FITTED = "fitted on"  # the entry of a table's head that says which networks its slopes come from

Progress = Callable[[str, int, int], None]


@attrs.frozen
class Timing:
    """How a table is measured. `threads` are those of the CPU; each figure is the median of `repeats`
    runs; slopes are fitted to `programs` programs drawn by `seed`."""

    backend: str = "torch"
    device: str = "cpu"
    threads: int = attrs.field(default=1, validator=attrs.validators.ge(1))
    batch: int = attrs.field(default=1, validator=attrs.validators.ge(1))
    repeats: int = attrs.field(default=30, validator=attrs.validators.ge(1))
    programs: int = attrs.field(default=30, validator=attrs.validators.ge(0))
    seed: int = 0


def profile(
    space: Space,
    path: Path | str | None = None,
    timing: Timing | None = None,
    progress: Progress = lambda what, done, of: None,
) -> CostTable:
    """A table of latencies of a space's operations on this machine, and its fit to whole networks.

    With a `path` the table is written there as it grows: rows that the file has already are kept, so
    that an interrupted run goes on. Where the space is not evaluated as a whole, the operations are
    those of some programs, as `info` of the table says. ArchError: E0712 when the file was measured
    otherwise, E0802, E0803, E0805 from the backend, E0207, E0217, E0218 for the file.
    """
    timing = timing or Timing()
    operations, complete = space.operations()
    if not operations:
        space.sample(timing.seed).graph  # noqa: B018 (raises: there is no network)
    with profiler(timing.backend).meter(timing.device, timing.threads, timing.batch) as meter:
        table = CostTable("latency", info=_info(meter, timing))
        if path is not None and Path(path).exists():
            table = _resumed(CostTable.read(path), table.info)
        of = "all operations of" if complete else "operations of programs drawn from"
        table = attrs.evolve(table, info={**table.info, "profiled": f"{of} {space.name}"})
        unknown = {configuration(operation): operation for operation in operations if operation not in table}
        missing = list(unknown.values())
        for first in range(0, len(missing), GROUP):
            group = missing[first : first + GROUP]

            def told(share: float, first: int = first, count: int = len(group)) -> None:
                progress("operations", len(operations) - len(missing) + first + int(share * count), len(operations))

            table = attrs.evolve(table, rows=(*table.rows, *_rows(meter, group, timing, told)))
            _write(table, path)
        progress("operations", len(operations), len(operations))
        if timing.programs and (missing or FITTED not in table.info):
            table = _fitted(table, space, meter, timing, progress)
            _write(table, path)
    return table


def timed(
    meter: Meter,
    graphs: Sequence[Graph],
    repeats: int,
    seed: int = 0,
    told: Callable[[float], None] = lambda share: None,
) -> list[list[int]]:
    """The nanoseconds of so many runs of each graph.

    Graphs take turns, in another order each time: whatever slows the machine down for a while slows all
    alike. Each timed run follows one that is not, with which what it reads comes into the caches.
    """
    runs = [meter.prepare(graph) for graph in graphs]
    taken: list[list[int]] = [[] for _ in graphs]
    order = list(range(len(graphs)))
    random = Random(seed)
    for turn in range(repeats + 1):
        random.shuffle(order)
        for place in order:
            runs[place]()
            nanoseconds = runs[place]()
            if turn:  # the first turn warms up
                taken[place].append(nanoseconds)
        told((turn + 1) / (repeats + 1))
    return taken


def alone(operation: Operation) -> Graph:
    """The network that is one operation."""
    inputs = tuple(Input(f"x{number}", kind) for number, kind in enumerate(operation.inputs))
    node = Node(operation.name, operation, tuple(range(len(inputs))), operation.name)
    return Graph(operation.name, inputs, (node,), (Output("", len(inputs)),))


def _info(meter: Meter, timing: Timing) -> dict[str, str]:
    return {
        **meter.info,
        "threads": str(timing.threads),
        "batch": str(timing.batch),
        "statistic": "median; spread is the median distance from it",
    }


def _resumed(found: CostTable, info: Mapping[str, str]) -> CostTable:
    """A table that was begun before; ArchError when it was measured otherwise."""
    if found.metric != "latency":
        raise ArchError(error("E0712", f"`{found.name}` is a table of {found.metric}, and times are to be measured"))
    changed = [
        f"{name} was {found.info.get(name, 'not told')}, now it is {value}"
        for name, value in info.items()
        if found.info.get(name) != value
    ]
    if changed:
        raise ArchError(
            error(
                "E0712",
                f"the table `{found.name}` was measured otherwise",
                notes=changed,
                hints=["write to another file, or take the old one away"],
            )
        )
    return found


def _rows(meter: Meter, operations: Sequence[Operation], timing: Timing, told: Callable[[float], None]) -> list[Row]:
    taken = timed(meter, list(map(alone, operations)), timing.repeats, timing.seed, told)
    rows = []
    for operation, runs in zip(operations, taken, strict=True):
        middle = median(runs)
        spread = median(abs(run - middle) for run in runs)
        rows.append(Row(*configuration(operation), round(middle), round(spread), len(runs)))
    return rows


def _fitted(table: CostTable, space: Space, meter: Meter, timing: Timing, progress: Progress) -> CostTable:
    """The table with slopes that fit some programs, measured now; ops that it lacks are passed over."""
    drawn = {str(choices): choices for choices in (space.draw(Random(timing.seed + n)) for n in range(timing.programs))}
    graphs = [space.program(choices).graph for choices in drawn.values()]
    known = [graph for graph in graphs if all(node.operation in table for node in graph.nodes)]
    if not known:
        return table
    taken = timed(
        meter,
        known,
        timing.repeats,
        timing.seed,
        lambda share: progress("programs", int(share * len(known)), len(known)),
    )
    milliseconds = [median(runs) / SCALE for runs in taken]
    table = calibrated(table, known, milliseconds)
    errors = [abs(table.predict(g) / ms - 1) for g, ms in zip(known, milliseconds, strict=True)]
    said = f"{len(known)} programs of {space.name}, mean error {sum(errors) / len(errors):.1%}"
    return attrs.evolve(table, info={**table.info, FITTED: said})


def _write(table: CostTable, path: Path | str | None) -> None:
    if path is not None:
        table.write(path)
