"""Nodes that one network has and the other has not: how they can pass a value on unchanged, or give zeros.

A new branch beside a value gives zeros, a new layer in line the identity (Net2Net, Chen et al. 2016; EAS, Cai et al.
2018), so that the network computes what it did.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from archlang.ir.graph import Node
from archlang.morphism.alignment import Alignment
from archlang.morphism.channels import Ids
from archlang.morphism.roles import groups_of

CONVOLUTIONS = ("conv1d", "conv2d", "conv3d", "depthwise_conv2d")
POSITIVE = frozenset(["relu", "relu6", "sigmoid", "hsigmoid", "softmax", "softplus", "square", "absolute"])
_HANDED_ON = """max_pool1d max_pool2d max_pool3d avg_pool1d avg_pool2d avg_pool3d global_avg_pool global_max_pool
flatten reshape permute transpose slice concat add mul maximum dropout drop_path identity channel_shuffle upsample"""
KEPT_POSITIVE = frozenset(_HANDED_ON.split())
AGAIN = frozenset(["relu", "relu6", "absolute", "hard_tanh"])  # the same when applied twice
ONES = {"channel_scale": "scale", "feature_scale": "scale", "prelu": "slope"}
SCALED = frozenset(["batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm", *ONES, "feature_bias"])
Numbers = dict[str, float]  # of the weights of a node that are one number everywhere


class Passing:
    """What the new nodes of a target have to be.

    `numbers` holds the weights of nodes that are to be one number, `identities` the positions of nodes whose kernels
    are to hand on their inputs, and `value_of` which value of the source each value of the target is.
    """

    def __init__(self, alignment: Alignment):
        self._alignment = alignment
        self._graph = alignment.target.graph
        self._first = len(self._graph.inputs)
        self.numbers: dict[int, Numbers] = {}
        self.identities: dict[int, tuple[Ids, Ids]] = {}
        names = {given.name: value for value, given in enumerate(alignment.source.graph.inputs)}
        self.value_of: dict[int, int] = {
            value: names[given.name] for value, given in enumerate(self._graph.inputs) if given.name in names
        }
        for place, at in alignment.nodes.items():
            self.value_of[place + self._first] = self.original(alignment.source.value(at))

    def original(self, value: int) -> int:
        """The value of the source that a value is which ops without effect hand on."""
        source = self._alignment.source.graph
        while value >= len(source.inputs) and "identity" in source.nodes[value - len(source.inputs)].operation.traits:
            (value, *_) = source.nodes[value - len(source.inputs)].inputs
        return value

    def is_new(self, value: int) -> bool:
        return value >= self._first and value - self._first not in self._alignment.nodes

    def passes(self, value: int, wanted: int) -> bool:
        """Whether a value of the target is made to be one of the source, by the new nodes up to it."""
        wanted = self.original(wanted)
        known = self.value_of.get(value)
        if known is not None or not self.is_new(value):
            return known == wanted
        kept = dict(self.numbers), dict(self.identities), dict(self.value_of), self._alignment.source_of.copy()
        if self._passes(value, wanted) or (self._made_by(wanted) == "zero" and self.zero(value)):
            self.value_of[value] = wanted
            return True
        self.numbers, self.identities, self.value_of, self._alignment.source_of = kept
        return False

    def _passes(self, value: int, wanted: int) -> bool:
        node = self._graph.nodes[value - self._first]
        operation, given = node.operation, node.inputs
        name = operation.name
        if value - self._first in self.numbers:  # zero, for another that takes it
            return False
        if name in ("add", "concat"):
            for position, each in sorted(enumerate(given), key=lambda one: self.is_new(one[1])):
                if self.passes(each, wanted):
                    others = [other for place, other in enumerate(given) if place != position]
                    return name == "concat" or all(self.zero(other) for other in others)
            return False
        if len(given) != 1 or not self.passes(given[0], wanted):
            return False
        if "identity" in operation.traits or name in ("dropout", "drop_path"):
            return True
        if name in AGAIN:
            made = self._made_by(wanted)
            return made == name or (name in ("relu", "absolute") and self._is_positive(wanted))
        if name in ONES:
            self.numbers[value - self._first] = {ONES[name]: 1.0}
            return True
        if name == "feature_bias":
            self.numbers[value - self._first] = {"bias": 0.0}
            return True
        if name == "batch_norm":
            scale = float(np.sqrt(1 + operation.attribute("eps")))
            numbers = {"scale": scale, "bias": 0.0, "mean": 0.0, "variance": 1.0}
            own = {weight.name for weight in operation.weights}
            self.numbers[value - self._first] = {key: number for key, number in numbers.items() if key in own}
            return "scale" in own
        return (name in CONVOLUTIONS or name == "linear") and self._is_identity(node, value)

    def _is_identity(self, node: Node, value: int) -> bool:
        """Kernels that hand on what comes in, channel by channel; new channels of the result are those of the
        input in order where nothing says otherwise."""
        operation = node.operation
        channels = self._alignment.target.channels
        axis = -1 if operation.name == "linear" else 1
        before, after = channels.axes[node.inputs[0]], channels.axes[value]
        attributes: Mapping[str, Any] = dict(operation.attributes)
        same_places = operation.inputs[0].shape[2:] == operation.output.shape[2:]
        if operation.name != "linear" and (
            attributes["stride"] != 1 or not same_places or attributes["kernel"] % 2 == 0
        ):
            return False
        ins, outs = before[axis], after[axis]
        if ins is None or outs is None or groups_of(node) not in (1, len(ins)):
            return False
        source_of = self._alignment.source_of
        if (source_of[outs] == -1).all():
            if len(ins) != len(outs):
                return False
            source_of[outs] = source_of[ins]
        if (source_of[ins] == -1).all():
            return False
        self.identities[value - self._first] = ins, outs
        return set(source_of[ins].tolist()) - {-1} <= set(source_of[outs].tolist())

    def zero(self, value: int) -> bool:
        """Whether a value is made zero everywhere, by the last op before it that can."""
        if not self.is_new(value) or value in self.value_of:
            return False
        node = self._graph.nodes[value - self._first]
        operation = node.operation
        own = {weight.name for weight in operation.weights}
        if "zeros" in operation.traits:
            return True
        if own and (operation.name in SCALED or "kernel" in own or operation.name == "embedding"):
            if operation.name in SCALED and not own & {"scale", "slope"}:
                return False
            if operation.name == "prelu":
                return self.zero(node.inputs[0])
            numbers = {each: 0.0 for each in own if each in ("kernel", "bias", "scale", "table")}
            self.numbers[value - self._first] = numbers
            return True
        if operation.name == "mul":
            return any(self.zero(given) for given in node.inputs)
        return "keeps_zeros" in operation.traits and all(self.zero(given) for given in node.inputs)

    # ------------------------------------------------------------- the source

    def _made_by(self, value: int) -> str | None:
        source = self._alignment.source.graph
        at = value - len(source.inputs)
        return source.nodes[at].operation.name if at >= 0 else None

    def _is_positive(self, value: int) -> bool:
        """Whether a value of the source is never negative."""
        source = self._alignment.source.graph
        at = value - len(source.inputs)
        if at < 0:
            return False
        node = source.nodes[at]
        if node.operation.name in POSITIVE:
            return True
        return node.operation.name in KEPT_POSITIVE and all(self._is_positive(given) for given in node.inputs)
