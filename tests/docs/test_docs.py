"""Every snippet of the README and of the documents is run, and every link leads somewhere."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest

import archlang as al
import archlang.evaluate
import archlang.study
from archlang.evaluate import data
from tests.docs.snippets import Snippet, run_console, run_python, run_shell, snippets

ROOT = Path(__file__).parents[2]
# errors.md shows what is wrong; it has tests of its own.
PAGES = [ROOT / "README.md", *(path for path in sorted((ROOT / "docs").glob("*.md")) if path.name != "errors.md")]
LANGUAGES = {"arch", "python", "console", "sh", ""}


def limited(run: Callable[..., Any], **most: int) -> Callable[..., Any]:
    """The function with some of its numbers bounded, so that snippets take no longer than tests may."""

    def short(*given: Any, **named: Any) -> Any:
        return run(
            *given,
            **{name: min(value, most.get(name, value)) if name in most else value for name, value in named.items()},
        )

    return short


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the examples, in which searches are short."""
    import torch

    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    for name in ("wrong.arch", "open.arch"):
        shutil.copy(ROOT / "tests" / "cli" / "files" / name, tmp_path)
    rows = "".join(f"{''.join(ops)},{sum(map(int, ops))}\n" for ops in product("01234", repeat=6))
    (tmp_path / "nb201.csv").write_text(f"ops,c10_val_200\n{rows}", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    few = tuple(array[::10] for array in data._digits())
    monkeypatch.setattr(data, "_digits", lambda: few)
    monkeypatch.setattr(archlang.study, "search", limited(archlang.study.search, trials=5))
    monkeypatch.setattr(archlang.evaluate, "train", limited(archlang.evaluate.train, epochs=1))
    torch.set_num_threads(1)
    return tmp_path


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_snippets_run(page: Path) -> None:
    names: dict[str, Any] = {}
    for snippet in snippets(page):
        assert snippet.language in LANGUAGES, f"{page.name}:{snippet.line}"
        match snippet.language:
            case "arch":
                check_arch(snippet)
            case "python":
                run_python(snippet, names, page)
            case "console":
                run_console(snippet)
            case "sh":
                run_shell(snippet)


def check_arch(snippet: Snippet) -> None:
    """Every space of the text is right."""
    spaces = re.findall(r"^space (\w+)", snippet.text, re.MULTILINE)
    assert spaces, f"line {snippet.line}: the snippet has no space to check"
    for name in spaces:
        al.loads(snippet.text, name).sample(0).source()


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.arch")), ids=lambda path: path.name)
def test_examples_are_right(path: Path) -> None:
    space = al.load(str(path))
    assert space.unproved is None
    assert al.loads(space.sample(1).source()).size == 1


@pytest.mark.parametrize("page", [*PAGES, ROOT / "docs" / "errors.md"], ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        name, _, section = target.partition("#")
        linked = page.parent / name if name else page
        assert linked.exists(), f"{page.name} links to {target}"
        if section:
            headings = re.findall(r"^#+ (.*)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            assert section in map(slug, headings), f"{page.name} links to {target}"


def slug(heading: str) -> str:
    """The anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_make_targets_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(
        r"^make (\w+)|`make ([\w-]+)`", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    ):
        assert re.search(rf"^{''.join(target)}:", makefile, re.MULTILINE), target
