"""The fenced snippets of a Markdown file, and how each kind is run."""

from __future__ import annotations

import contextlib
import io
import linecache
import re
import shlex
from pathlib import Path
from typing import Any

import attrs
from click.testing import CliRunner

from archlang.cli import main

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXPECTED = re.compile(r"^\s*print\(.*\) +# (.*)$", re.MULTILINE)
SHORT = {"search": ("--trials", "2", "--epochs", "1"), "resume": ("--trials", "3")}


@attrs.frozen
class Snippet:
    """One fenced block: its language, its text, and the line where it begins."""

    language: str
    text: str
    line: int


def snippets(path: Path) -> list[Snippet]:
    """The snippets of a file, in order."""
    text = path.read_text(encoding="utf-8")
    return [Snippet(found[1], found[2], text.count("\n", 0, found.start()) + 1) for found in FENCE.finditer(text)]


def run_python(snippet: Snippet, names: dict[str, Any], path: Path) -> None:
    """Run Python; what a `print(…)` with a comment behind it prints must be that comment."""
    output = io.StringIO()
    text, name = "\n" * snippet.line + snippet.text, f"{path}:{snippet.line}"
    linecache.cache[name] = len(text), None, text.splitlines(keepends=True), name  # as in a file of its own
    code = compile(text, name, "exec")
    with contextlib.redirect_stdout(output):
        exec(code, names)
    printed = iter(output.getvalue().splitlines())
    for expected in EXPECTED.findall(snippet.text):
        if not expected[0].isupper() and not expected.startswith(("the ", "and ")):
            assert expected in printed, f"{path}:{snippet.line}: `{expected}` is not printed, or not in this order"


def run_command(line: str, codes: tuple[int, ...] = (0,)) -> str:
    """The output of a command line that begins with `archlang`, which ends with one of the codes; searches are made
    short."""
    _, *arguments = shlex.split(line, comments=True)
    short = SHORT.get(arguments[0], ())
    # A table has no epochs, a supernet no trials.
    arguments += short[:2] if "--table" in arguments else short[2:] if "--method" in arguments else short
    result = CliRunner(env={"COLUMNS": "100"}).invoke(main, arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code in codes, f"{line}\n{result.output}"
    return result.output


def run_console(snippet: Snippet) -> None:
    """Run the `$ archlang …` lines of a session and compare what they print; `…` stands for anything."""
    for session in re.split(r"^\$ ", snippet.text, flags=re.MULTILINE)[1:]:
        line, _, expected = session.partition("\n")
        printed = run_command(line, (0, 1))
        assert matches(expected, printed), f"$ {line}\nprints\n{printed}\nand not\n{expected}"


def run_shell(snippet: Snippet) -> None:
    """Run the lines that begin with `archlang`; they must succeed."""
    for line in snippet.text.replace("\\\n", " ").splitlines():
        if line.startswith("archlang "):
            run_command(line)


def matches(expected: str, printed: str) -> bool:
    """Whether the text is the expected one, up to blanks at line ends."""
    parts = [re.escape(part) for part in _tidy(expected).split("…")]
    return re.fullmatch("(.*)".join(parts), _tidy(printed), re.DOTALL) is not None


def _tidy(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n")
