"""A program as a Python file that needs PyTorch alone."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Hashable, Sequence
from inspect import isclass
from typing import Any

from archlang.backend import unsupported_error
from archlang.ir.block_classes import block_classes
from archlang.ir.graph import Graph, Operation
from archlang.ir.raising import raise_blocks
from archlang.ir.types import per_sample
from archlang_torch.block_source import CASTS, BlockSource, special_inits
from archlang_torch.building import DTYPES, refusals
from archlang_torch.lowering import Function, Layer, lowered_ops, lowering
from archlang_torch.names import camel, free_name, identifier
from archlang_torch.source import WIDTH, definitions, imports, laid_out

_TAKEN = frozenset({"F", "nn", "torch", "math", "Tensor", "build"})


def emit(graph: Graph, header: Sequence[str] = ()) -> str:
    """The graph as the text of a Python file.

    The program's blocks are classes, its parameters have the names that they have in a built
    module (so that `load_state_dict` takes the state of one), and `build()` makes the network.
    `header` lines become comments. Raises ArchError (E0803) like `build`.
    """
    refused = refusals(graph)
    if refused:
        raise unsupported_error("torch", refused)
    classes = block_classes(raise_blocks(graph), _slots, _kind)
    taken = set(_TAKEN) | _lowering_names()
    names: dict[str, str] = {}
    for block in reversed(classes):  # the program itself comes first, so that it has its own name
        names[block.name] = free_name(camel(block.name), taken | set(names.values()))
    reserved = frozenset(taken | set(names.values()))
    needed: list[Callable[..., Any]] = []
    texts = []
    for block in classes:
        source = BlockSource(graph, block, names, reserved)
        texts.append(source.text())
        needed += source.needed
    top = names[classes[-1].name]
    parts = [*definitions(needed).values(), *texts, _builder(top), _main(graph, reserved)]
    body = "\n\n\n".join(parts)
    return "\n".join([_head(graph, header), imports(body), "", "", body, ""])


def _slots(operation: Operation) -> tuple[tuple[str, Any], ...]:
    lowered = lowering(operation.name)
    assert lowered is not None, operation.name
    return lowered.slots(operation)


def _kind(operation: Operation) -> Hashable:
    """What operations of one class must agree in, apart from the names of their slots."""
    lowered = lowering(operation.name)
    if not isinstance(lowered, Layer):
        return operation.name
    fans = tuple((weight.name, weight.init, weight.fan_in) for weight in special_inits(operation))
    return operation.name, lowered.rank(operation), fans, CASTS.get(operation.output.dtype)


def _lowering_names() -> set[str]:
    found = set()
    for op in lowered_ops():
        lowered = lowering(op)
        if isinstance(lowered, Layer) and isclass(lowered.factory):
            found.add(lowered.factory.__name__)
        elif isinstance(lowered, Function):
            found.add(lowered.function.__name__)
    return found


def _head(graph: Graph, header: Sequence[str]) -> str:
    name = identifier(graph.name) if graph.name else "network"
    lines = [f'"""The network `{name}`, written by archlang. It needs PyTorch alone."""', ""]
    comments = []
    for entry in header:
        for line in entry.splitlines() or [""]:
            comments += textwrap.wrap(line, WIDTH - 2, subsequent_indent="  ") or [""]
    lines += [f"# {comment}".rstrip() for comment in comments]
    return "\n".join([*lines, ""] if comments else lines)


def _builder(top: str) -> str:
    return f'def build() -> {top}:\n    """The network with fresh weights."""\n    return {top}()'


def _main(graph: Graph, reserved: frozenset[str]) -> str:
    """The part that runs the network once when the file is run."""
    lines = ["network = build().eval()"]
    names: list[str] = []
    for given in graph.inputs:
        name = free_name(identifier(given.name), reserved | {"network", "output", *names})
        names.append(name)
        shape = ", ".join(str(per_sample(dim)) for dim in given.type.shape)
        dtype = DTYPES[given.type.dtype]
        kind = "randn" if dtype.is_floating_point else "zeros"
        typed = "" if given.type.dtype == "f32" else f", dtype={dtype}"
        lines.append(f"{name} = torch.{kind}({shape}{typed})")
    call = f"network({', '.join(names)})"
    text = ['if __name__ == "__main__":']
    for line in lines:
        text += laid_out(line, 4)
    text += ["    with torch.no_grad():", *laid_out(f"output = {call}", 8)]
    if [output.name for output in graph.outputs] == [""]:
        text.append('    print("output:", tuple(output.shape))')
    else:
        text += ["    for name, value in output.items():", '        print(f"{name}:", tuple(value.shape))']
    text.append('    print("parameters:", sum(weight.numel() for weight in network.parameters()))')
    return "\n".join(text)
