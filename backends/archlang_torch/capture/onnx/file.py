"""ONNX files: what they hold, and what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import onnx
import onnx.inliner
import onnx.shape_inference
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import numpy_helper

from archlang.diagnostics import ArchError, error

Array = NDArray[Any]

_DTYPES: dict[int, str] = {
    onnx.TensorProto.FLOAT: "f32",
    onnx.TensorProto.DOUBLE: "f64",
    onnx.TensorProto.FLOAT16: "f16",
    onnx.TensorProto.INT64: "i64",
    onnx.TensorProto.INT32: "i64",  # which embeddings take; the file is still given its own
    onnx.TensorProto.BOOL: "bool",
}
_NUMPY = {"f32": np.float32, "f64": np.float64, "f16": np.float16, "i64": np.int64, "bool": np.bool_}
# Inputs that are floats, and no parameters: states of norms, sizes.
_OTHERS = {"BatchNormalization": (3, 4), "Resize": (1, 2), "Upsample": (1,)}
_CHECKED = 2**31 - 1  # the bytes of a model that is checked as it has been read, not where it lies
_NAMED = re.compile(r"\.|weight|bias|gamma|beta|kernel", re.IGNORECASE)


@attrs.frozen
class FileInput:
    """An input of a file: sizes that it leaves free are their names, or ""."""

    name: str
    dtype: str
    own: type[Any]  # numpy's type of what the file is given
    shape: tuple[int | str, ...]


@attrs.frozen(eq=False)
class OnnxFile:
    """A file that has been read: `model` without functions, `opset` the version of its operators, `batch` the
    number of samples that it is for, None where that is free."""

    path: Path
    model: onnx.ModelProto
    opset: int
    inputs: tuple[FileInput, ...]
    batch: int | None

    @classmethod
    def read(cls, path: Path) -> OnnxFile:
        """ArchError: E0809 when there is no such file or it is no valid ONNX, E0810 for inputs that no
        program has."""
        model = _read(path)
        opset = max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=1)
        held = {given.name for given in model.graph.initializer}
        inputs = tuple([_input(given) for given in model.graph.input if given.name not in held])
        if not inputs:
            raise ArchError(error("E0810", f"`{path}` has no inputs", hints=("what it gives is always the same",)))
        sizes = {given.shape[0] for given in inputs}
        fixed = [size for size in sizes if isinstance(size, int)]
        if len(sizes) > 1 and len(fixed) == len(sizes):
            shapes = ", ".join(f"`{given.name}` {list(given.shape)}" for given in inputs)
            raise ArchError(
                error("E0810", f"the inputs have different first dimensions: {shapes}", hints=("it must be the batch",))
            )
        return cls(path, model, opset, inputs, fixed[0] if len(fixed) == len(sizes) else None)

    def examples(self) -> list[Array]:
        """Normal numbers, or zeros where they are whole, of the shapes in the file; ArchError (E0810) where
        it leaves more than the batch free."""
        random = np.random.default_rng(1)
        found: list[Array] = []
        for given in self.inputs:
            free = [size for size in given.shape[1:] if not isinstance(size, int)]
            if free:
                raise ArchError(
                    error(
                        "E0810",
                        f"the input `{given.name}` has sizes that the file leaves free: {_written(given)}",
                        hints=(f"give its shape, the batch first, such as {self._suggested(given)}",),
                    )
                )
            shape = (self.batch or 1, *[size for size in given.shape[1:] if isinstance(size, int)])
            floating = np.issubdtype(given.own, np.floating)
            found.append((random.standard_normal(shape) if floating else np.zeros(shape)).astype(_NUMPY[given.dtype]))
        return found

    @staticmethod
    def _suggested(given: FileInput) -> str:
        sizes = ",".join(str(size) if isinstance(size, int) else "128" for size in (1, *given.shape[1:]))
        return sizes if given.dtype == "f32" else f"{given.dtype}:{sizes}"

    def taken(self, arrays: Sequence[Array]) -> list[Array]:
        """Arrays as the program takes them; ArchError (E0810) when the file does not."""
        fits = len(arrays) == len(self.inputs) and all(map(_fits, self.inputs, arrays))
        if not fits:
            shapes = " and ".join(f"{array.dtype}{list(array.shape)}" for array in arrays)
            wanted = " and ".join(f"`{given.name}` {_written(given)}" for given in self.inputs)
            raise ArchError(error("E0810", f"the file does not take {shapes}", notes=(f"it takes {wanted}",)))
        return [array.astype(_NUMPY[given.dtype]) for given, array in zip(self.inputs, arrays, strict=True)]

    def require_shapes(self) -> None:
        """ArchError (E0809) when the shapes of what nodes are given do not fit them."""
        try:
            onnx.shape_inference.infer_shapes(self.model, check_type=True, strict_mode=True)
        except Exception as failure:
            raise invalid(self.path, _first_line(failure)) from failure

    # -------------------------------------------------------------- parameters

    def parameters(self) -> dict[str, Array]:
        """The initialisers that look learned, by name: floats, but single numbers, masks and tables of angles."""
        found: dict[str, Array] = {}
        for tensor in self.model.graph.initializer:
            if tensor.data_type in (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT16):
                array = array_of(tensor)
                if is_parameter(tensor.name, array):
                    found[tensor.name] = array
        for name in _angles(found):
            del found[name]
        return found

    def parameter_count(self) -> int:
        """The numbers of parameters on which the outputs hang, those of equal ones once."""
        parameters = self.parameters()
        used = self.used()
        found: dict[object, int] = {}
        for name in used & set(parameters):
            array = parameters[name]
            # Weights that are held twice, once transposed, are one; those that are all ones are not.
            uniform = array.size > 0 and bool((array == array.reshape(-1)[0]).all())
            ways = (array, array.T) if array.ndim == 2 else (array,)
            found[name if uniform else min(map(content, ways))] = array.size
        return sum(found.values()) + sum(parameters[of].size for of in self._copies(used, parameters))

    def used(self) -> set[str]:
        """The names of the values that the outputs need, but the states of norms."""
        needed = {output.name for output in self.model.graph.output}
        for node in reversed(self.model.graph.node):
            if not needed.isdisjoint(node.output):
                for position, name in enumerate(node.input):
                    if position not in _OTHERS.get(node.op_type, ()):
                        needed.add(name)
                for inner in subgraphs(node):
                    needed |= {name for part in inner.node for name in part.input}
        return needed

    def _copies(self, used: set[str], parameters: dict[str, Array]) -> Iterator[str]:
        """The parameters of which exporters have named copies, because they were equal when all were what
        they start as."""
        for node in self.model.graph.node:
            if node.op_type == "Identity" and node.output[0] in used:
                array = parameters.get(node.input[0])
                if array is not None and bool((array == array.reshape(-1)[0]).all()):
                    yield node.input[0]


def subgraphs(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    return [attribute.g for attribute in node.attribute if attribute.type == onnx.AttributeProto.GRAPH]


def content(array: Array) -> tuple[Any, ...]:
    """Equal for arrays of equal numbers."""
    return array.shape, hash(np.ascontiguousarray(array).tobytes())


def is_parameter(name: str, array: Array) -> bool:
    """Whether floats of a file are learned, rather than constants of the computation."""
    if array.size < 2 or not np.issubdtype(array.dtype, np.floating):
        return False
    least = array.min()
    if bool(((array == 0) | (array == least)).all()) and least <= -10:
        return False  # a mask
    uniform = bool((array == array.reshape(-1)[0]).all())
    return not uniform or (_NAMED.search(name) is not None and "::" not in name)


def _angles(arrays: dict[str, Array]) -> set[str]:
    """The names of tables of cosines, which begin with those of 0, and of the sines that belong to them."""
    found: set[str] = set()
    for name, array in arrays.items():
        rows = array.reshape(-1, array.shape[-1])
        if array.ndim > 1 and len(rows) > 1 and bool((rows[0] == 1).all() and (rows[-1] != 1).any()):
            alike = [other for other in arrays if other != name and arrays[other].shape == array.shape]
            sines = {other for other in alike if np.allclose(array**2 + arrays[other] ** 2, 1, atol=1e-4)}
            found |= sines | ({name} if sines else set())
    return found


def array_of(tensor: onnx.TensorProto) -> Array:
    found: Array = numpy_helper.to_array(tensor)
    return found if found.dtype.kind in "fiub" else found.astype(np.float32)  # bfloat16


# ---------------------------------------------------------------- reading


def _read(path: Path) -> onnx.ModelProto:
    if not path.is_file():
        raise ArchError(error("E0809", f"there is no file `{path}`"))
    try:
        model = onnx.load(path)
    except DecodeError as failure:
        raise _no_onnx(path) from failure
    except Exception as failure:  # of data beside the file, which is missing or elsewhere
        problem = f"`{path}` cannot be read: {_first_line(failure)}"
        hint = "weights that are not in the file are beside it, by the names that it gives"
        raise ArchError(error("E0809", problem, hints=(hint,))) from failure
    if not model.ir_version or not model.graph.output:
        raise _no_onnx(path)
    tensors = [output.type.tensor_type for output in model.graph.output if output.type.HasField("tensor_type")]
    shapeless = [tensor for tensor in tensors if not tensor.HasField("shape")]
    for tensor in shapeless:  # the check wants a shape, which nobody needs
        tensor.shape.SetInParent()
    try:
        onnx.checker.check_model(model if model.ByteSize() < _CHECKED else path)
    except Exception as failure:
        raise invalid(path, _first_line(failure)) from failure
    for tensor in shapeless:
        tensor.ClearField("shape")
    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    return model


def _no_onnx(path: Path) -> ArchError:
    return ArchError(error("E0809", f"`{path}` is no ONNX file", hints=("is it whole?",)))


def invalid(path: Path, reason: str) -> ArchError:
    """The error for a file that contradicts itself."""
    problem = f"`{path}` is not valid ONNX: {reason}"
    return ArchError(error("E0809", problem, hints=("`onnx.checker.check_model(path, full_check=True)` says where",)))


def _first_line(failure: Exception) -> str:
    return str(failure).strip().partition("\n")[0].rstrip(".") or type(failure).__name__


def _input(given: onnx.ValueInfoProto) -> FileInput:
    tensor = given.type.tensor_type
    dtype = _DTYPES.get(int(tensor.elem_type)) if given.type.HasField("tensor_type") else None
    if dtype is None:
        raise ArchError(error("E0810", f"the input `{given.name}` is no tensor of numbers that a program has"))
    if not tensor.HasField("shape") or not tensor.shape.dim:
        raise ArchError(
            error(
                "E0810",
                f"the input `{given.name}` has no batch: the file does not say how many dimensions it has, or none",
                hints=("write the shape of the input, the batch first, when the file is made",),
            )
        )
    shape = tuple([dim.dim_value if dim.HasField("dim_value") else dim.dim_param for dim in tensor.shape.dim])
    own = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type).type
    return FileInput(given.name, dtype, own, shape)


def _written(given: FileInput) -> str:
    return f"{given.dtype}[{', '.join(str(size) or '?' for size in given.shape)}]"


def _fits(given: FileInput, array: Array) -> bool:
    """Whether an array is like an input; how many samples it has does not matter."""
    sizes = zip(given.shape[1:], array.shape[1:], strict=False)
    same = len(given.shape) == array.ndim and all(not isinstance(size, int) or size == own for size, own in sizes)
    return same and np.issubdtype(given.own, np.floating) == np.issubdtype(array.dtype, np.floating)
