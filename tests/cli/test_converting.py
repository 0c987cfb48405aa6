"""archlang convert."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import archlang as al
from tests.cli.conftest import Run

MODELS = """
import torch
from torch import nn


def small(width=8):
    pooled = nn.AdaptiveAvgPool2d(1), nn.Flatten()
    return nn.Sequential(nn.Conv2d(3, width, 3, padding=1), nn.ReLU(), *pooled, nn.Linear(width, 4))


class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(9, 6)
        self.out = nn.Linear(6, 2)

    def forward(self, tokens):
        return self.out(self.tokens(tokens).mean(1))


made = Words()


def failing():
    raise RuntimeError("there are no weights")


def nothing():
    return 3
"""


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    name = f"models_{abs(hash(tmp_path))}"
    Path(f"{name}.py").write_text(MODELS, encoding="utf-8")
    torch.set_num_threads(1)


def named(model: str) -> str:
    return f"{next(Path().glob('models_*.py')).stem}:{model}"


def test_report(run: Run) -> None:
    result = run(
        "convert", named("small"), "--input", "1,3,8,8", "-o", "out/net.arch", "--weights", "out/net.safetensors"
    )
    assert "parameters  260, as the model" in result.stdout
    assert "MACs        13,856 for one sample, as the model" in result.stdout
    assert result.stdout.count("difference  0.0e+00") == 2
    assert "written to out/net.arch" in result.stderr
    program = al.load("out/net.arch").program()
    assert program.space.name == "small"
    program.load_weights(program.build("torch"), "out/net.safetensors")


def test_arguments_of_the_factory(run: Run) -> None:
    shown = run(
        "convert", named("small"), "--set", "width=3", "--input", "2,3,8,8", "-o", "converted.arch", "--json"
    ).stdout
    found = json.loads(shown)
    assert found["params"] == found["model_params"] == 3 * 28 + 16
    assert found["macs"] == found["model_macs"]
    assert [trial["samples"] for trial in found["trials"]] == [2, 3]
    assert found["opaque"] == []


@pytest.mark.parametrize("model", ["Words", "made"])
def test_whole_numbers_and_models_that_are_made(run: Run, model: str) -> None:
    run("convert", named(model), "--input", "i64:1,5", "-o", "converted.arch")
    assert "tokens: i64[n, 5]" in Path("converted.arch").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("model", "shape", "message"),
    [
        ("smal", "1,3,8,8", "did you mean `small`?"),
        ("failing", "1,3,8,8", "makes no model: RuntimeError: there are no weights"),
        ("nothing", "1,3,8,8", "gives an int, which is no model"),
        ("small", "1,4,8,8", "does not take float32[n, 4, 8, 8]"),
        ("small", "3x8x8", "is not the shape of an input"),
        ("small", "f9:1,3,8,8", "is not the shape of an input"),
    ],
)
def test_what_is_wrong_is_said(run: Run, model: str, shape: str, message: str) -> None:
    assert message in run("convert", named(model), "--input", shape, "-o", "converted.arch", code=1).stderr
    assert not Path("converted.arch").exists()


@pytest.mark.parametrize("model", ["no_such_module:net", "small", ":small"])
def test_what_cannot_be_imported(run: Run, model: str) -> None:
    assert "E0809" in run("convert", model, "--input", "1,3,8,8", "-o", "converted.arch", code=1).stderr


def test_onnx_files(run: Run) -> None:
    source = "use std.nn\nspace s(x: f32[n, 3, 8, 8]) { x |> conv2d(4) >> relu >> global_avg_pool >> linear(2) }"
    program = al.loads(source).program()
    program.export_onnx(program.build("torch"), "net.onnx")
    shown = json.loads(run("convert", "net.onnx", "-o", "back.arch", "--weights", "back.safetensors", "--json").stdout)
    assert shown["params"] == shown["model_params"] == 4 * 3 * 9 + 10
    assert "onnxruntime" in shown["notes"][0]
    assert al.load("back.arch").program().canonical_hash == program.canonical_hash
    assert "space net(" in Path("back.arch").read_text(encoding="utf-8")
    run("convert", "net.onnx", "--input", "2,3,8,8", "-o", "again.arch")
    Path("cut.onnx").write_bytes(Path("net.onnx").read_bytes()[:99])
    for path, shape, message in (
        ("net.onnx", "1,3,9,8", "does not take float32[1, 3, 9, 8]"),
        ("cut.onnx", "1,3,8,8", "is no ONNX file"),
        ("none.onnx", "1,3,8,8", "there is no file"),
    ):
        assert message in run("convert", path, "--input", shape, "-o", "not.arch", code=1).stderr
    assert not Path("not.arch").exists()


def test_options_that_do_not_fit(run: Run) -> None:
    assert "--input" in run("convert", named("small"), "-o", "converted.arch", code=2).stderr
    assert "--set" in run("convert", "net.onnx", "--set", "width=3", "-o", "converted.arch", code=2).stderr
