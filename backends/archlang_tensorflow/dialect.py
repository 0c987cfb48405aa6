"""What Keras source code looks like."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Sequence

from archlang.ir.graph import Graph, Operation, WeightSpec
from archlang.ir.types import per_sample
from archlang.lowering.declared import Layer
from archlang.lowering.dialect import Dialect
from archlang.lowering.initial import fan_in_bound, fans, kaiming_bound
from archlang.lowering.names import free_name, identifier, plain
from archlang_tensorflow.building import DTYPES, FLOATS
from archlang_tensorflow.lowering import LOWERINGS
from archlang_tensorflow.places import RESERVED


def _within(bound: float) -> str:
    return f"initializers.RandomUniform({-bound!r}, {bound!r})"


# How a weight is initialised that its layer would start otherwise.
INITIALISERS: dict[str, Callable[[WeightSpec], str]] = {
    "zeros": lambda spec: '"zeros"',
    "ones": lambda spec: '"ones"',
    "constant": lambda spec: f"initializers.Constant({spec.init[1]!r})",
    "kaiming_uniform": lambda spec: _within(kaiming_bound(spec)),
    "fan_in_uniform": lambda spec: _within(fan_in_bound(spec)),
    "uniform": lambda spec: f"initializers.RandomUniform({spec.init[1]!r}, {spec.init[2]!r})",
    "normal": lambda spec: f"initializers.RandomNormal({spec.init[1]!r}, {spec.init[2]!r})",
    "trunc_normal": lambda spec: f"initializers.TruncatedNormal({spec.init[1]!r}, {spec.init[2]!r})",
    "kaiming_normal": lambda spec: f"initializers.RandomNormal(0.0, {(2 / fans(spec)[1]) ** 0.5!r})",
    "xavier_uniform": lambda spec: "initializers.GlorotUniform()",
}


class KerasDialect(Dialect):
    """Blocks are `layers.Layer`s, the network a functional model of the outermost one."""

    framework = "Keras"
    base = "layers.Layer"
    method = "call"
    standard = frozenset({"math", "Any", "keras", "np", "initializers", "layers", "ops", "saving"})

    def prepared(self, graph: Graph) -> str:
        # A block that is told nothing makes its inputs single precision.
        alike = all(given.type.dtype in ("f32", "i32", "i64") for given in graph.inputs)
        return "super().__init__()" if alike else "super().__init__(autocast=False)"

    def imports(self, used: Collection[str]) -> list[list[str]]:
        standard = ["import math"] if "math" in used else []
        standard += ["from typing import Any"] if "Any" in used else []
        framework = ["import keras"]
        framework += ["import numpy as np"] if "np" in used else []
        names = sorted({"initializers", "layers", "ops"} & set(used))
        framework += [f"from keras import {', '.join(names)}"] if names else []
        return [standard, framework]

    def keywords(self, lowered: Layer, operation: Operation, inits: Sequence[WeightSpec]) -> dict[str, ast.expr]:
        found = {}
        for spec in inits:
            depthwise = spec.name == "kernel" and operation.name.startswith("depthwise")
            name = "depthwise" if depthwise else lowered.name(spec.name)
            text = INITIALISERS[spec.init[0]](spec)
            found[f"{name}_initializer"] = ast.parse(text, mode="eval").body
        dtype = self.kind(operation)
        return {**found, "dtype": ast.Constant(dtype)} if dtype else found

    def kind(self, operation: Operation) -> str | None:
        dtype = operation.output.dtype
        return FLOATS[dtype] if dtype in FLOATS and dtype != "f32" else None

    def builder(self, top: str, graph: Graph) -> list[tuple[int, str]]:
        lines = [(0, "def build() -> keras.Model:"), (4, '"""The network with fresh weights."""')]
        names: list[str] = []
        for given in graph.inputs:
            name = free_name(identifier(given.name, self.reserved), {*names, "build", *self.standard})
            names.append(name)
            dims = [per_sample(dim) if isinstance(dim, int) else None for dim in given.type.shape]
            batched = dims[:1] == [None]
            shape = tuple(dims[1:]) if batched else tuple(dims)
            first = repr(shape) if batched else f"batch_shape={shape!r}"
            typed = "" if given.type.dtype == "f32" else f', dtype="{DTYPES[given.type.dtype]}"'
            lines.append((4, f'{name} = keras.Input({first}{typed}, name="{given.name}")'))
        inputs = names[0] if len(names) == 1 else f"[{', '.join(names)}]"
        name = plain(graph.name) or "network"
        return [*lines, (4, f'return keras.Model({inputs}, {top}()({", ".join(names)}), name="{name}")')]

    def main(self, graph: Graph, reserved: frozenset[str]) -> list[tuple[int, str]]:
        lines = [(0, 'if __name__ == "__main__":'), (4, "network = build()")]
        names: list[str] = []
        for given in graph.inputs:
            name = free_name(identifier(given.name, self.reserved), reserved | {"network", "output", *names})
            names.append(name)
            shape = tuple([per_sample(dim) for dim in given.type.shape])
            dtype = DTYPES[given.type.dtype]
            kind = "keras.random.normal" if given.type.dtype in FLOATS else "ops.zeros"
            typed = "" if given.type.dtype == "f32" else f', dtype="{dtype}"'
            lines.append((4, f"{name} = {kind}({shape!r}{typed})"))
        inputs = names[0] if len(names) == 1 else f"[{', '.join(names)}]"
        lines.append((4, f"output = network({inputs})"))
        if [output.name for output in graph.outputs] == [""]:
            lines.append((4, 'print("output:", tuple(output.shape))'))
        else:
            lines += [(4, "for name, value in output.items():"), (8, 'print(f"{name}:", tuple(value.shape))')]
        trained = "sum(math.prod(weight.shape) for weight in network.trainable_weights)"
        return [*lines, (4, f'print("parameters:", {trained})')]


KERAS = KerasDialect(LOWERINGS, RESERVED)
