"""sample, show, cost, explain, emit and export."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

import archlang as al
from tests.cli.conftest import Run
from tests.conftest import Golden

PICKED = '{"width": 32, "unit": "deep"}'


def test_sample(run: Run, golden: Golden) -> None:
    text = run("sample", "std.spaces.nasbench201", "-n", "3", "--seed", "7").stdout
    golden("sample.txt", text)
    lines = [json.loads(line) for line in text.splitlines()]
    assert json.loads(run("sample", "std.spaces.nasbench201", "-n", "3", "--seed", "7", "--json").stdout) == lines
    space = al.load("std.spaces.nasbench201")
    for picks in lines:
        assert space.choices(picks).as_dict() == picks


def test_what_is_sampled_can_be_chosen(run: Run) -> None:
    line = run("sample", "net.arch", "--seed", "2").stdout
    Path("picked.json").write_text(line, encoding="utf-8")
    from_file = run("show", "net.arch", "--choices", "picked.json").stdout
    assert from_file == run("show", "net.arch", "--choices", line).stdout
    assert from_file == run("show", "net.arch", "--seed", "2").stdout


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("show.arch.txt", ("net.arch", "--choices", PICKED)),
        ("show_flat.arch.txt", ("net.arch", "--choices", PICKED, "--flat")),
        ("show_nasbench201.arch.txt", ("std.spaces.nasbench201", "--seed", "1")),
        ("show_recipe.arch.txt", ("examples/recipe.arch", "--seed", "1")),
    ],
)
def test_show(run: Run, golden: Golden, name: str, arguments: tuple[str, ...]) -> None:
    result = run("show", *arguments)
    golden(name, result.stdout)
    shown = al.loads(result.stdout)
    assert shown.size == 1
    run("show", *arguments, "-o", "out/shown.arch")
    assert Path("out/shown.arch").read_text(encoding="utf-8").strip() == result.stdout.strip()
    assert run("count", "out/shown.arch").stdout == "1\n"


def test_cost(run: Run, golden: Golden) -> None:
    golden("cost.txt", run("cost", "net.arch", "--choices", PICKED).stdout)
    golden("cost_all.txt", run("cost", "net.arch", "--choices", PICKED, "--blocks", "--nodes").stdout)


def test_cost_as_json(run: Run) -> None:
    found = json.loads(run("cost", "std.models.resnet:resnet18", "--json").stdout)
    assert (found["params"], found["macs"]) == (11_689_512, 1_814_073_344)
    assert found["choices"] == {}
    assert "nodes" not in found
    assert "blocks" not in found
    assert sum(row["macs"] for row in found["ops"].values()) == found["macs"]
    found = json.loads(run("cost", "net.arch", "--choices", PICKED, "--nodes", "--blocks", "--json").stdout)
    assert found["choices"] == json.loads(PICKED)
    assert sum(row["params"] for row in found["nodes"]) == found["params"]
    assert "unit:deep" in "".join(found["blocks"]) or "unit" in found["blocks"]


def test_measured_costs(run: Run, golden: Golden) -> None:
    table = ("--latency", "table.csv")
    golden("cost_latency.txt", run("cost", "net.arch", "--choices", PICKED, *table).stdout)
    golden("cost_latency_bounds.txt", run("cost", "net.arch:small", "--bounds", *table).stdout)
    space = al.load("net.arch").with_table("table.csv")
    taken = {space.program(choices).measured()["latency"]: choices for choices in space.enumerate()}
    found = json.loads(run("cost", "net.arch", "--choices", PICKED, *table, "--json").stdout)
    assert found["latency"] == max(taken) == space.program(json.loads(PICKED)).measured()["latency"]
    limit = sorted(taken)[1]
    assert run("count", "net.arch", *table, "--where", f"latency <= {limit}").stdout == "2\n"
    for line in run("sample", "net.arch", "-n", "5", *table, "--where", f"latency <= {limit}").stdout.splitlines():
        assert space.program(json.loads(line)).measured()["latency"] <= limit
    assert "is a table of latency, not of energy" in run("cost", "net.arch", "--energy", "table.csv", code=1).stderr
    assert "--latency PATH" in run("count", "net.arch", "--where", "latency <= 1", code=1).stderr


def test_emit(run: Run, golden: Golden) -> None:
    text = run("emit", "net.arch", "--choices", PICKED).stdout
    golden("emit.py.txt", text)
    result = run("emit", "net.arch", "--choices", PICKED, "-o", "made/net.py")
    assert result.stdout == ""
    assert result.stderr == "written to made/net.py\n"
    assert Path("made/net.py").read_text(encoding="utf-8") == text
    assert "archlang" not in "".join(line for line in text.splitlines() if line.startswith(("import", "from")))


def test_export(run: Run) -> None:
    program = al.load("net.arch").program(json.loads(PICKED))
    network = program.build(seed=5).eval()
    program.save_weights(network, "net.safetensors")
    result = run("export", "net.arch", "--choices", PICKED, "--weights", "net.safetensors", "-o", "made/net.onnx")
    assert result.stdout == ""
    assert result.stderr == "written to made/net.onnx\n"
    image = np.random.default_rng(0).normal(size=(3, 1, 8, 8)).astype(np.float32)
    (found,) = onnxruntime.InferenceSession("made/net.onnx").run(["output"], {"image": image})
    np.testing.assert_allclose(found, network(torch.from_numpy(image)).detach().numpy(), rtol=1e-4, atol=1e-5)


def test_the_settings_of_a_space(run: Run) -> None:
    assert "linear(7)" in run("show", "net.arch", "--set", "classes=7").stdout


def test_costs_of_a_whole_space(run: Run, golden: Golden) -> None:
    golden("cost_bounds.txt", run("cost", "net.arch:small", "--bounds").stdout)
    found = json.loads(run("cost", "net.arch:small", "--bounds", "--json").stdout)["bounds"]
    space = al.load("net.arch:small")
    macs = {space.program(choices).cost().macs: choices.as_dict() for choices in space.enumerate()}
    assert (found["macs"]["least"]["value"], found["macs"]["most"]["proven"]) == (min(macs), max(macs))
    assert found["macs"]["most"]["choices"] == macs[max(macs)]


def test_programs_of_some_costs(run: Run) -> None:
    where = ("--where", "macs <= 12M", "--where", "params < 100k", "--evenly")
    for line in run("sample", "std.spaces.nasbench201", "-n", "5", *where).stdout.splitlines():
        found = json.loads(run("cost", "std.spaces.nasbench201", "--choices", line, "--json").stdout)
        assert found["macs"] <= 12_000_000
        assert found["params"] < 100_000
    assert "E0503" in run("sample", "std.spaces.nasbench201", "--where", "macs < 1", code=1).stderr


def test_explain(run: Run, golden: Golden) -> None:
    golden("explain.txt", run("explain", "net.arch:small", "unit").stdout)
    golden("explain_width.txt", run("explain", "net.arch:small", "width").stdout)
    found = json.loads(run("explain", "net.arch:small", "width", "--json").stdout)
    space = al.load("net.arch:small")
    for one in found["picks"]:
        costs = [space.program(c).cost().params for c in space.enumerate() if c["width"] == one["pick"]]
        assert one["costs"]["params"] == [min(costs), max(costs)]
    assert "did you mean `width`" in run("explain", "net.arch:small", "widht", code=1).stderr
