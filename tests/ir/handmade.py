"""Graphs made by hand, op by op, without the language: for tests of the IR alone."""

from __future__ import annotations

from archlang.ir.graph import Attribute, Graph, Input, Node, Operation, Output, WeightSpec
from archlang.ir.types import Dim, SymbolicDim, TensorType

BATCH = SymbolicDim("n")


class Sketch:
    """A graph in the making. Methods apply an op and return the number of its value."""

    def __init__(self, name: str = "sketch"):
        self.name = name
        self.inputs: list[Input] = []
        self.nodes: list[Node] = []
        self._frozen_inputs = 0

    def input(self, *shape: Dim, dtype: str = "f32", name: str | None = None) -> int:
        assert not self.nodes, "inputs come before nodes"
        self.inputs.append(Input(name or f"x{len(self.inputs)}", TensorType(dtype, (BATCH, *shape))))
        return len(self.inputs) - 1

    def type_of(self, value: int) -> TensorType:
        count = len(self.inputs)
        return self.inputs[value].type if value < count else self.nodes[value - count].operation.output

    def apply(
        self,
        op: str,
        *values: int,
        output: TensorType | None = None,
        weights: tuple[WeightSpec, ...] = (),
        costs: dict[str, int] | None = None,
        traits: str = "",
        address: str | None = None,
        weights_at: str | None = None,
        **attributes: Attribute,
    ) -> int:
        inputs = tuple(self.type_of(value) for value in values)
        operation = Operation(
            op,
            tuple(attributes.items()),
            inputs,
            output or inputs[0],
            weights,
            tuple((costs or {}).items()),
            frozenset(traits.split()),
        )
        address = address or f"{op}#{len(self.nodes) + 1}"
        self.nodes.append(Node(address, operation, values, weights_at or address))
        return len(self.inputs) + len(self.nodes) - 1

    def conv2d(
        self,
        value: int,
        out: int,
        kernel: int = 3,
        stride: int = 1,
        address: str | None = None,
        weights_at: str | None = None,
    ) -> int:
        _, channels, height, width = (int(str(dim)) if isinstance(dim, int) else 1 for dim in self.type_of(value).shape)
        height, width = height // stride, width // stride
        return self.apply(
            "conv2d",
            value,
            output=TensorType("f32", (BATCH, out, height, width)),
            weights=(WeightSpec("kernel", (out, channels, kernel, kernel), ("kaiming_uniform",)),),
            costs={"macs": out * height * width * channels * kernel**2},
            address=address,
            weights_at=weights_at,
            out=out,
            kernel=kernel,
            stride=stride,
        )

    def batch_norm(self, value: int, address: str | None = None) -> int:
        channels = int(str(self.type_of(value).shape[1]))
        weights = (
            WeightSpec("scale", (channels,), ("ones",)),
            WeightSpec("shift", (channels,)),
            WeightSpec("mean", (channels,), trained=False),
            WeightSpec("variance", (channels,), ("ones",), trained=False),
        )
        return self.apply("batch_norm", value, weights=weights, address=address, momentum=0.1, eps=1e-5)

    def linear(self, value: int, out: int, address: str | None = None, weights_at: str | None = None) -> int:
        features = int(str(self.type_of(value).shape[-1]))
        return self.apply(
            "linear",
            value,
            output=TensorType("f32", (*self.type_of(value).shape[:-1], out)),
            weights=(WeightSpec("weight", (out, features), ("kaiming_uniform",)), WeightSpec("bias", (out,))),
            costs={"macs": out * features},
            address=address,
            weights_at=weights_at,
            out=out,
        )

    def relu(self, value: int) -> int:
        return self.apply("relu", value, traits="elementwise")

    def identity(self, value: int) -> int:
        return self.apply("identity", value, traits="identity elementwise")

    def dropout(self, value: int, rate: float = 0.5) -> int:
        return self.apply("dropout", value, traits="stochastic elementwise" + ("" if rate else " identity"), rate=rate)

    def zero(self, value: int) -> int:
        return self.apply("zero", value, traits="elementwise")

    def add(self, first: int, second: int) -> int:
        return self.apply("add", first, second, traits="commutative elementwise")

    def sub(self, first: int, second: int) -> int:
        return self.apply("sub", first, second, traits="elementwise")

    def concat(self, *values: int) -> int:
        shapes = [self.type_of(value).shape for value in values]
        channels = sum(int(str(shape[1])) for shape in shapes)
        return self.apply("concat", *values, output=TensorType("f32", (BATCH, channels, *shapes[0][2:])), axis=1)

    def avg_pool2d(self, value: int, kernel: int = 3) -> int:
        return self.apply("avg_pool2d", value, kernel=kernel, stride=1)

    def global_avg_pool(self, value: int) -> int:
        return self.apply("global_avg_pool", value, output=TensorType("f32", self.type_of(value).shape[:2]))

    def graph(self, output: int | dict[str, int], blocks: dict[str, str] | None = None) -> Graph:
        """The graph of one output, or of several by name."""
        named = output if isinstance(output, dict) else {"": output}
        results = [Output(name, value) for name, value in named.items()]
        return Graph(self.name, tuple(self.inputs), tuple(self.nodes), tuple(results), blocks or {})


def nasbench201_cell(sketch: Sketch, value: int, ops: str, channels: int) -> int:
    """A cell, `ops` as six digits for the edges 1<-0, 2<-0, 2<-1, 3<-0, 3<-1, 3<-2."""

    def edge(value: int, op: str) -> int:
        match op:
            case "0":
                return sketch.zero(value)
            case "1":
                return sketch.identity(value)
            case "2":
                return sketch.batch_norm(sketch.conv2d(sketch.relu(value), channels, 1))
            case "3":
                return sketch.batch_norm(sketch.conv2d(sketch.relu(value), channels, 3))
            case _:
                return sketch.avg_pool2d(value)

    first = edge(value, ops[0])
    second = sketch.add(edge(value, ops[1]), edge(first, ops[2]))
    return sketch.add(sketch.add(edge(value, ops[3]), edge(first, ops[4])), edge(second, ops[5]))


def nasbench201(ops: str, channels: int = 16, repeats: int = 5, classes: int = 10) -> Graph:
    """The whole network of a NAS-Bench-201 cell (without block addresses)."""
    sketch = Sketch("nasbench201")
    value = sketch.input(3, 32, 32, name="image")
    value = sketch.batch_norm(sketch.conv2d(value, channels))
    for stage in range(3):
        width = channels * 2**stage
        if stage:
            inner = sketch.batch_norm(sketch.conv2d(sketch.relu(value), width, 3, 2))
            inner = sketch.batch_norm(sketch.conv2d(sketch.relu(inner), width))
            pooled = sketch.apply(
                "avg_pool2d",
                value,
                output=TensorType("f32", (BATCH, width // 2, 32 // 2**stage, 32 // 2**stage)),
                kernel=2,
                stride=2,
            )
            value = sketch.add(inner, sketch.conv2d(pooled, width, 1))
        for _ in range(repeats):
            value = nasbench201_cell(sketch, value, ops, width)
    value = sketch.global_avg_pool(sketch.relu(sketch.batch_norm(value)))
    return sketch.graph(sketch.linear(value, classes))
