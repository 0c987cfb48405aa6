"""From the nodes of a file to its graph."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import attrs
import numpy as np
import onnx
import torch
from onnx import helper
from onnx.reference import ReferenceEvaluator
from torch import Tensor

import archlang_torch.capture.onnx.nodes
import archlang_torch.capture.rules  # noqa: F401  # registers them, as the line above does
from archlang.conversion.builder import GraphBuilder
from archlang.conversion.captured import Captured
from archlang.conversion.data import Data, Unsupported
from archlang.diagnostics import ArchError, error
from archlang_torch.building import DTYPES
from archlang_torch.capture.onnx.file import OnnxFile, array_of, invalid, is_parameter, subgraphs
from archlang_torch.capture.onnx.lowerer import NODES, Call, OnnxLowerer, shortest
from archlang_torch.capture.onnx.patterns import PATTERNS
from archlang_torch.capture.onnx.places import Places
from archlang_torch.capture.values import Known, Pending

_BATCH = 2  # the samples that a file for any number, or for one, is followed with
_LARGEST = 2**28  # elements of a constant that is computed: more is no constant that anybody meant

# What only moves elements, so that which element of a parameter each is can be followed.
_MOVES = frozenset(
    [
        "Transpose",
        "Reshape",
        "Flatten",
        "Squeeze",
        "Unsqueeze",
        "Slice",
        "Split",
        "Gather",
        "Expand",
        "Identity",
        "Tile",
    ]
)
_RANDOM = ("Random", "Bernoulli", "Multinomial")
_GROWING = {"ConstantOfShape": 0, "Expand": 1}  # which input is the shape that they give


def captured(file: OnnxFile, shapes: Sequence[Sequence[int]], name: str) -> Captured:
    """The file as a graph, for inputs of these sizes for each sample; ArchError (E0811) for all that has no op."""
    walk = _Walk(file, name)
    walk.begin(shapes)
    try:
        walk.through(file.model.graph.node)
        walk.refuse()
        return walk.captured()
    except Exception:
        file.require_shapes()  # it may be the file that is wrong
        raise


class _Refused:
    """What cannot be had, because a node before it could not be expressed."""


class _Walk:
    def __init__(self, file: OnnxFile, name: str):
        self._file = file
        told = file.batch or _BATCH
        self._lowerer = OnnxLowerer(GraphBuilder(name), _BATCH if told == 1 else told, told, PATTERNS)
        self._places = Places(file.model, name)
        self._values: dict[str, Any] = {"": None}
        self._refusals: dict[tuple[str, str], list[str]] = {}
        self._used = file.used()

    def begin(self, shapes: Sequence[Sequence[int]]) -> None:
        """The values of the inputs and initialisers."""
        lowerer, parameters = self._lowerer, self._file.parameters()
        for given, shape in zip(self._file.inputs, shapes, strict=True):
            self._values[given.name] = lowerer.data(lowerer.builder.input(given.name, given.dtype, shape))
        self._values |= lowerer.tied(
            {name: Known.parameter(torch.from_numpy(array.copy())) for name, array in parameters.items()}
        )
        for tensor in self._file.model.graph.initializer:
            if tensor.name not in parameters:
                self._values[tensor.name] = Known(_tensor(array_of(tensor)))

    def through(self, nodes: Sequence[onnx.NodeProto]) -> None:
        for node in nodes:
            try:
                found = self._node(node)
            except Unsupported as refusal:
                self._refusals.setdefault((node.op_type, str(refusal)), []).append(node.name or node.output[0])
                found = [_Refused()] * len(node.output)
            for name, value in zip(node.output, found, strict=False):
                self._values[name] = value

    def refuse(self) -> None:
        """ArchError (E0811) that tells all that could not be expressed, each kind once."""
        outputs = [(o.name, self._values[o.name]) for o in self._file.model.graph.output]
        for name, value in outputs:
            if isinstance(value, Pending):
                self._refusals.setdefault((value.made[0], str(value.node)), []).append(name)
        if self._refusals:
            raise ArchError([_refusal(op, reason, names) for (op, reason), names in self._refusals.items()])

    def captured(self) -> Captured:
        builder = self._lowerer.builder
        found = []
        self._lowerer.at = self._lowerer.around = ()
        for output in self._file.model.graph.output:
            value = self._values[output.name]
            if isinstance(value, Data):
                try:
                    found.append((_label(output.name), self._lowerer.plain(value)))
                except Unsupported as refusal:
                    raise ArchError(error("E0811", f"the output `{output.name}` is {refusal}")) from refusal
            else:
                builder.notes.append(f"the output `{output.name}` is always the same, and left out")
        if not found:
            raise ArchError(error("E0811", "the file gives no tensor that its inputs decide"))
        labels = [label for label, _ in found] if len(found) > 1 else [""]
        made = builder.captured([(label, value) for label, (_, value) in zip(labels, found, strict=True)])
        data = [o.name for o in self._file.model.graph.output if isinstance(self._values[o.name], Data)]
        return attrs.evolve(made, outputs=tuple(data))

    # -------------------------------------------------------------- nodes

    def _node(self, node: onnx.NodeProto) -> Sequence[Any]:
        if node.domain not in ("", "ai.onnx"):
            raise Unsupported(f"`{node.op_type}` of the domain `{node.domain}`, whose meaning ONNX does not define")
        given = [self._values[name] for name in node.input]
        if any(isinstance(x, _Refused) for x in given):
            return [_Refused()] * len(node.output)
        if node.op_type == "If":
            return self._branch(node, given[0])
        if subgraphs(node):
            raise Unsupported(f"`{node.op_type}`, which repeats a part as its inputs say")
        if node.op_type.startswith(_RANDOM):
            raise Unsupported(f"`{node.op_type}`, whose results are random")
        attributes = {attribute.name: _attribute(attribute) for attribute in node.attribute}
        outputs = [bool(name) and (i == 0 or name in self._used) for i, name in enumerate(node.output)]
        call = Call(node.op_type, node.name, attributes, self._file.opset, len(outputs) - outputs[::-1].index(True))
        if node.op_type in ("Shape", "Size") and isinstance(given[0], Data):
            return [self._shape(call, given[0])]
        if node.op_type == "CastLike" and isinstance(given[0], Known) and isinstance(given[1], Data):
            return [_cast(given[0], self._lowerer.builder.type(given[1].value).dtype)]
        if not any(isinstance(x, Data | Pending) for x in given):
            return self._computed(node, given)
        lowerer = self._lowerer
        lowerer.at, lowerer.around = self._places.of(node)
        rule = NODES.get(node.op_type)
        if rule is None:
            raise Unsupported(f"`{node.op_type}`, for which there is no op")
        try:
            found = rule(lowerer, call, *given)
        except ArchError as refusal:
            raise Unsupported(refusal.diagnostics[0].message) from refusal
        except ValueError as failure:  # weights that do not fit, which onnx does not look at
            raise invalid(self._file.path, f"`{call.name or node.output[0]}` does not fit: {failure}") from failure
        return found if isinstance(found, tuple | list) else [found]

    def _branch(self, node: onnx.NodeProto, condition: Any) -> Sequence[Any]:
        if not isinstance(condition, Known):
            raise Unsupported("`If`, whose branch the values of the inputs decide")
        wanted = "then_branch" if bool(condition.tensor.reshape(-1)[0]) else "else_branch"
        graph = next(attribute.g for attribute in node.attribute if attribute.name == wanted)
        for tensor in graph.initializer:
            self._values[tensor.name] = Known(_tensor(array_of(tensor)))
        self.through(graph.node)
        return [self._values[output.name] for output in graph.output]

    def _shape(self, call: Call, x: Data) -> Known:
        shape = torch.tensor(self._lowerer.shape(x), dtype=torch.int64)
        return Known(shape.prod() if call.op == "Size" else shape[slice(call.get("start", 0), call.get("end"))])

    # -------------------------------------------------------------- what no input decides

    def _computed(self, node: onnx.NodeProto, given: Sequence[Known | None]) -> list[Any]:
        op = node.op_type
        if op == "Constant":
            return [self._constant(node)]
        first = next((x for x in given if x is not None), None)
        if first is not None and op == "Identity":
            return [self._named(node, first)]
        matrix = first is not None and len(first.shape) == 2 and first.source is not None and first.moves == ()
        if first is not None and op == "Transpose" and matrix:
            swaps = [list(attribute.ints) for attribute in node.attribute] in ([], [[1, 0]])
            return [self._lowerer.turned(first) if swaps else first]
        if op in _GROWING:
            sizes = given[_GROWING[op]]
            if sizes is not None and sizes.tensor.double().abs().clamp(min=1).prod() > _LARGEST:
                raise Unsupported(f"`{op}` of a constant with more than {_LARGEST} elements")
        evaluate = _gathered(node) if op == "GatherElements" else self._evaluation(node)
        arrays = [None if x is None else x.tensor.numpy() for x in given]
        try:
            found = evaluate(arrays)
        except Exception as failure:
            line = str(failure).strip().partition("\n")[0] or type(failure).__name__
            raise Unsupported(f"`{op}`, which cannot be computed: {line}") from failure
        sources = [x for x in given if x is not None and x.source is not None]
        source = sources[0].source if sources else None
        if sources == [first] and first is not None and first.moves is not None and op in _MOVES:
            return [
                Known(_tensor(array), source, (*first.moves, _move(evaluate, arrays, i)))
                for i, array in enumerate(found)
            ]
        if op in ("Cast", "CastLike") and sources and _tensor(found[0]).dtype == sources[0].tensor.dtype:
            return [sources[0]]
        return [_derived(_tensor(array), source) for array in found]

    def _constant(self, node: onnx.NodeProto) -> Known:
        (value,) = [_attribute(attribute) for attribute in node.attribute]
        array = array_of(value) if isinstance(value, onnx.TensorProto) else np.asarray(value)
        if isinstance(value, float) or (isinstance(value, list) and value and isinstance(value[0], float)):
            array = array.astype(np.float32)
        tensor = _tensor(array)
        learned = is_parameter("", array)  # what is everywhere the same is not
        return Known.parameter(tensor) if learned else Known(tensor)

    def _named(self, node: onnx.NodeProto, x: Known) -> Known:
        """A parameter under another name. Exporters have one for all parameters that are equal, which are not
        one when that is because none is learned yet."""
        uniform = x.moves == () and bool((x.tensor == x.tensor.reshape(-1)[0]).all())
        return Known.parameter(x.tensor.clone()) if x.source is not None and uniform else x

    def _evaluation(self, node: onnx.NodeProto) -> Callable[[Sequence[Any]], list[Any]]:
        """The node by itself, as onnx defines it."""
        names = [name for name in dict.fromkeys(node.input) if name]
        nothing = onnx.TypeProto()
        graph = helper.make_graph(
            [node],
            "one",
            [helper.make_value_info(name, nothing) for name in names],
            [helper.make_value_info(name, nothing) for name in node.output if name],
        )
        opsets = [helper.make_opsetid("", self._file.opset)]
        evaluator = ReferenceEvaluator(helper.make_model(graph, opset_imports=opsets))

        def evaluate(arrays: Sequence[Any]) -> list[Any]:
            return list(evaluator.run(None, {name: x for name, x in zip(node.input, arrays, strict=True) if name}))

        return evaluate


def _gathered(node: onnx.NodeProto) -> Callable[[Sequence[Any]], list[Any]]:
    """`GatherElements`, of which onnx's own fails for a single row."""
    axis = next((attribute.i for attribute in node.attribute), 0)
    return lambda arrays: [torch.gather(_tensor(arrays[0]), axis, _tensor(arrays[1])).numpy()]


def _derived(tensor: Tensor, source: Tensor | None) -> Known:
    """What is worked out of a parameter; whole numbers only are of its shape."""
    return Known(tensor, source if tensor.is_floating_point() else None)


def _cast(known: Known, dtype: str) -> Known:
    tensor = known.tensor.to(DTYPES[dtype])
    return known if tensor.dtype == known.tensor.dtype else Known(tensor, known.source)


def _move(evaluate: Callable[[Sequence[Any]], list[Any]], arrays: Sequence[Any], index: int) -> Any:
    """What a node does to its first input, done to another tensor."""

    def move(tensor: Tensor) -> Tensor:
        return _tensor(evaluate([tensor.numpy(), *arrays[1:]])[index])

    return move


def _tensor(array: Any) -> Tensor:
    return torch.from_numpy(np.array(array))


def _label(name: str) -> str:
    """An output's name as a program may have it."""
    label = re.sub(r"\W+", "_", name).strip("_")
    return label if label and not label[0].isdigit() else f"output_{label}"


def _attribute(attribute: onnx.AttributeProto) -> Any:
    """An attribute's value; floats as they were meant."""
    value = helper.get_attribute_value(attribute)
    if attribute.type == onnx.AttributeProto.FLOAT:
        return shortest(value)
    if attribute.type == onnx.AttributeProto.FLOATS:
        return [shortest(number) for number in value]
    if attribute.type == onnx.AttributeProto.STRING:
        return value.decode()
    return list(value) if attribute.type == onnx.AttributeProto.INTS else value


def _refusal(op: str, reason: str, names: Sequence[str]) -> Any:
    more = f" and {len(names) - 3} more nodes" if len(names) > 3 else ""
    places = ", ".join(f"`{name}`" for name in names[:3])
    return error(
        "E0811",
        f"the file holds {reason}",
        notes=(f"in {places}{more}",),
        hints=("convert the model that the file was made of: its modules with such operations can stay",),
    )
