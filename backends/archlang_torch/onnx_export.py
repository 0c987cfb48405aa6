"""From a built network to an ONNX file in which everything has the program's names.

    graph + weights ──a module of one child a node──▶ torch.onnx ──fold, name──▶ file

The network's own blocks are dissolved: an ONNX node then tells which node of the program it is of.
"""

from __future__ import annotations

import ast
import logging
import os
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import attrs
import torch
from torch import Tensor, nn

from archlang import __version__
from archlang.backend import Array, unsupported_error
from archlang.diagnostics import ArchError, error
from archlang.ir.graph import Graph, Input, Node, Output
from archlang.ir.types import SymbolicDim, TensorType
from archlang_torch.building import DTYPES, build, parameter_names

if TYPE_CHECKING:
    from pathlib import Path

SCOPES = "pkg.torch.onnx.name_scopes"
CHILD = "node_"


def export_onnx(graph: Graph, weights: Mapping[str, Array], path: Path | str) -> None:
    """Write the graph with these weights, by address, as an ONNX model for inference.

    Inputs, outputs and symbolic dimensions have their names in the program, a bare output is
    `output` (with `_` where an input or weight has the name); initialisers that are weights have
    their addresses, and a node's name begins with the address of the op that it is of. Raises
    ArchError: E0801 without onnx and onnxscript, E0803 naming the ops that cannot be exported,
    E0806 when the file cannot be written.
    """
    require("exporting to ONNX", "onnx", "onnxscript")
    try:
        program = _exported(graph, weights)
    except torch.onnx.OnnxExporterError as failure:
        refused = _refused(graph, weights)
        if not refused:
            raise  # no op is to blame: a bug
        raise unsupported_error("torch", refused) from failure
    _name(program.model, graph)
    try:
        program.save(os.fspath(path))
    except OSError as failure:
        raise ArchError(error("E0806", f"cannot write `{path}`: {failure.strerror}")) from failure


def require(what: str, *packages: str) -> None:
    """ArchError (E0801) when what is to be done needs a package that is not installed."""
    for package in packages:
        try:
            __import__(package)
        except ModuleNotFoundError as missing:
            raise ArchError(
                error(
                    "E0801",
                    f"{what} needs `{missing.name}`, which is not installed",
                    hints=("install it with `pip install archlang[onnx]`",),
                )
            ) from missing


# ---------------------------------------------------------------- exporting


class _Flat(nn.Module):
    """A graph run node by node, each a child of its own."""

    def __init__(self, graph: Graph, weights: Mapping[str, Array]) -> None:
        super().__init__()
        self._graph = graph
        for number, node in enumerate(graph.nodes):
            self.add_module(f"{CHILD}{number}", _single(node, weights))

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        values = list(inputs)
        for node, child in zip(self._graph.nodes, self.children(), strict=True):
            values.append(child(*[values[i] for i in node.inputs]))
        found: list[Tensor] = []
        for output in self._graph.outputs:
            value = values[output.value]
            # In ONNX an output is neither an input nor another output.
            found.append(value.clone() if any(value is other for other in (*inputs, *found)) else value)
        return tuple(found)


def _single(node: Node, weights: Mapping[str, Array]) -> nn.Module:
    """The network of one node, with its weights."""
    graph = _alone(node)
    network = build(graph)
    state = network.state_dict(keep_vars=True)
    with torch.no_grad():
        for address, name in parameter_names(graph).items():
            state[name].copy_(torch.tensor(weights[address]))
    return network


def _alone(node: Node) -> Graph:
    inputs = tuple([Input(f"x{i}", type) for i, type in enumerate(node.operation.inputs)])
    return Graph("single", inputs, (attrs.evolve(node, inputs=tuple(range(len(inputs)))),), (Output("", len(inputs)),))


def _exported(graph: Graph, weights: Mapping[str, Array]) -> torch.onnx.ONNXProgram:
    dims: dict[str, Any] = {}
    shapes = tuple([_dynamic(given.type, dims) for given in graph.inputs])
    with _quiet():
        program = torch.onnx.export(
            _Flat(graph, weights).eval(),
            tuple([_sample(given.type) for given in graph.inputs]),
            dynamic_shapes=(shapes,),
            dynamo=True,
            custom_translation_table={torch.ops.aten.sort.stable: _sorted},
            optimize=False,  # which would put batch norms into convolutions: the weights would be others
            verbose=False,
        )
        assert program is not None
        _fold(program.model)
    return program


def _sorted(x: Any, stable: bool = False, dim: int = -1, descending: bool = False) -> Any:
    """A stable sort, which the exporter does not know: of equal elements TopK gives the first first."""
    from onnxscript import opset20 as op

    size = op.Shape(x, start=dim, end=dim + 1 or None)
    return op.TopK(x, size, axis=dim, largest=descending, sorted=True)


def _sample(type: TensorType) -> Tensor:
    """An example of an input, with two of what is not known."""
    shape = [2 * dim.factor if isinstance(dim, SymbolicDim) else dim for dim in type.shape]
    return torch.zeros(shape, dtype=DTYPES[type.dtype])


def _dynamic(type: TensorType, dims: dict[str, Any]) -> dict[int, Any]:
    """The symbolic dimensions by their positions."""
    found = {}
    for position, dim in enumerate(type.shape):
        if isinstance(dim, SymbolicDim):
            known = dims.setdefault(dim.name, torch.export.Dim(dim.name, min=1))
            found[position] = known if dim.factor == 1 else dim.factor * known
    return found


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's warnings and log lines, which are about its own making."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _refused(graph: Graph, weights: Mapping[str, Array]) -> dict[str, tuple[str, list[str]]]:
    """The ops that cannot be exported by themselves, with addresses."""
    found: dict[str, tuple[str, list[str]]] = {}
    for node in graph.nodes:
        name = node.operation.name
        if name in found:
            found[name][1].append(node.address)
            continue
        try:
            _exported(_alone(node), weights)
        except torch.onnx.OnnxExporterError:
            found[name] = (f"cannot export op `{name}` to ONNX", [node.address])
    return found


# ---------------------------------------------------------------- the ONNX graph


def _fold(model: Any) -> None:
    """Compute what is constant and leave out what is not used; weights stay as they are."""
    from onnxscript import optimizer

    weights = [(value, value.const_value) for value in model.graph.initializers.values()]
    for value, _ in weights:
        value.const_value = None
    optimizer.fold_constants(model)
    for node in model.graph:
        if node.op_type == "Conv":
            _drop_made_up_bias(node)
        elif "ceil_mode" in node.attributes:
            _pad_for_ceil(node)
    for value, data in weights:
        value.const_value = data
    optimizer.remove_unused_nodes(model)


def _drop_made_up_bias(conv: Any) -> None:
    """The exporter gives convolutions without bias one of zeros, of the wrong size in three dimensions."""
    bias = conv.inputs[2].const_value if len(conv.inputs) > 2 else None
    if bias is not None and not bias.numpy().any():
        conv.replace_input_with(2, None)


def _pad_for_ceil(pool: Any) -> None:
    """Padding at the end in place of rounding up: then ONNX counts windows that PyTorch leaves out
    because they would lie in the padding. A mean does not count it; padding that it counts comes before."""
    from onnxscript import ir

    kernel, strides, pads = (pool.attributes[name].as_ints() for name in ("kernel_shape", "strides", "pads"))
    rank = len(kernel)
    given, made = ([int(size) for size in list(value.shape)[-rank:]] for value in (pool.inputs[0], pool.outputs[0]))
    spans = [(made[i] - 1) * strides[i] + kernel[i] - given[i] - pads[i] for i in range(rank)]
    before, after = pads[:rank], [max(0, span) for span in spans]
    del pool.attributes["ceil_mode"]
    if "count_include_pad" in pool.attributes and pool.attributes["count_include_pad"].as_int():
        del pool.attributes["count_include_pad"]
        amounts = ir.node("Constant", [], {"value_ints": [0, 0, *before, 0, 0, *pads[rank:]]})
        padded = ir.node("Pad", [pool.inputs[0], amounts.outputs[0]])
        for node in (amounts, padded):
            node.metadata_props.update(pool.metadata_props)
        pool.prepend([amounts, padded])
        pool.replace_input_with(0, padded.outputs[0])
        before, after = [0] * rank, [max(0, spans[i] - pads[rank + i]) for i in range(rank)]
    pool.attributes["pads"] = ir.AttrInt64s("pads", [*before, *after])


def _name(model: Any, graph: Graph) -> None:
    """Give everything the program's names, and drop the exporter's notes."""
    model.producer_name, model.producer_version = "archlang", __version__
    model.graph.name = graph.name
    taken = {*graph.weights}
    for value, given in zip(model.graph.inputs, graph.inputs, strict=True):
        value.name = _free(given.name, taken)
    for value, output in zip(model.graph.outputs, graph.outputs, strict=True):
        value.name = _free(output.name or "output", taken)
    unnamed = _name_weights(model.graph, graph)
    counts: Counter[str] = Counter()
    for node in model.graph:
        # With `/` and no `.` behind it, which inputs, outputs and weights do not have.
        node.name = f"{_address(node, graph)}/{node.op_type}"
        counts[node.name] += 1
        if counts[node.name] > 1:
            node.name += f"_{counts[node.name]}"
        node.metadata_props.clear()
        for number, value in enumerate(node.outputs):
            value.metadata_props.clear()
            if not value.is_graph_output():
                value.name = node.name if number == 0 else f"{node.name}:{number}"
        for number, value in enumerate(node.inputs):
            if value in unnamed:
                value.name = f"{node.name}/{number}"
                unnamed.remove(value)
    _register(model.graph, model.graph.initializers.values())


def _name_weights(made: Any, graph: Graph) -> set[Any]:
    """Name the weights by their addresses, one for all ties; the other initialisers."""
    addresses = {
        f"{CHILD}{number}.{name}": address
        for number, node in enumerate(graph.nodes)
        for address, name in parameter_names(_alone(node)).items()
    }
    found: dict[str, Any] = {}
    others = []
    given = list(made.initializers.values())
    made.initializers.clear()  # whose keys are the names
    for value in given:
        address = addresses.get(value.name)
        if address is None:
            others.append(value)
            continue
        value.name = address
        first = found.setdefault(address, value)
        if first is not value:
            for user, position in list(value.uses()):
                user.replace_input_with(position, first)
    _register(made, [*found.values(), *others])
    return {*others}


def _register(made: Any, initializers: Iterable[Any]) -> None:
    """Make these the initialisers of the graph, by the names that they now have."""
    given = list(initializers)
    made.initializers.clear()
    for value in given:
        value.const_value.name = value.name
        made.initializers[value.name] = value


def _address(made: Any, graph: Graph) -> str:
    """The address of the program's node that an ONNX node is of; what is of none has the graph's name."""
    for scope in ast.literal_eval(made.metadata_props.get(SCOPES, "[]")):
        head, _, number = scope.partition(".")[0].rpartition("_")
        if f"{head}_" == CHILD and number.isdigit():
            return graph.nodes[int(number)].address
    return graph.name


def _free(name: str, taken: set[str]) -> str:
    """The name, with `_` where it is taken; it then is."""
    while name in taken:
        name += "_"
    taken.add(name)
    return name
