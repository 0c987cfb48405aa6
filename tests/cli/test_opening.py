"""Opening a network and asking which decisions matter, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import archlang as al
from archlang.conversion.opening.opening import first_program
from archlang.ir.weights import read_weights
from archlang.morphism import outputs_apart
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


NET = """
use std.nn
space net(image: f32[n, 1, 8, 8]) -> [n, 10] {
  image |> conv2d(8) |> batch_norm |> relu |> conv2d(8) |> relu |> flatten |> linear(10)
}
"""


def test_what_decisions_do_to_a_trained_network(run: Run) -> None:
    Path("digits.arch").write_text(NET)
    run("open", "digits.arch", "--width", "0.25..1.5", "-o", "digits_open.arch")
    command = "suggest", "digits_open.arch:net_open", "--data", "digits", "--epochs", "3"
    assert "conv2d" in run(*command).output
    found = json.loads(run(*command, "--json").output)["network"]
    assert found["accuracy"] > 0.6
    changes = {each["address"]: each["changes"] for each in found["decisions"]}
    assert len(changes) == 2
    for each in changes.values():
        for change in each:
            larger = int(change["pick"]) > 8
            assert (change["macs"] > 1) == larger
            assert abs(change["loss"]) < 1e-5 if larger else change["loss"] > 0.01


def test_weights_come_along_when_a_network_is_opened(run: Run) -> None:
    Path("digits.arch").write_text(NET)
    program = al.load("digits.arch").program()
    program.save_weights(program.build("torch", seed=3), "digits.safetensors")
    carried = "--weights", "digits.safetensors", "--output-weights", "opened.safetensors"
    run("open", "digits.arch", "--kernel", *carried, "-o", "digits_open.arch")
    opened = first_program(al.load("digits_open.arch:net_open"))
    again = opened.with_weights(read_weights("opened.safetensors"))
    assert outputs_apart(program.with_weights(read_weights("digits.safetensors")), again) == 0
    assert run("open", "digits.arch", "--kernel", "--weights", "digits.safetensors", code=2).stderr
