"""Input that is meant to break things ends in an error, soon."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

import archlang as al
from archlang.diagnostics import ArchError
from tests.diagnostics.examples import run_command

SECONDS = 20  # generous: what ran away took minutes, or for ever

TEXTS = {
    "recursion of a function": ("def f(x: int) { f(x) + f(x) }\nspace s { f(1) }", "E0601"),
    "recursion of a block": ("block f(x: [n]) { x |> f }\nspace s(x: f32[n]) { x |> f }", "E0601"),
    "doubled list": ("space s {\n  a = [1]\n  for i in 0..60 { a = a + a }\n  len(a)\n}", "E0603"),
    "doubled text": ('space s {\n  a = "a"\n  for i in 0..60 { a = a + a }\n  a\n}', "E0603"),
    "tower of powers": ("space s { 9 ^ 9 ^ 9 ^ 9 }", "E0602"),
    "power of floats": ("space s { 1e300 ^ 2 }", "E0602"),
    "factors": ("space s {\n  a = 3\n  for i in 0..1000 { a = a * a }\n  a\n}", "E0602"),
    "long range": ("space s { sum(0..1000G) }", "E0603"),
    "nested loops": ("space s { len([i for i in 0..9999 for j in 0..9999]) }", "E0601"),
    "deep chain": ("use std.nn\nspace s(x: f32[n, 3]) { x |> repeat(20000, relu) }", "E0601"),
    "subsets of very many": ("space s { choose 500000 of 0..999999 }", "E0603"),
    "very many picks": ("space s { choose 100000 of 0..10 ordered repeated }", "E0603"),
    "huge weights": ("use std.nn\nspace s(x: f32[n, 4]) { x |> linear(8G * 4G) }", "E0602"),
    "circle of constants": ("a = b\nb = a\nspace s { a }", "E0604"),
    "deep brackets": ("space s { " + "(" * 100_000, "E0105"),
    "many operators": ("space s { " + "1 + " * 100_000 + "1 }", "E0105"),
    "long name": ("space s { " + "x" * 1_000_000 + " }", "E0201"),
    "long line": ("# " + "x" * 1_000_000 + "\nspace s { y }", "E0201"),
}


@pytest.mark.parametrize("title", TEXTS)
def test_what_runs_away_is_stopped(title: str) -> None:
    text, code = TEXTS[title]
    start = time.process_time()
    with pytest.raises(ArchError) as caught:
        al.loads(text)
    assert code in [found.code for found in caught.value.diagnostics]
    assert time.process_time() - start < SECONDS
    assert all(len(line) < 300 for line in str(caught.value).splitlines()[1:])


def test_values_of_very_many_decisions_are_given_up_in_time() -> None:
    terms = " + ".join(f"a[{i}] * {100**i}" for i in range(4))
    start = time.process_time()
    space = al.loads(f"space s {{\n  a = [choose 0..99 for i in 0..<4]\n  require {terms} > 5\n  a\n}}")
    assert space.left_open
    assert time.process_time() - start < SECONDS


@pytest.mark.parametrize("size", [0, 1, 1000])
def test_files_that_are_no_text(size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("binary.arch").write_bytes(bytes(range(128, 256)) * size)
    codes, _ = run_command("archlang check binary.arch")
    assert codes == (["E0207"] if size else [])


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("many", "E0301"),
        ("2.5", "E0301"),
        ("[1, 2]", "E0301"),
        ("true", "E0301"),
        ("-3", "E0314"),
        ("[1", "E0104"),
        ("", "E0110"),
        ("f(1)", "E0414"),
        ("1e400", "E0108"),
    ],
)
def test_settings(value: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.arch").write_text("use std.nn\nspace s(classes: int)(x: f32[n, 4]) { x |> linear(classes) }")
    codes, shown = run_command(f"archlang check net.arch --set 'classes={value}'")
    assert codes == [code], shown


@pytest.mark.parametrize("pick", ["null", "NaN", "[]", "{}", "1e999", "true", '"16"', "8.5"])
def test_picks_that_do_not_fit(pick: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.arch").write_text("use std.nn\nspace s(x: f32[n, 4]) { x |> linear(choose [8, 16] as width) }")
    Path("choices.json").write_text(f'{{"width": {pick}}}')
    codes, _ = run_command("archlang show net.arch --choices choices.json")
    assert codes == ["E0407"]


def test_a_fault_in_a_used_file_does_not_hide_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("cells.arch").write_text("use std.nn: cnv2d\nblock cell(x: [n, c]) { x |> cnv2d(3) |> reluu }")
    Path("net.arch").write_text('use "cells.arch": cell, gone\nspace s(x: f32[n, 4]) { x |> cell |> gone |> lost }')
    with pytest.raises(ArchError) as caught:
        al.load("net.arch")
    found = [(it.code, it.labels[0].span.source.name, it.labels[0].span.text) for it in caught.value.diagnostics]
    assert found == [
        ("E0204", "cells.arch", "cnv2d"),
        ("E0204", "net.arch", "gone"),
        ("E0201", "cells.arch", "reluu"),
        ("E0201", "net.arch", "lost"),
    ]
