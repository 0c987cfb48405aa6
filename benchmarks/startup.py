"""What a fresh process takes, its bytecode cached: importing the package, and the command line."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.language import text_of
from benchmarks.measure import Figure, turns


def _process(*arguments: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True, env=environment)


def startup(repetitions: int) -> Iterator[Figure]:
    """Import and commands; each time is that of a whole process, the first line that of an empty one."""
    command = ("-c", "from archlang.cli import main; main()")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.arch"
        path.write_text(text_of(200), encoding="utf-8")
        actions = {
            "python -c pass": ("-c", "pass"),
            "import archlang": ("-c", "import archlang"),
            "import archlang, load": ("-c", "import archlang; archlang.load"),
            "archlang --help": (*command, "--help"),
            "archlang count nasbench201": (*command, "count", "std.spaces.nasbench201"),
            "archlang check, 200 lines": (*command, "check", str(path)),
        }
        times = turns([partial(_process, *given) for given in actions.values()], repetitions, time.perf_counter)
    aims = {"import archlang": 150.0}
    for name, found in zip(actions, times, strict=True):
        yield Figure(name, found, aims.get(name), note="process")
