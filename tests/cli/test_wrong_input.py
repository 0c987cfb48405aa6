"""Wrong input: exit code 1 and a diagnostic; wrong use: exit code 2 and the usage."""

from __future__ import annotations

from pathlib import Path

import pytest

import archlang as al
from archlang.space.values import parse_setting
from tests.cli.conftest import Run

NET = "net.arch"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("count", "nope.arch"), "E0207", "there is no file `nope.arch`"),
        (("count", "."), "E0207", "`.` is a folder"),
        (("check", "latin1.arch"), "E0207", "is not a UTF-8 text"),
        (("count", "std.spaces.nasbench102"), "E0202", "did you mean"),
        (("count", "several.arch"), "E0209", "several spaces: first, second"),
        (("count", "net.arch:nope"), "E0209", "it has small"),
        (("count", "std.nn"), "E0209", "has no space"),
        (("count", NET, "--set", "classes"), "E0414", "classes=100"),
        (("count", NET, "--set", "clases=3"), "E0211", "did you mean `classes`?"),
        (("count", NET, "--set", "classes=2.5"), "E0301", "must be int"),
        (("show", NET, "--choices", '{"width":'), "E0408", "not JSON"),
        (("show", NET, "--choices", "nope.json"), "E0415", "cannot be read"),
        (("show", NET, "--choices", "{}"), "E0410", "`width` takes one of 16, 32"),
        (("show", NET, "--choices", '{"unit": "plain", "width": 17}'), "E0407", "one of 16, 32"),
        (("show", NET, "--choices", '{"unit": "plain", "width": 16, "widht": 16}'), "E0406", "no decision `widht`"),
        (("cost", "several.arch:second"), "E0409", "holds no network"),
        (("emit", NET, "--backend", "torhc"), "E0802", "did you mean `torch`?"),
        (("emit", NET, "-o", "net.arch/out.py"), "E0217", "cannot be written"),
        (("export", NET, "--weights", "nope.safetensors", "-o", "net.onnx"), "E0806", "cannot read weights"),
        (("export", NET, "--weights", NET, "-o", "net.onnx"), "E0806", "is not a weight file"),
        (("export", NET, "-o", "net.arch/net.onnx"), "E0217", "cannot be written"),
        (("fmt", "nope.arch"), "E0207", "there is no file"),
        (("search", NET, "--searcher", "evolutoin"), "E0901", "did you mean `evolution`?"),
        (("search", NET, "--searcher", "evolution", "--search", "pop=3"), "E0902", "`population`"),
        (("search", NET, "--searcher", "evolution", "--search", "population=0"), "E0903", "population"),
        (("search", NET, "--train", "epoch=3"), "E0706", "did you mean `epochs`?"),
        (("search", NET, "--maximize", "acuracy"), "E0711", "did you mean `accuracy`?"),
        (("search", NET, "--data", "nope.npz"), "E0701", "does not exist"),
        (("search", NET, "--data", "net.arch"), "E0702", "cannot be read as .npz"),
        (("search", NET, "--store", "net.arch"), "E0905", "not a database"),
        (("search", "several.arch:second"), "E0708", "nothing to train"),
        (("resume", "nope.db"), "E0905", "there is no store"),
        (("report", "net.arch"), "E0905", "not a database"),
    ],
)
def test_wrong_input(run: Run, arguments: tuple[str, ...], code: str, says: str) -> None:
    Path("latin1.arch").write_bytes("# Größe".encode("latin-1"))
    before = {path: path.read_bytes() for path in Path.cwd().iterdir() if path.is_file()}
    result = run(*arguments, code=1)
    assert result.stderr.startswith(f"error[{code}]: ")
    assert says in result.stderr
    assert result.stdout == ""
    for path, text in before.items():
        assert path.read_bytes() == text, "wrong input changes no file"


@pytest.mark.parametrize(
    "arguments",
    [
        ("count",),
        ("coutn", NET),
        ("count", NET, "more.arch"),
        ("count", NET, "--nope"),
        ("sample", NET, "-n", "0"),
        ("sample", NET, "-n", "many"),
        ("search", NET, "--trials", "0"),
        ("search", NET, "--epochs", "-1"),
        ("fmt",),
        ("export", NET),
    ],
)
def test_wrong_use(run: Run, arguments: tuple[str, ...]) -> None:
    result = run(*arguments, code=2)
    assert result.stderr.startswith("Usage: archlang")


def test_the_number_of_errors_is_said(run: Run) -> None:
    result = run("show", NET, "--choices", '{"width": 17, "unit": "x"}', code=1)
    assert result.stderr.endswith("\n2 errors\n")


def test_a_path_is_text() -> None:
    for text in ("runs/weights", "../weights", "/tmp/weights.d", "./a/b"):
        assert parse_setting(f"inherit={text}") == ("inherit", text)
    for text in ("1/2", "x + 1"):
        with pytest.raises(al.ArchError):
            parse_setting(f"inherit={text}")
