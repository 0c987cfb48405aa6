"""The names that types have."""

from __future__ import annotations

from archlang.diagnostics import Diagnostic, Span, did_you_mean, error

TYPE_NAMES = ("int", "float", "bool", "str", "block", "record", "any", "tensor")
DTYPES = ("f16", "bf16", "f32", "f64", "i8", "i16", "i32", "i64", "u8", "bool")

_ALIKE = {
    "string": "str",
    "text": "str",
    "integer": "int",
    "number": "float",
    "double": "float",
    "boolean": "bool",
    "float16": "f16",
    "bfloat16": "bf16",
    "float32": "f32",
    "float64": "f64",
    "int8": "i8",
    "int16": "i16",
    "int32": "i32",
    "int64": "i64",
    "uint8": "u8",
    "List": "list",
    "dict": "record",
    "Tensor": "tensor",
}


def check_type_name(name: str, span: Span, *, tensor: bool = False) -> list[Diagnostic]:
    """The error when no type has that name, or, for a `tensor`, no element type."""
    known = DTYPES if tensor else TYPE_NAMES
    if name in known:
        return []
    if not tensor and name in DTYPES:
        hints: tuple[str, ...] = (f"a tensor type has a shape: `{name}[n, c]`, or `{name}[...]` for any",)
    elif name in _ALIKE:
        hints = (f"did you mean `{_ALIKE[name]}`?",)
    else:
        hints = did_you_mean(name, (*known, "list")) or (f"types are {', '.join(known)}",)
    what = "element type" if tensor else "type"
    return [error("E0123", f"there is no {what} `{name}`", span, hints=hints)]
