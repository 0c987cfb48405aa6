"""Doing many runs in parallel processes, with results that are kept as they come."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import product
from multiprocessing import get_context
from pathlib import Path

from archlang.bench.run import Entry, Run, Task, perform
from archlang.diagnostics import ArchError, error

Watch = Callable[[Run], None]
# Numerical libraries would start as many threads as there are cores, in each of the processes.
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def tasks(
    problems: Sequence[str], entries: Sequence[Entry], seeds: int, evaluations: int, folder: str | None = None
) -> list[Task]:
    """All runs of searchers on problems: seed by seed, so that an interrupted bench has some of all."""
    return [
        Task(name, entry, seed, evaluations, folder) for seed, name, entry in product(range(seeds), problems, entries)
    ]


def missing(wanted: Sequence[Task], results: str | Path | None) -> list[Task]:
    """The tasks whose runs a file of results does not hold, or whose runs failed."""
    known = {} if results is None else {run.key: run for run in read_runs(Path(results))}
    return [task for task in wanted if task.key not in known or known[task.key].error]


def bench(
    wanted: Sequence[Task], jobs: int = 1, results: str | Path | None = None, watch: Watch = lambda run: None
) -> list[Run]:
    """The runs of tasks, in their order; those that are done when there is an interrupt (Ctrl-C).

    With `results` they are added to this file of JSON lines as they come, and those that it holds are not done
    again, unless they failed. `watch` is told every new run. ArchError (E0922) when the file cannot be read
    or written.
    """
    path = None if results is None else Path(results)
    left = missing(wanted, path)
    known = {} if path is None else {run.key: run for run in read_runs(path)}
    try:
        for run in _alone(left) if jobs == 1 else _in_processes(left, jobs):
            known[run.key] = run
            if path is not None:
                _add(path, run)
            watch(run)
    except KeyboardInterrupt:
        pass  # what is done is worth showing
    return [known[task.key] for task in wanted if task.key in known]


def read_runs(path: Path) -> list[Run]:
    """The runs of a file of results, none when there is no such file; later ones replace earlier ones. A last
    line that was cut off by an interrupt is left out. ArchError (E0922) for other lines that are no runs."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    except (OSError, UnicodeDecodeError) as problem:
        raise _refused(path, "read", problem) from problem
    found: dict[object, Run] = {}
    for number, line in enumerate(lines, start=1):
        if not line.endswith("\n"):
            break
        try:
            run = Run.from_dict(json.loads(line))
        except (ValueError, TypeError, KeyError) as problem:
            raise _refused(path, "read", f"line {number} is no run") from problem
        found[run.key] = run
    return list(found.values())


def _add(path: Path, run: Run) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as file:
            if file.tell() and not _ends_a_line(path):
                file.truncate(path.read_bytes().rfind(b"\n") + 1)  # an interrupt cut the last run off
            file.write(json.dumps(run.as_dict(), allow_nan=False).encode() + b"\n")
    except OSError as problem:
        raise _refused(path, "written", problem) from problem


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def _refused(path: Path, what: str, reason: Exception | str) -> ArchError:
    note = (reason.strerror or str(reason)) if isinstance(reason, OSError) else str(reason)
    return ArchError(
        error(
            "E0922",
            f"the results in `{path}` cannot be {what}",
            notes=(note,),
            hints=("give another file to `--results`, in which runs are kept as JSON lines",),
        )
    )


def _alone(left: Iterable[Task]) -> Iterator[Run]:
    return map(perform, left)


def _in_processes(left: Sequence[Task], jobs: int) -> Iterator[Run]:
    """The runs as they are done. When a process dies (of too little memory, say) the others cannot go on: what
    was running is done again, one at a time."""
    waiting = deque(left)
    while waiting:
        running: dict[Future[Run], Task] = {}
        try:
            with _processes(jobs) as pool:
                while waiting or running:
                    while waiting and len(running) < jobs:
                        running[pool.submit(perform, waiting[0])] = waiting[0]
                        waiting.popleft()
                    for done in wait(running, return_when=FIRST_COMPLETED).done:
                        found = done.result()
                        del running[done]
                        yield found
        except BrokenProcessPool:
            yield from map(_by_itself, running.values())


def _by_itself(task: Task) -> Run:
    with _processes(1) as pool:
        try:
            return pool.submit(perform, task).result()
        except BrokenProcessPool:
            return Run.broken(task, "the process of the run died")


@contextmanager
def _processes(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """New processes, which share nothing with this one."""
    with _one_thread(), ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield pool


@contextmanager
def _one_thread() -> Iterator[None]:
    """Processes that begin here do not share a run's work among threads, unless the user says so."""
    given = {name: "1" for name in ONE_THREAD if name not in os.environ}
    os.environ.update(given)
    try:
        yield
    finally:
        for name in given:
            os.environ.pop(name, None)
