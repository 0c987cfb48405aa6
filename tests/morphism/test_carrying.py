"""Weights carried between the programs of a space."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

import archlang as al
from archlang.ir.graph import Graph
from archlang.morphism import carry_weights, outputs_apart
from archlang.morphism.moves import weights_of
from tests.morphism.networks import TEXTS, with_weights

CELL = """use std.nn
space cell(x: f32[n, 3, 8, 8]) -> [n, 4] {
  w = choose [8, 12, 16]
  y = x |> conv2d(w, kernel=choose [1, 3, 5]) |> batch_norm |> relu
  z = [y |> conv2d(choose [4, 8], kernel=choose [3, 5]) |> relu for i in 0..<choose 1..3]
  [y] + z |> concat |> conv2d(8) |> relu
    |> repeat(choose 0..2, conv2d(8, kernel=choose [1, 3]) >> batch_norm >> relu) |> global_avg_pool |> linear(4)
}"""


def opened() -> al.Space:
    made = al.open_up(al.loads(TEXTS["residual"]), width=(0.5, 1.5), expand=(0.5, 1.5), kernel=True, depth=True)
    return al.loads(made.text, made.name)


SPACES = {"opened": opened, "cell": lambda: al.loads(CELL)}


@pytest.mark.parametrize("name", SPACES)
def test_what_is_said_to_compute_the_same_does(name: str) -> None:
    space = SPACES[name]()
    random = Random(0)
    same = 0
    for turn in range(25):
        one = with_weights(space.program(space.draw(random)), turn)
        other = space.program(space.mutate(one.choices, random) if turn % 2 else space.draw(random))
        made = carry_weights(one, other, fill="fresh" if turn % 4 > 1 else "copy", seed=turn)
        assert made.program.choices == other.choices
        if not made.changes:
            same += 1
            assert made.difference < 5e-6
    assert same > 3


def _has_all_of(large: Graph, small: Graph) -> bool:
    """Whether one graph has all weights of another, each as large or larger in every dimension."""
    return all(
        at in large.weights and all(a >= b for a, b in zip(large.weights[at].shape, weight.shape, strict=True))
        for at, weight in small.weights.items()
    )


@pytest.mark.parametrize("name", SPACES)
def test_growing_keeps_what_is_computed(name: str) -> None:
    space = SPACES[name]()
    random = Random(1)
    grown = 0
    while grown < 25:
        one = space.program(space.draw(random))
        for choices in space.neighbours(one.choices):
            other = space.program(choices)
            if random.random() < 0.8 or not _has_all_of(other.graph, one.graph):
                continue
            made = carry_weights(with_weights(one, grown), other, seed=grown)
            assert made.changes == ()
            assert made.difference < 5e-6
            grown += 1


def test_a_program_s_own_weights_stay() -> None:
    program = with_weights(al.loads(TEXTS["tokens"]).program())
    made = carry_weights(program, al.loads(TEXTS["tokens"]).program())
    assert made.changes == ()
    for address, array in program.weights.items():
        np.testing.assert_array_equal(made.program.weights[address], array)


def test_kernels_grow_around_the_old() -> None:
    space = al.loads("use std.nn\nspace s(x: f32[n, 2, 6, 6]) { x |> conv2d(3, kernel=choose [3, 5]) }")
    small, large = (with_weights(space.program({"kernel": kernel})) for kernel in (3, 5))
    made = carry_weights(small, large)
    np.testing.assert_array_equal(made.program.weights["conv2d.kernel"][:, :, 1:4, 1:4], small.weights["conv2d.kernel"])
    assert made.changes == ()
    assert outputs_apart(small, made.program) < 1e-6
    assert carry_weights(large, small).changes == ("the kernel of `conv2d` is smaller",)


def test_other_ops_are_told() -> None:
    space = al.loads(
        "use std.nn\nspace s(x: f32[n, 4]) { x |> linear(4) |> choose { relu: relu, tanh: tanh } |> linear(2) }"
    )
    (decision,) = space.sample(0).choices
    relu, tanh = (space.program({decision: name}) for name in ("relu", "tanh"))
    made = carry_weights(relu, tanh)
    assert made.changes == ("what `linear#2` takes is another value",)
    np.testing.assert_array_equal(made.program.weights["linear#2.kernel"], weights_of(relu)["linear#2.kernel"])


def test_a_trained_program_s_weights_begin_the_next(tmp_path: Path) -> None:
    space = al.loads(
        "use std.nn\nspace s(x: f32[n, 1, 8, 8]) -> [n, 10] {\n"
        "  x |> conv2d(choose [8, 16]) |> relu |> flatten |> linear(choose [16, 32]) |> relu |> linear(10)\n}"
    )
    small, large = ({"out#1": 8, "out#2": 16}, {"out#1": 16, "out#2": 32})
    first, second = space.program(small), space.program(large)
    folder = str(tmp_path / "weights")

    def accuracy(program: al.Program, **settings: Any) -> float:
        return al.train("digits", **settings)(program, {}, lambda values: None)["accuracy"]

    still = {"epochs": 1, "lr": 0.0, "weight_decay": 0.0}
    trained = accuracy(first, epochs=2, lr=0.1, inherit=folder)
    assert trained > 0.5
    assert accuracy(second, inherit=folder, **still) == pytest.approx(trained, abs=1e-6)
    assert accuracy(second, **still) < 0.5
    assert len(list(Path(folder).glob("*.safetensors"))) == 2
    (Path(folder) / "another.safetensors").write_bytes(b"no weights")
    assert accuracy(first, inherit=folder, **still) > 0.5
