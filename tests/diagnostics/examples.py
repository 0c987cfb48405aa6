"""The examples of `docs/errors.md`, and how they are run."""

from __future__ import annotations

import contextlib
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
import pytest
from click.testing import CliRunner

from archlang.cli.main import main
from archlang.diagnostics import ArchError

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"

_HEADING = re.compile(r"^### ([EW]\d{4}) (.+)$", re.MULTILINE)
_BLOCK = re.compile(r"^```(arch|sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SETUP = re.compile(r"^<!-- setup\n(.*?)^-->$", re.MULTILINE | re.DOTALL)
_WITHOUT = re.compile(r"^<!-- without: (\w+) -->$", re.MULTILINE)


@attrs.frozen
class Example:
    """One section of the page: the input that leads to the error, and the mended one (None where the
    mend is not a change of the input)."""

    code: str
    title: str
    kind: str
    wrong: str
    mended_kind: str
    mended: str | None
    setup: str
    without: str | None


def examples() -> list[Example]:
    """All examples of the page, in its order."""
    text = PAGE.read_text(encoding="utf-8")
    headings = list(_HEADING.finditer(text))
    found = []
    for heading, following in zip(headings, [*headings[1:], None], strict=True):
        section = text[heading.end() : following.start() if following else len(text)]
        setup, without = _SETUP.search(section), _WITHOUT.search(section)
        blocks = _BLOCK.findall(_SETUP.sub("", section))
        assert 1 <= len(blocks) <= 2, f"{heading[1]} has {len(blocks)} examples"
        (kind, wrong), (mended_kind, mended) = (*blocks, ("", None))[:2]
        found.append(
            Example(
                code=heading[1],
                title=heading[2],
                kind=kind,
                wrong=wrong,
                mended_kind=mended_kind,
                mended=mended,
                setup=setup[1] if setup else "",
                without=without[1] if without else None,
            )
        )
    return found


def common_file() -> str:
    """The text of `net.arch`, which the page shows before the examples."""
    found = _BLOCK.search(PAGE.read_text(encoding="utf-8"))
    assert found is not None
    assert found[1] == "arch"
    return found[2]


class Workshop:
    """A folder in which examples are run."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path):
        self._names: dict[str, Any] = {"write": write}
        monkeypatch.chdir(folder)
        write("net.arch", common_file())

    def prepare(self, setup: str) -> None:
        """Run what an example needs to have been done before."""
        exec(compile(setup, "setup", "exec"), self._names)

    def run(self, kind: str, text: str, without: str | None = None) -> tuple[list[str], str]:
        """The codes of the errors that a text, command or script leads to, and what is shown. `without` is
        a package that is as good as not installed."""
        if without is not None:
            return run_apart(kind, text, without)
        if kind == "arch":
            write("example.arch", text)
            return run_command("archlang check example.arch")
        if kind == "sh":
            codes, shown = [], ""
            for line in text.strip().splitlines():
                more, shown = run_command(line)
                codes += more
            return codes, shown
        try:
            with contextlib.redirect_stdout(None):
                exec(compile(text, "example", "exec"), dict(self._names))
        except ArchError as problem:
            return [found.code for found in problem.diagnostics], str(problem)
        return [], ""


def write(name: str, text: str) -> None:
    """Write a file of the folder."""
    Path(name).write_text(text, encoding="utf-8", newline="")


def run_apart(kind: str, text: str, without: str) -> tuple[list[str], str]:
    """The same in a process of its own, which cannot import a package."""
    if kind == "sh":
        _, *arguments = shlex.split(text)
        text = f"from archlang.cli import main\nmain({arguments})"
    script = f"import sys\nsys.modules[{without!r}] = None\n{text}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    return re.findall(r"\berror\[([EW]\d{4})\]", done.stderr), done.stderr


def run_command(line: str) -> tuple[list[str], str]:
    """The codes of the errors that a command shows, and all that it shows as errors."""
    _, *arguments = shlex.split(line)
    result = CliRunner().invoke(main, arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    codes = re.findall(r"^(?:error|warning)\[([EW]\d{4})\]", result.stderr, re.MULTILINE)
    assert result.exit_code == (1 if any(code.startswith("E") for code in codes) else 0), result.output
    return codes, result.stderr
