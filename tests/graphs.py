"""Graphs built by hand, as the evaluator builds them from the standard library's declarations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from archlang.ir.graph import Graph, Input, Node, Operation, Output, WeightSpec
from archlang.ir.types import Dim, SymbolicDim, TensorType

BATCH = SymbolicDim("n")


class Sketch:
    """Collects inputs and applications; `with sketch.block("cell[0]", "cell")` opens a frame."""

    def __init__(self, name: str = "sketch") -> None:
        self.name = name
        self.inputs: list[Input] = []
        self.nodes: list[Node] = []
        self.blocks: dict[str, str] = {}
        self.path = ""
        self.home = ""
        self._sites: dict[str, int] = {}
        self._operations: dict[Operation, Operation] = {}

    def input(self, name: str, *shape: Dim, dtype: str = "f32") -> int:
        assert not self.nodes, "inputs come before nodes"
        self.inputs.append(Input(name, TensorType(dtype, (BATCH, *shape))))
        return len(self.inputs) - 1

    def type(self, value: int) -> TensorType:
        count = len(self.inputs)
        return self.inputs[value].type if value < count else self.nodes[value - count].operation.output

    def shape(self, value: int) -> tuple[Any, ...]:
        return self.type(value).shape

    @contextmanager
    def block(self, site: str, name: str, home: str | None = None) -> Iterator[None]:
        """A frame at `site` (relative, `:label` and `[i]` join without a slash); `home` is the
        absolute address of its weights where they are tied."""
        before = self.path, self.home
        self.path = self._join(self.path, site)
        self.home = self._join(self.home, site) if home is None else home
        self.blocks[self.path] = name
        yield
        self.path, self.home = before

    @staticmethod
    def _join(path: str, site: str) -> str:
        return site if not path else path + site if site[0] in ":[" else f"{path}/{site}"

    def apply(
        self,
        op: str,
        *inputs: int,
        output: Sequence[Dim],
        weights: Sequence[WeightSpec] = (),
        site: str | None = None,
        dtype: str | None = None,
        **attributes: Any,
    ) -> int:
        """Apply an op whose output has the given shape; sites of one name are numbered."""
        if site is None:
            address = self._join(self.path, op)
            count = self._sites[address] = self._sites.get(address, 0) + 1
            site = f"{op}#{count}"
        types = tuple(self.type(value) for value in inputs)
        result = TensorType(dtype or types[0].dtype, tuple(output))
        made = Operation(op, tuple(attributes.items()), types, result, tuple(weights))
        operation = self._operations.setdefault(made, made)
        home = self._join(self.home, site)
        self.nodes.append(Node(self._join(self.path, site), operation, inputs, home))
        return len(self.inputs) + len(self.nodes) - 1

    def graph(self, *outputs: int, **named: int) -> Graph:
        results = [Output("", value) for value in outputs] + [Output(name, value) for name, value in named.items()]
        return Graph(self.name, tuple(self.inputs), tuple(self.nodes), tuple(results), dict(self.blocks))

    # ------------------------------------------------------------ ops

    def conv2d(
        self,
        x: int,
        out: int,
        kernel: int = 3,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = False,
        padding: int | None = None,
        site: str | None = None,
    ) -> int:
        n, c, h, w = self.shape(x)
        padding = dilation * (kernel - 1) // 2 if padding is None else padding
        oh, ow = ((size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1 for size in (h, w))
        fan_in = c // groups * kernel**2
        weights = [WeightSpec("kernel", (out, c // groups, kernel, kernel), ("kaiming_uniform",), True, fan_in)]
        if bias:
            weights.append(WeightSpec("bias", (out,), ("fan_in_uniform",), True, fan_in))
        return self.apply(
            "conv2d",
            x,
            output=(n, out, oh, ow),
            weights=weights,
            site=site,
            out=out,
            kernel=kernel,
            stride=stride,
            dilation=dilation,
            groups=groups,
            bias=bias,
            padding=padding,
        )

    def linear(self, x: int, out: int, bias: bool = True, site: str | None = None) -> int:
        *lead, c = self.shape(x)
        weights = [WeightSpec("kernel", (out, c), ("kaiming_uniform",), True, c)]
        if bias:
            weights.append(WeightSpec("bias", (out,), ("fan_in_uniform",), True, c))
        return self.apply("linear", x, output=(*lead, out), weights=weights, site=site, out=out, bias=bias)

    def batch_norm(
        self, x: int, momentum: float = 0.1, eps: float = 1e-5, affine: bool = True, site: str | None = None
    ) -> int:
        c = self.shape(x)[1]
        weights = [WeightSpec("scale", (c,), ("ones",)), WeightSpec("bias", (c,))] if affine else []
        weights += [WeightSpec("mean", (c,), trained=False), WeightSpec("variance", (c,), ("ones",), trained=False)]
        return self.apply(
            "batch_norm",
            x,
            output=self.shape(x),
            weights=weights,
            site=site,
            momentum=momentum,
            eps=eps,
            affine=affine,
        )

    def relu(self, x: int) -> int:
        return self.apply("relu", x, output=self.shape(x))

    def identity(self, x: int) -> int:
        return self.apply("identity", x, output=self.shape(x))

    def zero(self, x: int) -> int:
        return self.apply("zero", x, output=self.shape(x), stride=1)

    def avg_pool2d(self, x: int, kernel: int = 3, stride: int = 1, padding: int | None = None) -> int:
        n, c, h, w = self.shape(x)
        padding = kernel // 2 if padding is None else padding
        oh, ow = ((size + 2 * padding - kernel) // stride + 1 for size in (h, w))
        return self.apply(
            "avg_pool2d",
            x,
            output=(n, c, oh, ow),
            kernel=kernel,
            stride=stride,
            padding=padding,
            count_padding=False,
        )

    def global_avg_pool(self, x: int) -> int:
        return self.apply("global_avg_pool", x, output=self.shape(x)[:2])

    def add(self, *xs: int) -> int:
        return self.apply("add", *xs, output=self.shape(xs[0]))

    def concat(self, *xs: int, axis: int = 1) -> int:
        shape = list(self.shape(xs[0]))
        shape[axis] = sum(self.shape(x)[axis] for x in xs)
        return self.apply("concat", *xs, output=shape, axis=axis)


# ---------------------------------------------------------------- programs


def relu_conv_bn(sketch: Sketch, x: int, out: int, kernel: int, stride: int = 1) -> int:
    """ReLU, convolution, batch norm, in the frame that is open."""
    return sketch.batch_norm(sketch.conv2d(sketch.relu(x), out, kernel, stride, site="conv2d"), site="batch_norm")


def _edge(sketch: Sketch, x: int, number: int, op: str) -> int:
    channels = sketch.shape(x)[1]
    with sketch.block(f"edge#{number}", "edge"):
        if op in ("conv1", "conv3"):
            with sketch.block(f":{op}", "relu_conv_bn"):
                return relu_conv_bn(sketch, x, channels, int(op[-1]))
        path = sketch.path
        sketch.path = f"{path}:{op}"
        applied = {"none": sketch.zero, "skip": sketch.identity, "pool3": sketch.avg_pool2d}[op](x)
        sketch.path = path
        return applied


def _resnet_basic(sketch: Sketch, x: int, out: int) -> int:
    with sketch.block("first", "relu_conv_bn"):
        y = relu_conv_bn(sketch, x, out, 3, 2)
    with sketch.block("second", "relu_conv_bn"):
        y = relu_conv_bn(sketch, y, out, 3)
    return sketch.add(y, sketch.conv2d(sketch.avg_pool2d(x, 2, 2, 0), out, 1, site="shortcut"))


def nasbench201(
    ops: Sequence[str] = ("conv3", "conv1", "skip", "pool3", "none", "conv3"),
    channels: int = 16,
    repeats: int = 5,
    classes: int = 10,
) -> Graph:
    """The network of a NAS-Bench-201 cell: operations of the edges 1<-0, 2<-0, 2<-1, 3<-0, ..."""
    sketch = Sketch("nasbench201")
    x = sketch.batch_norm(sketch.conv2d(sketch.input("image", 3, 32, 32), channels, site="conv2d"))
    for stage in range(3):
        if stage:
            with sketch.block(f"resnet_basic#{stage}", "resnet_basic"):
                x = _resnet_basic(sketch, x, channels * 2**stage)
        for repeat in range(repeats):
            with sketch.block(f"shared#{stage + 1}[{repeat}]", "cell"):
                a = _edge(sketch, x, 1, ops[0])
                b = sketch.add(_edge(sketch, x, 2, ops[1]), _edge(sketch, a, 3, ops[2]))
                x = sketch.add(
                    sketch.add(_edge(sketch, x, 4, ops[3]), _edge(sketch, a, 5, ops[4])), _edge(sketch, b, 6, ops[5])
                )
    x = sketch.linear(sketch.global_avg_pool(sketch.relu(sketch.batch_norm(x))), classes)
    return sketch.graph(x)
