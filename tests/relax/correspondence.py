"""What the shared weights of derived supernets are called in the networks by hand (`benchmarks.oneshot`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from archlang_torch.supernet.network import Supernet
from torch import Tensor, nn

Names = Callable[[str], str]  # from the address of an op with weights to the name of a module

_FACTORIZED = {"conv2d#1": "left", "conv2d#2": "right", "batch_norm": "norm"}
_SEPARABLE = {
    f"{op}#{half}": str(4 * (half - 1) + place)
    for half in (1, 2)
    for place, op in enumerate(("depthwise_conv2d", "conv2d", "batch_norm"), 1)
}
_DILATED = {"depthwise_conv2d": "1", "conv2d": "2", "batch_norm": "3"}
_RELU_CONV_NORM = {"conv2d": "op.1", "batch_norm": "op.2"}


def edge_number(i: int, j: int) -> int:
    """The number of the edge into the i-th node from the j-th state of a DARTS cell."""
    return i * (i + 3) // 2 + j


def darts_name(at: str, ops: str = "ops") -> str:
    """Of std.spaces.darts; `ops` is where a mixed op of the reference has its candidates."""
    outside = {"conv2d": "stem.0", "batch_norm": "stem.1", "linear": "classifier"}
    if at in outside:
        return outside[at]
    if found := re.fullmatch(r"(?:normal|reduce)\[(\d+)]/relu_conv_bn#([12])/(.+)", at):
        cell, which, op = found.groups()
        return f"cells.{cell}.{'first' if which == '1' else 'second'}.{_RELU_CONV_NORM[op]}"
    if found := re.fullmatch(r"(?:normal|reduce)\[(\d+)]/factorized_reduce/(.+)", at):
        return f"cells.{found[1]}.first.{_FACTORIZED[found[2]]}"
    found = re.fullmatch(r"(?:normal|reduce)\[(\d+)]/candidate\[(\d)]\[(\d)]:(\w+?)_(\w+)/(.+)", at)
    assert found is not None, at
    cell, i, j, kind, rest, op = found.groups()
    place = {"max": {"batch_norm": "1"}, "avg": {"batch_norm": "1"}, "skip": _FACTORIZED}
    place |= {"sep": _SEPARABLE, "dil": _DILATED}
    return f"cells.{cell}.edges.{edge_number(int(i), int(j))}.{ops}.{kind}_{rest}.{place[kind][op]}"


def nasbench201_name(at: str, repeats: int) -> str:
    """Of std.spaces.nasbench201 with so many cells per stage."""
    outside = {"conv2d": "stem.0", "batch_norm#1": "stem.1", "batch_norm#2": "last.0", "linear": "classifier"}
    if at in outside:
        return outside[at]
    if found := re.fullmatch(r"shared#(\d)\[(\d+)]/edge#(\d):(\w+)/(\w+)", at):
        stage, cell, edge, kind, op = found.groups()
        part = (int(stage) - 1) * (repeats + 1) + int(cell)
        return f"body.{part}.edges.{int(edge) - 1}.{kind}.{_RELU_CONV_NORM[op]}"
    found = re.fullmatch(r"resnet_basic#(\d)/(?:relu_conv_bn#(\d)/)?(\w+)", at)
    assert found is not None, at
    stage, half, op = found.groups()
    inside = f"{'first' if half == '1' else 'second'}.{_RELU_CONV_NORM[op]}" if half else "shortcut.1"
    return f"body.{int(stage) * (repeats + 1) - 1}.{inside}"


def in_reference(supernet: Supernet, name: Names) -> dict[str, str]:
    """The names in the reference of all parameters and buffers."""
    addresses = {at.replace(".", "_"): at for at in supernet.varied.weights}
    found = {}
    for own in supernet.state_dict():
        at, _, weight = own.rpartition(".")
        found[own] = f"{name(addresses[at])}.{weight}"
    return found


def load(supernet: Supernet, reference: nn.Module, names: Mapping[str, str]) -> None:
    """Give the reference the weights and statistics of a supernet, all of them."""
    reference.load_state_dict({names[own]: tensor for own, tensor in supernet.state_dict().items()}, strict=True)


def renamed(tensors: Mapping[str, Tensor], names: Mapping[str, str]) -> dict[str, Tensor]:
    return {names[own]: tensor for own, tensor in tensors.items()}
