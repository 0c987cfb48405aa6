"""One program on every backend and in onnxruntime, with the weights of one file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import onnx
import onnxruntime
import torch
from archlang_torch import backend as pytorch
from archlang_torch.training import input_of
from numpy.typing import NDArray
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

from archlang.backend import backend as backend_of
from archlang.evaluate.fitting import NUMPY
from archlang.ir.graph import Graph
from archlang.ir.types import SymbolicDim
from archlang.space import Program

Array = NDArray[Any]
Outputs = dict[str, Array]
BACKENDS = ("torch", "tensorflow", "numpy")


@attrs.frozen
class Compared:
    """The outputs of one program by where they are from, `onnx` among them where it was exported."""

    program: Program
    outputs: dict[str, Outputs]

    @property
    def error(self) -> float:
        """The largest difference from PyTorch, relative to the largest value of the output."""
        expected, worst = self.outputs["torch"], 0.0
        for found in self.outputs.values():
            assert list(found) == list(expected)
            for name, value in found.items():
                other = expected[name]
                assert (value.shape, value.dtype) == (other.shape, other.dtype)
                assert np.isfinite(other).all()
                if other.size:
                    away = np.abs(value.astype(float) - other.astype(float)).max()
                    worst = max(worst, float(away) / max(float(np.abs(other).max()), 1e-30))
        return worst

    def assert_equal(self, tolerance: float = 1e-5) -> None:
        assert self.error <= tolerance, self.program.choices


def compare(
    program: Program, folder: Path, seed: int = 0, inputs: Sequence[Array] | None = None, exported: bool = True
) -> Compared:
    """Run a program of which PyTorch wrote the weights; each framework holds as many parameters as declared."""
    graph, file = program.graph, folder / "weights.safetensors"
    network = program.build(seed=seed)
    wake(network, samples(graph, 8, seed + 1), seed)
    program.save_weights(network, file)
    xs = samples(graph, 2, seed) if inputs is None else inputs
    outputs = {}
    for name in BACKENDS:
        made = network if name == "torch" else program.build(name, seed=seed + 1)
        program.load_weights(made, file, name)
        assert parameters(name, program, made) == program.cost().params
        outputs[name] = named(backend_of(name).run(made, *xs), program)
    if exported:
        outputs["onnx"] = run_onnx(program, network, xs, folder / "net.onnx")
    return Compared(program, outputs)


def samples(graph: Graph, count: int, seed: int = 0) -> list[Array]:
    """Inputs that differ in the means of their channels: those of noise alone are alike once pooled."""
    draw = np.random.default_rng(seed)
    found = []
    for given in graph.inputs:
        shape = [count * dim.factor if isinstance(dim, SymbolicDim) else dim for dim in given.type.shape]
        dtype = np.dtype(NUMPY[given.type.dtype])
        if dtype.kind != "f":
            found.append(draw.integers(0, 2, shape).astype(dtype))
        else:
            means = draw.normal(size=(*shape[:2], *(1 for _ in shape[2:])))
            found.append((draw.normal(size=shape) + means).astype(dtype))
    return found


def wake(network: torch.nn.Module, inputs: Sequence[Array], seed: int) -> None:
    """Draw all scales and biases, and take running statistics from the inputs, as after training: with
    those of a new network a deep one hardly depends on its input."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in network.parameters():
            if weight.ndim == 1:
                weight += torch.empty_like(weight).uniform_(-0.4, 0.4, generator=generator)
        norms = [m for m in network.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.momentum = 1.0
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            network.train()(*[input_of(network, x, torch.device("cpu")) for x in inputs])
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
            assert norm.running_var is not None
            norm.running_var *= torch.empty_like(norm.running_var).uniform_(0.7, 1.4, generator=generator)
            norm.running_var += 0.01


def parameters(name: str, program: Program, network: Any) -> int:
    """How many numbers the framework would train."""
    if name == "torch":
        return sum(weight.numel() for weight in network.parameters())
    if name == "tensorflow":
        return sum(math.prod(weight.shape) for weight in network.trainable_weights)
    return sum(network.weights[address].size for address, spec in program.graph.weights.items() if spec.trained)


def run_onnx(program: Program, network: torch.nn.Module, inputs: Sequence[Array], path: Path) -> Outputs:
    """What onnxruntime computes, or ONNX's own evaluator where that lacks ops: in f64. The file holds the
    weights at their addresses."""
    program.export_onnx(network, path)
    held = {value.name: numpy_helper.to_array(value) for value in onnx.load(path).graph.initializer}
    for address, weight in pytorch.weights(program.graph, network).items():
        np.testing.assert_array_equal(held[address], weight)
    session: Any = (
        ReferenceEvaluator(str(path))
        if any(x.dtype == np.float64 for x in inputs)
        else onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    )
    names = [given.name for given in onnx.load(path).graph.input]
    found = session.run(None, dict(zip(names, inputs, strict=True)))
    return dict(zip([output.name for output in program.graph.outputs], found, strict=True))


def named(found: Any, program: Program) -> Outputs:
    """Outputs by their names in the program."""
    outputs = found if isinstance(found, dict) else {"": found}
    assert list(outputs) == [output.name for output in program.graph.outputs]
    return outputs
