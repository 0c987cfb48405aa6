"""Opening a network and asking which decisions matter, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import archlang as al
from tests.cli.conftest import Run


def test_what_is_written_is_a_space_around_the_network(run: Run) -> None:
    shown = run("open", "net.arch", "--kernel", "--expand", "0.5..1.5", "--width", "0.5..1", "-o", "net_open.arch")
    assert "small_open is in net_open.arch" in shown.output
    assert al.load("net_open.arch:small_open").unproved is None
    assert 'use "./net.arch": small' in Path("net_open.arch").read_text()


def test_without_a_path_the_text_is_printed(run: Run) -> None:
    shown = run("open", "std.models.bert:bert_mini", "--attention-heads")
    assert "attention(heads=4, ...) => attention(heads=choose [4, 2, 8], ...)" in shown.output


def test_bounds_are_two_numbers(run: Run) -> None:
    for bounds in ("3", "a..b", "2..1", "0..1"):
        assert run("open", "net.arch", "--width", bounds, code=2).stderr


def test_a_folder_that_is_not_there_is_an_error(run: Run) -> None:
    assert "E0217" in run("open", "net.arch", "--kernel", "-o", "none/net_open.arch", code=1).stderr


def test_suggestions_are_shares(run: Run) -> None:
    table = run("suggest", "net.arch", "--draws", "500").output
    assert "params" in table
    found = json.loads(run("suggest", "net.arch", "--draws", "500", "--json").output)
    assert {each["decision"] for each in found} == {"width", "unit"}
    assert all(0 <= share <= 1 for each in found for share in each["shares"].values())
