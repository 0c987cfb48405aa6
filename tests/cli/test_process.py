"""The command line as a process of its own: exit codes, streams, and stopping it from the keyboard."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from archlang.study import read_study

COMMAND = [sys.executable, "-c", "from archlang.cli import main; main()"]
FILES = Path(__file__).parent / "files"
TRIALS = 4


def archlang(*arguments: str, folder: Path = FILES) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, check=False, cwd=folder, env=environment
    )


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("count", "std.spaces.nasbench201"), 0),
        (("check", "wrong.arch"), 1),
        (("check", "wrong.arch", "--json"), 1),
        (("check",), 2),
        (("--version",), 0),
        ((), 2),
    ],
)
def test_exit_codes(arguments: tuple[str, ...], code: int) -> None:
    done = archlang(*arguments)
    assert done.returncode == code
    assert "Traceback" not in done.stderr


def test_data_and_diagnostics_go_to_their_own_streams() -> None:
    done = archlang("count", "std.spaces.nasbench201")
    assert (done.stdout, done.stderr) == ("15625\n", "")
    done = archlang("check", "wrong.arch", "--json")
    assert not json.loads(done.stdout)["valid"]
    assert done.stderr == ""


@pytest.mark.skipif(os.name == "nt", reason="an interrupt cannot be sent to one process there")
def test_a_search_stopped_from_the_keyboard_is_resumed(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    np.savez(tmp_path / "data.npz", x=random.random((400, 1, 8, 8), np.float32), y=np.arange(400) % 10)
    search = ["search", str(FILES / "net.arch"), "--data", "data.npz", "--store", "net.db"]
    search += ["--trials", str(TRIALS), "--train", "batch_size=16", "--searcher", "evolution(dedupe=false)"]
    with subprocess.Popen(
        [*COMMAND, *search],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as process:
        assert process.stderr is not None
        first = process.stderr.readline()
        assert first.startswith("trial 0: accuracy"), first
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr
    assert "interrupted: go on with `archlang resume net.db`" in stdout
    stopped = read_study(tmp_path / "net.db")
    assert 1 <= len(stopped.finished) < TRIALS
    done = archlang("resume", "net.db", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"{TRIALS} of {TRIALS} trials" in done.stdout
    resumed = read_study(tmp_path / "net.db")
    kept = stopped.finished
    assert [trial.metrics for trial in resumed.trials[: len(kept)]] == [trial.metrics for trial in kept]
