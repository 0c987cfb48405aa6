"""What of an op makes it compute something else than the one it corresponds to, whatever its weights are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from archlang.ir.graph import Node
from archlang.morphism.channels import Ids

# Ops that take means or extremes over an axis (None: the one that `axis` says): whole multiples of its channels leave
# them as they are. And ops that work on all channels of an axis in another way.
MEANS = {"layer_norm": -1, "rms_norm": -1, "group_norm": 1, "mean": None, "max_reduce": None, "min_reduce": None}
TOGETHER = {"softmax": None, "log_softmax": None, "local_response_norm": 1, "top_k_gate": -1, "matmul": -1}
# Attributes that sizes follow from, which weights make up for.
SIZES = frozenset(["out", "dim", "units", "groups", "heads", "kv_heads", "shape", "kernel", "padding", "length"])

# For an input and an axis of it: what its channels are in the source, and those that were there; None where it is
# not known.
Classes = Callable[[int, int], tuple[Ids, Ids] | None]


def differences(node: Node, like: Node, classes: Classes) -> Iterator[str]:
    """Why a node cannot compute what a node of the source does: nothing where its weights can make it so."""
    ours, theirs = dict(node.operation.attributes), dict(like.operation.attributes)
    for name in sorted(set(ours) | set(theirs)):
        if name not in SIZES and ours.get(name) != theirs.get(name):
            yield f"`{name}` of `{node.address}` is {ours.get(name)!r}, not {theirs.get(name)!r}"
    yield from _windows(node, ours, theirs)
    name = node.operation.name
    if name in MEANS or name in TOGETHER:
        axis = MEANS.get(name, TOGETHER.get(name))
        place = int(str(ours["axis"] if axis is None else axis)) % len(node.operation.inputs[0].shape)
        found = classes(0, place)
        if found is not None and not _is_whole(*found, copies=name in MEANS):
            yield f"`{node.address}` works on all channels together, and these are others"
    if name in ("attention", "rotary"):
        widths = {
            int(str(each.operation.inputs[0].shape[2])) // each.operation.attribute("heads") for each in (node, like)
        }
        if len(widths) > 1:
            yield f"the heads of `{node.address}` have another width"


def _windows(node: Node, ours: Mapping[str, object], theirs: Mapping[str, object]) -> Iterator[str]:
    """Kernels may grow together with the padding around."""
    sizes = ours.get("kernel"), theirs.get("kernel")
    if not isinstance(sizes[0], int) or not isinstance(sizes[1], int) or "padding" not in ours:
        return
    grown = (sizes[0] - 1) // 2 - (sizes[1] - 1) // 2
    if int(str(ours["padding"])) - int(str(theirs["padding"])) != int(str(ours.get("dilation", 1))) * grown:
        yield f"the padding of `{node.address}` is another"
    elif sizes[0] != sizes[1] and not node.operation.weights:
        yield f"the windows of `{node.address}` are others"
    elif sizes[0] < sizes[1]:
        yield f"the kernel of `{node.address}` is smaller"


def _is_whole(ours: Ids, theirs: Ids, copies: bool) -> bool:
    """Whether an axis has all channels that were there as often as one another (just as often, unless there may be
    copies)."""
    if (ours < 0).any():
        return False
    count = int(max(ours.max(initial=0), theirs.max(initial=0))) + 1
    have, had = np.bincount(ours, minlength=count), np.bincount(theirs, minlength=count)
    there = had > 0
    ratios = have[there] / had[there]
    return not have[~there].any() and bool((ratios == ratios[:1]).all()) and (copies or bool((ratios == 1).all()))
