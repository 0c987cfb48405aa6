"""The wheel holds all that is needed: grammar, library, backends, the command."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.exhaustive

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of this checkout."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("dist")
    code = f"import sys; from hatchling.build import build_wheel; print(build_wheel({str(folder)!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / done.stdout.split()[-1]


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the commands of a fresh environment with the wheel; what archlang depends on is lent to it by the
    environment of the tests, so that nothing is downloaded."""
    folder = tmp_path_factory.mktemp("env")
    venv.create(folder, with_pip=True, symlinks=True)
    commands = folder / "bin"
    install = [str(commands / "python"), "-m", "pip", "install", "--no-deps", "--no-index", "--quiet", str(wheel)]
    subprocess.run(install, check=True)
    # The other packages come after those of the environment itself; without its .pth files, so that this checkout
    # is not among them.
    lent = folder / "lib" / Path(sysconfig.get_path("purelib")).parent.name / "site-packages" / "lent.pth"
    lent.write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return commands


def output(command: Path, *arguments: str, folder: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [command, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_grammar_and_library(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("grammar", "stdlib"):
        kept = {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*") if path.is_file()}
        assert {f"archlang/_data/{name}" for name in kept} <= names
    assert {"archlang_numpy/__init__.py", "archlang_torch/__init__.py"} <= names
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/", "examples/"))]


def test_commands_run_from_anywhere(installed: Path, tmp_path: Path) -> None:
    where = output(installed / "python", "-c", "import archlang; print(archlang.__file__)", folder=tmp_path)
    assert str(installed.parent) in where
    command = installed / "archlang"
    assert output(command, "count", "std.spaces.nasbench201", folder=tmp_path) == "15625\n"
    assert "backends: numpy, tensorflow, torch" in output(command, "list", folder=tmp_path)
    (tmp_path / "net.arch").write_text("space s {\n  { a: choose [1, 2] }\n}\n", encoding="utf-8")
    output(command, "fmt", "--check", "net.arch", folder=tmp_path)
    assert "(2 programs)" in output(command, "check", "net.arch", folder=tmp_path)


def test_the_backend_is_found(installed: Path, tmp_path: Path) -> None:
    output(installed / "archlang", "emit", "std.spaces.nasbench201", "-o", "net.py", folder=tmp_path)
    printed = output(installed / "python", "net.py", folder=tmp_path)
    assert "parameters:" in printed
