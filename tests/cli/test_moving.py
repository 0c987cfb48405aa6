"""Growing and shrinking trained networks from the command line."""

from __future__ import annotations

from pathlib import Path

import archlang as al
from archlang.ir.weights import read_weights
from archlang.morphism import outputs_apart
from tests.cli.conftest import Run


def test_moves_are_text_and_weights(run: Run) -> None:
    program = al.load("net.arch").sample(0)
    network = program.build("torch", seed=5)
    program.save_weights(network, "net.safetensors")
    at = next(node.address for node in program.graph.nodes if node.operation.name == "conv2d")
    carried = "--weights", "net.safetensors", "--output-weights", "moved.safetensors"
    shown = run("move", "net.arch", f"widen {at} 48", f"branch {at}", *carried, "-o", "moved.arch")
    assert "parameters" in shown.stderr
    moved = al.load("moved.arch").program().with_weights(read_weights("moved.safetensors"))
    assert moved.cost().params > program.cost().params
    assert outputs_apart(program.with_weights(read_weights("net.safetensors")), moved) < 1e-5


def test_what_is_no_move_is_told_before_anything_is_done(run: Run) -> None:
    for text, hint in (
        ("widen conv2d", "widen ADDRESS SIZE"),
        ("wide conv2d 8", "widen"),
        ("prune much", "prune SHARE"),
    ):
        assert hint in run("move", "net.arch", "prune 0.5", text, "-o", "moved.arch", code=1).stderr
    assert not Path("moved.arch").exists()
