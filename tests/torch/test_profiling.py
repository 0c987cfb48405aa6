"""The PyTorch meter: what it runs, and how. Nothing is said of how long that takes."""

from __future__ import annotations

import pytest
import torch
from archlang_torch import profiling

import archlang as al
from archlang.backend import profiler
from archlang.evaluate.profiling import alone


def test_networks_run_in_evaluation_mode_on_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    space = al.loads("use std.nn\nspace s(x: f32[n, 3, 8, 8]) { x |> conv2d(4) >> batch_norm >> dropout(0.5) }")
    seen: list[tuple[torch.Size, bool, bool, int]] = []
    build = profiling.build

    def watched(graph: object) -> torch.nn.Module:
        network = build(graph)  # type: ignore[arg-type]

        def look(module: torch.nn.Module, given: tuple[torch.Tensor, ...], result: torch.Tensor) -> None:
            state = module.training, torch.is_inference_mode_enabled(), torch.get_num_threads()
            seen.append((given[0].shape, *state))

        network.register_forward_hook(look)
        return network

    monkeypatch.setattr(profiling, "build", watched)
    before = torch.get_num_threads()
    for threads, clock in ((1, "CPU time of the thread"), (2, "wall")):
        with profiler("torch").meter("cpu", threads, 5) as meter:
            assert meter.info["clock"] == clock
            assert meter.info["backend"] == f"torch {torch.__version__}"
            assert meter.info["device"].startswith("cpu, ")
            run = meter.prepare(space.program().graph)
            seen.clear()
            assert all(isinstance(taken, int) and taken > 0 for taken in (run(), run()))
        assert seen == [(torch.Size([5, 3, 8, 8]), False, True, threads)] * 2
        assert torch.get_num_threads() == before


@pytest.mark.parametrize("text", ["i64[n, 6]) { x |> embedding(7, 4)", "bf16[n, 6]) { x |> relu", "f64[n, 6]) { x + x"])
def test_inputs_are_of_the_types_that_ops_take(text: str) -> None:
    space = al.loads(f"use std.nn\nspace s(x: {text} }}")
    with profiler("torch").meter("cpu", 1, 2) as meter:
        for operation in space.operations()[0]:
            assert meter.prepare(alone(operation))() > 0


def test_a_device_that_is_not_there() -> None:
    with pytest.raises(al.ArchError, match="E0805"), profiler("torch").meter("cuda:9", 1, 1):
        pass
