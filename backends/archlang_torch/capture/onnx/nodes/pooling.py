"""Pooling."""

from __future__ import annotations

from typing import Any

from archlang.conversion.data import Unsupported
from archlang_torch.capture.onnx.lowerer import Call, OnnxLowerer, data, node
from archlang_torch.capture.onnx.nodes.windows import borders, padded

_LEAST = -3.4e38


@node("MaxPool", "AveragePool")
def pool(lo: OnnxLowerer, call: Call, x: Any) -> Any:
    kernel = call.get("kernel_shape")
    space = len(kernel)
    if call.outputs > 1:
        raise Unsupported("`MaxPool` with the places of what is largest")
    steps, dilations = call.get("strides", [1] * space), call.get("dilations", [1] * space)
    sizes = data(x).shape[2:]
    before, after = borders(call, sizes, kernel, steps, dilations)
    largest = call.op == "MaxPool"
    ceil = bool(call.get("ceil_mode", 0))
    counted = not largest and bool(call.get("count_include_pad", 0))
    rounded = None if ceil or counted else _even(sizes, kernel, steps, before, after)
    if before != after and rounded is not None:
        ceil = rounded
    elif before != after:
        if not largest and not counted:
            raise Unsupported("an average pool with a border that differs from side to side")
        x, before = padded(lo, data(x), before, after, _LEAST if largest else 0.0), [0] * space
    name = f"{'max' if largest else 'avg'}_pool{space}d"
    if largest:
        return lo.call(name, x, kernel, steps, before, dilations, ceil)
    if set(dilations) != {1}:
        raise Unsupported("an average pool with dilation")
    return lo.call(name, x, kernel, steps, before, ceil, counted)


def _even(sizes: Any, kernel: Any, steps: Any, before: Any, after: Any) -> bool | None:
    """Whether there are as many windows when the border before is also the one after: False when their number
    is rounded down, True when it is rounded up, None in neither case. What windows reach of a border does not
    count."""
    wanted = [
        (size + first + last - k) // step + 1
        for size, k, step, first, last in zip(sizes, kernel, steps, before, after, strict=True)
    ]
    for ceil in (False, True):
        if wanted == [_windows(*one, ceil) for one in zip(sizes, kernel, steps, before, strict=True)]:
            return ceil
    return None


def _windows(size: int, kernel: int, step: int, border: int, ceil: bool) -> int:
    """How many windows there are; none begins behind what is pooled."""
    given = size + 2 * border - kernel
    count = (-(-given // step) if ceil else given // step) + 1
    return count - 1 if (count - 1) * step >= size + border else count


@node("GlobalAveragePool")
def global_average(lo: OnnxLowerer, call: Call, x: Any) -> Any:
    space = data(x).rank - 2
    return lo.call(f"adaptive_avg_pool{space}d", x, 1)


@node("GlobalMaxPool")
def global_max(lo: OnnxLowerer, call: Call, x: Any) -> Any:
    return lo.call("adaptive_max_pool2d", x, 1)[0]
