"""What is around windows: ONNX gives borders of both sides apart, or has them worked out."""

from __future__ import annotations

from collections.abc import Sequence

from archlang.conversion.data import Data
from archlang_torch.capture.onnx.lowerer import Call, OnnxLowerer


def borders(
    call: Call, sizes: Sequence[int], kernel: Sequence[int], steps: Sequence[int], dilations: Sequence[int]
) -> tuple[list[int], list[int]]:
    """How much is put before and after each dimension."""
    space = len(kernel)
    auto = call.get("auto_pad", "NOTSET")
    if not auto.startswith("SAME"):
        pads = call.get("pads", [0] * 2 * space) if auto == "NOTSET" else [0] * 2 * space
        return list(pads[:space]), list(pads[space:])
    before, after = [], []
    for size, k, step, dilation in zip(sizes, kernel, steps, dilations, strict=True):
        total = max(0, (-(-size // step) - 1) * step + dilation * (k - 1) + 1 - size)
        less, more = total // 2, total - total // 2
        before.append(less if auto == "SAME_UPPER" else more)
        after.append(more if auto == "SAME_UPPER" else less)
    return before, after


def padded(lo: OnnxLowerer, x: Data, before: Sequence[int], after: Sequence[int], value: float = 0.0) -> Data:
    """The tensor with a border, whose sides may differ."""
    amount = [side for pair in reversed(list(zip(before, after, strict=True))) for side in pair]
    return lo.view("pad", x, amount, "constant", value)
