"""What numpy source code looks like: blocks are functions."""

from __future__ import annotations

import builtins
import json
from collections.abc import Collection
from pathlib import Path
from types import ModuleType

import numpy as np

from archlang.ir.block_classes import BlockClass
from archlang.ir.graph import Graph, Operation
from archlang.ir.types import per_sample
from archlang.lowering.dialect import Dialect
from archlang.lowering.names import free_name, identifier
from archlang.lowering.source import own_source
from archlang_numpy import ops
from archlang_numpy.lowering import DTYPES, LOWERINGS, Array

Weights = dict[str, Array]
WEIGHTS, AT, INDEX = "w", "at", "i"  # what functions call the weights, their address and a loop's index
SHOW_ONE = ((4, 'print("output:", output.shape)'), (4, "print(output)"))
SHOW_ALL = (
    (4, "for name, value in output.items():"),
    (8, 'print(f"{name}:", value.shape)'),
    (8, "print(value)"),
)


def load(path: str) -> Weights:
    """The weights of a .safetensors file by address."""
    types = {"F64": "f8", "F32": "f4", "F16": "f2", "BOOL": "?", "U8": "u1"}
    types |= {"I64": "i8", "I32": "i4", "I16": "i2", "I8": "i1"}
    data = Path(path).read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    weights = {}
    for address, entry in json.loads(data[8:start]).items():
        if address != "__metadata__":
            first, last = [start + offset for offset in entry["data_offsets"]]
            flat = np.frombuffer(data[first:last], f"<{types[entry['dtype']]}")
            weights[address] = flat.reshape(entry["shape"])
    return weights


class NumpyDialect(Dialect):
    """Blocks are functions of arrays and of all weights by address, with the block's own address
    where they look weights up. The whole network is `network`."""

    framework = "numpy"
    annotation = "Array"
    standard = frozenset({"json", "math", "np", "sys", "Path", "Array", "Weights"})
    called = frozenset(
        {load.__name__, "main", WEIGHTS, AT, INDEX, *dir(builtins)}.union(
            *(vars(module) for module in vars(ops).values() if isinstance(module, ModuleType))
        )
    )

    def class_name(self, block: BlockClass) -> str:
        name = identifier(block.name) if block.example.address else "network"
        return f"block_{name}" if name[0].isdigit() else name

    def kind(self, operation: Operation) -> str | None:
        return " ".join(weight.name for weight in operation.weights)

    def imports(self, used: Collection[str]) -> list[list[str]]:
        library = [f"import {name}" for name in ("json", "math", "sys") if name in used]
        library.append("from pathlib import Path")
        return [library, ["import numpy as np"], ["Array = np.ndarray", "Weights = dict[str, Array]"]]

    def builder(self, top: str, graph: Graph) -> list[tuple[int, str]]:
        """`load`, and `main` that runs the network once."""
        names: list[str] = []
        made = []
        for given in graph.inputs:
            names.append(free_name(identifier(given.name), {"given", "output", "name", "value", *self.called, *names}))
            shape = tuple([per_sample(dim) for dim in given.type.shape])
            made.append((4, f'{names[-1]} = np.zeros({shape}, "{np.dtype(DTYPES[given.type.dtype]).name}")'))
        files = " ".join(f"[{name}.npy]" for name in names)
        single = [output.name for output in graph.outputs] == [""]
        return [
            *((0, line) for line in [*own_source(load).splitlines(), "", ""]),
            (0, "def main() -> None:"),
            (4, "if len(sys.argv) < 2:"),
            (8, f'sys.exit(f"usage: python {{sys.argv[0]}} weights.safetensors {files}")'),
            *made,
            (4, f"given = [np.load(path) for path in sys.argv[2:]] or [{', '.join(names)}]"),
            (4, f"output = {top}(*given, load(sys.argv[1]))"),
            *(SHOW_ONE if single else SHOW_ALL),
        ]

    def main(self, graph: Graph, reserved: frozenset[str]) -> list[tuple[int, str]]:
        return [(0, 'if __name__ == "__main__":'), (4, "main()")]


NUMPY = NumpyDialect(LOWERINGS)
