"""Commands import no more than they need, so that they start at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

FRAMEWORKS = {"torch", "archlang_torch", "tensorflow", "sklearn"}
HEAVY = FRAMEWORKS | {"sqlalchemy", "rich", "networkx", "numpy", "lark"}
FILES = Path(__file__).parent / "files"

LIST = """
import json, sys
{run}
print(json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}})), file=sys.stderr)
"""
COMMAND = """
from archlang.cli import main
main({arguments!r}, standalone_mode=False)
"""


def imported(code: str) -> set[str]:
    """The packages that a fresh process has imported after running the code."""
    done = subprocess.run(
        [sys.executable, "-c", LIST.format(run=code)], capture_output=True, text=True, check=True, cwd=FILES
    )
    return set(json.loads(done.stderr.splitlines()[-1]))


def test_the_package_imports_nothing_before_it_is_used() -> None:
    assert not imported("import archlang") & (HEAVY | {"attrs", "click"})


def test_loading_needs_no_more_than_the_language() -> None:
    assert not imported("import archlang; archlang.load('net.arch').sample(0).source()") & HEAVY


@pytest.mark.parametrize(
    "arguments",
    [
        ["count", "std.spaces.nasbench201"],
        ["check", "net.arch"],
        ["sample", "net.arch", "-n", "3"],
        ["show", "net.arch"],
        ["fmt", "--check", "net.arch"],
        ["list"],
        ["cost", "net.arch", "--json"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_commands_of_the_language_are_light(arguments: list[str]) -> None:
    assert not imported(COMMAND.format(arguments=arguments)) & HEAVY


def test_help_imports_no_engine() -> None:
    code = "from click.testing import CliRunner; from archlang.cli import main; CliRunner().invoke(main, ['--help'])"
    assert not imported(code) & HEAVY


def test_costs_and_reports_need_no_framework(tmp_path: Path) -> None:
    assert not imported(COMMAND.format(arguments=["cost", "net.arch"])) & (FRAMEWORKS | {"sqlalchemy"})
    store = str(tmp_path / "net.db")
    search = f"""
import archlang as al
al.search(al.load("net.arch"), lambda program: 1.0, maximize="value", trials=2, store={store!r})
"""
    assert not imported(search) & FRAMEWORKS
    assert not imported(COMMAND.format(arguments=["report", store])) & FRAMEWORKS
