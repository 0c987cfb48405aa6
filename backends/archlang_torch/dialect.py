"""What PyTorch source code looks like."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from archlang.ir.graph import Graph, Operation, WeightSpec
from archlang.ir.types import per_sample
from archlang.lowering.declared import Layer
from archlang.lowering.dialect import Dialect
from archlang.lowering.initial import fan_in_bound
from archlang.lowering.names import free_name, identifier
from archlang_torch.building import DTYPES, RESERVED
from archlang_torch.lowering import LOWERINGS

# Layers are made in single precision; those that are not are converted.
CASTS = {"f16": "float16", "bf16": "bfloat16", "f64": "float64"}

# How a weight is initialised, with `{}` for it.
INITIALISERS: dict[str, Callable[[WeightSpec], str]] = {
    "zeros": lambda spec: "nn.init.zeros_({})",
    "ones": lambda spec: "nn.init.ones_({})",
    "constant": lambda spec: f"nn.init.constant_({{}}, {spec.init[1]!r})",
    "kaiming_uniform": lambda spec: "nn.init.kaiming_uniform_({}, a=math.sqrt(5))",
    "fan_in_uniform": lambda spec: f"nn.init.uniform_({{}}, -{fan_in_bound(spec)!r}, {fan_in_bound(spec)!r})",
    "uniform": lambda spec: f"nn.init.uniform_({{}}, {spec.init[1]!r}, {spec.init[2]!r})",
    "normal": lambda spec: f"nn.init.normal_({{}}, {spec.init[1]!r}, {spec.init[2]!r})",
    "trunc_normal": lambda spec: f"nn.init.trunc_normal_({{}}, {spec.init[1]!r}, {spec.init[2]!r})",
    "kaiming_normal": lambda spec: 'nn.init.kaiming_normal_({}, mode="fan_out", nonlinearity="relu")',
    "xavier_uniform": lambda spec: "nn.init.xavier_uniform_({})",
}


class TorchDialect(Dialect):
    """Blocks are `nn.Module`s; their parameters have the names that they have in a built module, so
    that `load_state_dict` takes the state of one."""

    framework = "PyTorch"
    base = "nn.Module"
    method = "forward"
    annotation = "Tensor"
    standard = frozenset({"math", "torch", "F", "Tensor", "nn"})

    def imports(self, used: Collection[str]) -> list[list[str]]:
        framework = ["import torch"] if "torch" in used else []
        framework += ["import torch.nn.functional as F"] if "F" in used else []
        names = sorted({"Tensor", "nn"} & set(used))
        framework += [f"from torch import {', '.join(names)}"] if names else []
        return [["import math"] if "math" in used else [], framework]

    def list_of(self, items: str) -> str:
        return f"nn.ModuleList({items})"

    def dict_of(self, items: str) -> str:
        return f"nn.ModuleDict({items})"

    def add_child(self, name: str, made: str) -> str:
        return f"self.{name} = {made}" if name.isidentifier() else f'self.add_module("{name}", {made})'

    def child(self, name: str) -> str:
        return f"self.{name}" if name.isidentifier() else f'self.get_submodule("{name}")'

    def statements(self, lowered: Layer, place: str, inits: Sequence[WeightSpec]) -> list[str]:
        return [INITIALISERS[spec.init[0]](spec).format(f"{place}.{lowered.name(spec.name)}") for spec in inits]

    def cast(self, made: str, operation: Operation) -> str:
        dtype = self.kind(operation)
        return f"{made}.to(torch.{dtype})" if dtype else made

    def kind(self, operation: Operation) -> str | None:
        return CASTS.get(operation.output.dtype)

    def builder(self, top: str, graph: Graph) -> list[tuple[int, str]]:
        head = f"def build() -> {top}:"
        return [(0, head), (4, '"""The network with fresh weights."""'), (4, f"return {top}()")]

    def main(self, graph: Graph, reserved: frozenset[str]) -> list[tuple[int, str]]:
        lines = [(0, 'if __name__ == "__main__":'), (4, "network = build().eval()")]
        names: list[str] = []
        for given in graph.inputs:
            name = free_name(identifier(given.name, self.reserved), reserved | {"network", "output", *names})
            names.append(name)
            shape = ", ".join(str(per_sample(dim)) for dim in given.type.shape)
            dtype = DTYPES[given.type.dtype]
            kind = "randn" if dtype.is_floating_point else "zeros"
            typed = "" if given.type.dtype == "f32" else f", dtype={dtype}"
            lines.append((4, f"{name} = torch.{kind}({shape}{typed})"))
        lines += [(4, "with torch.no_grad():"), (8, f"output = network({', '.join(names)})")]
        if [output.name for output in graph.outputs] == [""]:
            lines.append((4, 'print("output:", tuple(output.shape))'))
        else:
            lines += [(4, "for name, value in output.items():"), (8, 'print(f"{name}:", tuple(value.shape))')]
        return [*lines, (4, 'print("parameters:", sum(weight.numel() for weight in network.parameters()))')]


TORCH = TorchDialect(LOWERINGS, RESERVED)
