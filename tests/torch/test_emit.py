"""Emitted files: what they look like, that they stand alone, and that they compute the same."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from archlang_torch import backend, build

from archlang.ir.graph import Graph, WeightSpec
from archlang.testing.ops import GRIDS, cases
from tests.graphs import Sketch, nasbench201, relu_conv_bn
from tests.torch.emitted import module_of, namespace_of
from tests.torch.test_build import images, small, tied


def same(graph: Graph, *inputs: torch.Tensor) -> str:
    """Assert that the emitted network takes the built one's weights and computes the same."""
    built = build(graph).eval()
    source = backend.emit(graph)
    emitted = namespace_of(source)["build"]().eval()
    emitted.load_state_dict(built.state_dict())
    torch.testing.assert_close(emitted(*inputs), built(*inputs), rtol=1e-6, atol=1e-6)
    return source


def test_blocks_are_classes_with_parameters() -> None:
    source = same(small(), images())
    blocks = source[source.index("class ") :]  # nothing is before them
    assert blocks.startswith('''class ReluConvBn(nn.Module):
    """Block `relu_conv_bn`, e.g. [n, 4, 32, 32] -> [n, 4, 32, 32]."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.conv2d = nn.Conv2d(
            channels, out, kernel, stride=stride, padding=(kernel - 1) // 2, bias=False
        )
        self.batch_norm = nn.BatchNorm2d(out)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(x)
        x = self.conv2d(x)
        return self.batch_norm(x)


class EdgeConv3(nn.Module):
    """Block `edge`, e.g. [n, 4, 32, 32] -> [n, 4, 32, 32]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv3 = ReluConvBn(channels=channels, out=channels, kernel=3, stride=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv3(x)
''')
    assert '''class Cell(nn.Module):
    """Block `cell`, e.g. [n, 4, 32, 32] -> [n, 4, 32, 32]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.edge_1 = EdgeConv3(channels)
        self.edge_2 = EdgeConv1(channels)
        self.edge_6 = EdgeConv3(channels)

    def forward(self, x: Tensor) -> Tensor:
        edge_1 = self.edge_1(x)
        edge_2 = self.edge_2(x)
        y = edge_2 + edge_1
        x = F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
        edge_1 = torch.zeros_like(edge_1)
        x = x + edge_1
        y = self.edge_6(y)
        return x + y
''' in blocks  # fmt: skip
    assert "self.shared_1 = nn.ModuleList([Cell(4) for _ in range(2)])" in blocks
    assert "        for block in self.shared_1:\n            image = block(image)\n" in blocks


def test_header_lines_are_comments() -> None:
    source = backend.emit(small(), ["Choices:", "cell.edge = conv3\nand more", "x" * 50 + " " + "y" * 60])
    assert source.startswith('"""The network `nasbench201`, written by archlang. It needs PyTorch alone."""\n\n')
    assert "# Choices:\n# cell.edge = conv3\n# and more\n# xxxx" in source
    assert max(map(len, source.splitlines())) <= 100


def test_the_file_runs_without_archlang(tmp_path: Path) -> None:
    path = tmp_path / "network.py"
    path.write_text(backend.emit(small()))
    code = f"import sys, runpy; sys.modules['archlang'] = None; runpy.run_path({str(path)!r}, run_name='__main__')"
    ran = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False)
    parameters = sum(weight.numel() for weight in build(small()).parameters())
    assert (ran.stdout, ran.stderr) == (f"output: (1, 10)\nparameters: {parameters}\n", "")


@pytest.mark.skipif(find_spec("ruff") is None, reason="ruff is not installed")
def test_files_are_formatted(tmp_path: Path) -> None:
    for number, graph in enumerate([small(), wide(), tied(3), *(next(cases(op)).graph() for op in GRIDS)]):
        (tmp_path / f"network_{number}.py").write_text(backend.emit(graph, ["some", "choices"]))
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length", "100", "--diff", str(tmp_path)]
    assert subprocess.run(command, capture_output=True, text=True, check=False).stdout == ""


def wide() -> Graph:
    """Lists of unlike blocks, places without blocks, and lines that are too long."""
    sketch = Sketch("wide")
    x = sketch.input("image", 4, 8, 8)
    parts = []
    for i in range(12):
        with sketch.block(f"stage_with_a_long_name[{i}]", "unit"):
            parts.append(relu_conv_bn(sketch, x, 4 + i % 3, 1 + 2 * (i % 2)))
    for i in (1, 3):
        parts.append(sketch.conv2d(x, 2, bias=True, dilation=2, groups=2, site=f"sparse[{i}]"))
    x = sketch.concat(*parts)
    return sketch.graph(sketch.linear(sketch.global_avg_pool(x), 3, site="head:one/linear"))


def test_lists_and_dictionaries_of_children() -> None:
    source = same(wide(), torch.randn(2, 4, 8, 8))
    assert "self.sparse = nn.ModuleDict(" in source
    assert 'self.sparse["3"](image)' in source
    assert "self.stage_with_a_long_name[3](image)" in source
    assert 'return self.head["one"]["linear"](' in source
    assert max(map(len, source.splitlines())) <= 100


def test_tied_blocks_are_called_again() -> None:
    source = same(tied(3), torch.randn(2, 4, 8, 8))
    assert source.count("self.t = Unit()") == 1
    assert source.count("self.t(x)") == 3


def test_tied_operations_that_differ() -> None:
    sketch = Sketch()
    x = sketch.input("x", 4, 8, 8)
    a = sketch.conv2d(x, 4, site="a")
    with sketch.block("again", "unit", home=""):
        b = sketch.conv2d(x, 4, stride=2, site="a")
    source = same(sketch.graph(a=a, b=b), torch.randn(2, 4, 8, 8))
    assert "self.a_2.weight = self.a.weight" in source
    assert 'return {"a": a, "b": a_2}' in source or 'return {"a": a, "b": x}' in source


def test_other_initial_values_are_set() -> None:
    sketch = Sketch()
    x = sketch.input("x", 4)
    weights = [WeightSpec("kernel", (3, 4), ("normal", 0.0, 0.02)), WeightSpec("bias", (3,), ("zeros",))]
    x = sketch.apply("linear", x, output=(x, 3), weights=weights, site="head", out=3, bias=True)
    source = same(sketch.graph(x), torch.randn(2, 4))
    assert "nn.init.normal_(self.head.weight, 0.0, 0.02)" in source
    assert "nn.init.zeros_(self.head.bias)" in source
    fresh = namespace_of(source)["build"]()
    assert fresh.head.bias.eq(0).all()
    assert fresh.head.weight.abs().max() < 0.2


def test_fresh_weights_are_drawn_as_declared() -> None:
    fresh, built = module_of(nasbench201()), build(nasbench201())
    for (name, one), other in zip(fresh.state_dict().items(), built.state_dict().values(), strict=True):
        assert one.shape == other.shape, name
        if one.numel() > 500:
            assert abs(one.std() / other.std() - 1) < 0.15, name


def test_layers_are_written_with_what_differs_from_the_defaults() -> None:
    sketch = Sketch("layers")
    x, y = sketch.input("x", 4, 8, 8), sketch.input("y", 4, 5)
    wide = {"bias": True, "dilation": 2, "padding": 0}
    made = {
        "a": sketch.conv2d(x, 6, bias=True, stride=2, site="a"),
        "b": sketch.conv2d(x, 6, 2, groups=2, site="b", **wide),
        "c": sketch.batch_norm(x, momentum=0.01, eps=1e-3, affine=False, site="c"),
        "d": sketch.batch_norm(y, site="d"),
        "e": sketch.linear(y, 3, bias=False, site="e"),
    }
    source = same(sketch.graph(**made), torch.randn(2, 4, 8, 8), torch.randn(2, 4, 5))
    assert [line.strip() for line in source.splitlines() if "= nn." in line] == [
        "self.a = nn.Conv2d(4, 6, 3, stride=2, padding=1)",
        "self.b = nn.Conv2d(4, 6, 2, dilation=2, groups=2)",
        "self.c = nn.BatchNorm2d(4, eps=0.001, momentum=0.01, affine=False)",
        "self.d = nn.BatchNorm1d(4)",
        "self.e = nn.Linear(5, 3, bias=False)",
    ]


def test_padding_follows_a_kernel_that_varies() -> None:
    """Where it is the usual one; a block with another padding is a class of its own."""
    sketch = Sketch("kernels")
    x = sketch.input("x", 4, 8, 8)
    parts = []
    for i, (size, padding) in enumerate((((1, 5), (0, 2)), ((3, 1), (1, 0)), ((3, 3), (0, 0)))):
        with sketch.block(f"unit[{i}]", "unit"):
            out = (8, 8) if padding != (0, 0) else (6, 6)
            weights = [WeightSpec("kernel", (4, 4, *size), ("kaiming_uniform",))]
            settings = {"stride": (1, 1), "dilation": (1, 1), "groups": 1, "bias": False, "padding": padding}
            shape = (*sketch.shape(x)[:2], *out)
            made = sketch.apply("conv2d_rect", x, output=shape, weights=weights, out=4, kernel=size, **settings)
            parts.append(sketch.relu(made))
    source = same(sketch.graph(**{f"y{i}": part for i, part in enumerate(parts)}), torch.randn(2, 4, 8, 8))
    lines = [line.strip() for line in source.splitlines()]
    formula = "4, 4, kernel, padding=((kernel[0] - 1) // 2, (kernel[1] - 1) // 2), bias=False"
    assert formula in lines
    assert "self.conv2d_rect_1 = nn.Conv2d(4, 4, (3, 3), bias=False)" in lines


def test_helpers_and_modes() -> None:
    sketch = Sketch("helpers")
    x = sketch.input("tokens", 6, 8)
    shape = sketch.shape(x)
    y = sketch.apply("attention", x, x, x, output=shape, heads=2)
    y = sketch.apply("drop_path", y, output=shape, rate=0.25)
    y = sketch.add(x, sketch.apply("dropout", y, output=shape, rate=0.5))
    source = same(sketch.graph(y), torch.randn(2, 6, 8))
    assert "def attention(" in source
    assert "attention(tokens, tokens, tokens, heads=2)" in source
    assert "drop_path(y, rate=0.25, training=self.training)" in source
    assert "F.dropout(y, 0.5, self.training)" in source


def test_parameters_that_forward_reads() -> None:
    sketch = Sketch("reading")
    x = sketch.input("x", 4, 8, 8)
    for i, kernel in enumerate((3, 5)):
        with sketch.block(f"unit[{i}]", "unit"):
            x = sketch.add(sketch.conv2d(x, 4, site="kernel"), sketch.avg_pool2d(x, kernel))
    source = same(sketch.graph(x), torch.randn(2, 4, 8, 8))
    assert "def __init__(self, kernel: int, padding: int) -> None:" in source
    assert "self.kernel_2 = kernel" in source
    assert "F.avg_pool2d(x, self.kernel_2, stride=1, padding=self.padding" in source


def test_children_whose_names_are_numbers() -> None:
    sketch = Sketch("numbered")
    x = sketch.input("x", 4, 8, 8)
    for pick in (0, 3):
        with sketch.block(f"edge#{pick}", "edge"), sketch.block(f":{pick}", "unit"):
            x = relu_conv_bn(sketch, x, 4, 3)
    source = same(sketch.graph(x), torch.randn(2, 4, 8, 8))
    assert 'self.add_module("3", Unit())' in source
    assert 'return self.get_submodule("3")(x)' in source


def test_blocks_with_several_results() -> None:
    sketch = Sketch("several")
    x = sketch.input("x", 4)
    with sketch.block("split", "halves"):
        a, b = sketch.linear(x, 3), sketch.linear(x, 3)
    source = same(sketch.graph(sketch.add(sketch.relu(a), b)), torch.randn(2, 4))
    assert "def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:" in source
    assert "split, split_2 = self.split(x)" in source


@pytest.mark.parametrize("name", ["torch", "F", "Conv2d", "class", "2d net", ""])
def test_awkward_names(name: str) -> None:
    sketch = Sketch(name)
    x = sketch.input("self", 4, 8, 8)
    with sketch.block("F", "conv2d"):
        x = relu_conv_bn(sketch, x, 4, 3)
    with sketch.block("torch", 'a "quoted" \\ name'):
        y = relu_conv_bn(sketch, x, 4, 3)
    same(sketch.graph(sketch.concat(x, y)), torch.randn(2, 4, 8, 8))
