"""The graph with channels last: TensorFlow's CPU kernels know convolutions in no other layout.

A program's images are [n, channels, spatial ...]. `arranged` gives a graph that computes the same,
in which the ops of space work on [n, spatial ..., channels], with a `permute` wherever the layout
changes. How an op takes it is its `Layout`:

* spatial: first input and result have their channels last;
* any: it works in whichever layout its inputs have (elementwise ops, and those whose axes can be
  renumbered);
* natural, all others: they see the program's own order.

`permute` and `transpose` themselves cost nothing: they say in which order a stored value is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from archlang.diagnostics import ArchError, error
from archlang.ir.graph import Graph, Input, Node, Operation, Output
from archlang.ir.types import Dim, TensorType

Order = tuple[int, ...]  # dimension i of the stored value is dimension order[i] of the program's
Attributes = dict[str, Any]

SPATIAL = {
    "conv1d",
    "conv2d",
    "conv2d_rect",
    "conv3d",
    "depthwise_conv2d",
    "conv_transpose1d",
    "conv_transpose2d",
    "quantized_conv2d",
    "batch_norm",
    "group_norm",
    "instance_norm",
    "local_response_norm",
    "channel_scale",
    "channel_bias",
    "prelu",
    "zero",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "global_avg_pool",
    "global_max_pool",
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "upsample",
    "resize",
    "pixel_shuffle",
    "channel_shuffle",
}


def natural(rank: int) -> Order:
    """The program's own order."""
    return tuple(range(rank))


def channels_last(rank: int) -> Order:
    """The order with the channels last, the program's own where there is no space."""
    return (0, *range(2, rank), 1) if rank > 2 else natural(rank)


def arranged(graph: Graph, data_format: str = "channels_first") -> Graph:
    """The graph with its ops of space in channels-last order; weights and addresses stay.

    Inputs and outputs keep the program's layout. With `data_format="channels_last"` an input that
    is first used with channels last is given so, and an output that is computed so is handed out
    so.
    """
    if data_format not in ("channels_first", "channels_last"):
        raise ArchError(
            error(
                "E0808",
                f"the tensorflow backend has no data format `{data_format}`",
                hints=('give "channels_first", the program\'s own, or "channels_last"',),
            )
        )
    return _Arranging(graph, data_format == "channels_last").graph()


class _Arranging:
    def __init__(self, graph: Graph, last: bool) -> None:
        self._graph = graph
        self._last = last
        self._nodes: list[Node] = []
        self._inputs: list[Input] = []
        # For each value of the program the stored values, by their order, in the order of making.
        self._stored: list[dict[Order, int]] = []
        self._within: dict[tuple[int, Order, str], int] = {}
        self._operations: dict[tuple[int, tuple[Order, ...]], tuple[Operation, Order]] = {}
        self._permutes: dict[Operation, Operation] = {}

    def graph(self) -> Graph:
        wanted = self._input_orders()
        for given, order in zip(self._graph.inputs, wanted, strict=True):
            self._stored.append({order: len(self._inputs)})
            self._inputs.append(Input(given.name, _ordered(given.type, order)))
        for node in self._graph.nodes:
            self._arrange(node)
        outputs = []
        for output in self._graph.outputs:
            rank = len(self._graph.type_of(output.value).shape)
            stored = self._stored[output.value]
            last = self._last and rank > 2 and channels_last(rank) in stored
            order = channels_last(rank) if last else natural(rank)
            outputs.append(Output(output.name, self._value(output.value, order, "", f"output~{output.name}")))
        return attrs.evolve(self._graph, inputs=tuple(self._inputs), nodes=tuple(self._nodes), outputs=tuple(outputs))

    def _input_orders(self) -> list[Order]:
        orders = [natural(len(given.type.shape)) for given in self._graph.inputs]
        if self._last:
            first: set[int] = set()
            for node in self._graph.nodes:
                for position, value in enumerate(node.inputs):
                    if value < len(orders) and value not in first:
                        first.add(value)
                        if node.operation.name in SPATIAL and position == 0:
                            orders[value] = channels_last(len(orders[value]))
        return orders

    def _type(self, value: int) -> TensorType:
        """The type of a stored value."""
        count = len(self._graph.inputs)
        return self._inputs[value].type if value < count else self._nodes[value - count].operation.output

    def _emit(self, address: str, operation: Operation, inputs: Sequence[int], weights_at: str) -> int:
        self._nodes.append(Node(address, operation, tuple(inputs), weights_at))
        return len(self._graph.inputs) + len(self._nodes) - 1

    def _value(self, value: int, order: Order, frame: str, address: str) -> int:
        """The stored value that has a value of the program in an order, made in `frame` if need be."""
        stored = self._stored[value]
        if order in stored:
            return stored[order]
        made = self._within.get((value, order, frame))
        if made is None:
            have, source = next(iter(stored.items()))
            steps = tuple([have.index(dim) for dim in order])
            kind = self._type(source)
            found = Operation("permute", (("order", steps),), (kind,), _ordered(kind, steps))
            operation = self._permutes.setdefault(found, found)
            made = self._within[value, order, frame] = self._emit(address, operation, [source], address)
        return made

    def _arrange(self, node: Node) -> None:
        operation = node.operation
        if operation.name in ("permute", "transpose"):
            self._stored.append(self._reread(node))
            return
        orders = self._orders(node)
        known = self._operations.get((id(operation), orders))
        if known is None:
            known = self._operations[id(operation), orders] = _rewritten(operation, orders)
        made, result = known
        frame = _frame(node.address)
        inputs = [
            self._value(value, order, frame, f"{node.address}~{position}")
            for position, (value, order) in enumerate(zip(node.inputs, orders, strict=True))
        ]
        self._stored.append({result: self._emit(node.address, made, inputs, node.weights_at)})

    def _reread(self, node: Node) -> dict[Order, int]:
        """The stored values of the input, read as the permuted value."""
        order = _permutation(node.operation)
        # Dimension i of the result is dimension order[i] of the input.
        return {
            tuple([order.index(dim) for dim in have]): value for have, value in self._stored[node.inputs[0]].items()
        }

    def _orders(self, node: Node) -> tuple[Order, ...]:
        """The order in which the op takes each input."""
        operation = node.operation
        ranks = [len(given.shape) for given in operation.inputs]
        if operation.name in SPATIAL:
            return (channels_last(ranks[0]), *[natural(rank) for rank in ranks[1:]])
        if _takes_any(operation) and len(set(ranks)) == 1:
            last = channels_last(ranks[0])
            if any(last in self._stored[value] for value in node.inputs):
                return (last,) * len(ranks)
        return tuple([natural(rank) for rank in ranks])


def _frame(address: str) -> str:
    return address[: max(address.rfind("/"), address.rfind("["), address.rfind(":"), 0)]


def _ordered(type_: TensorType, order: Order) -> TensorType:
    return TensorType(type_.dtype, tuple([type_.shape[dim] for dim in order]))


def _permutation(operation: Operation) -> Order:
    made = as_permute(operation) if operation.name == "transpose" else operation
    return tuple(made.attribute("order"))


def as_permute(operation: Operation) -> Operation:
    """A `transpose` as the `permute` that it is."""
    rank = len(operation.output.shape)
    order = list(range(rank))
    a, b = operation.attribute("a") % rank, operation.attribute("b") % rank
    order[a], order[b] = order[b], order[a]
    return attrs.evolve(operation, name="permute", attributes=(("order", tuple(order)),))


# ---------------------------------------------------------------- ops in another order


def _takes_any(operation: Operation) -> bool:
    if operation.name == "flatten":
        return bool(operation.attribute("start") == 2)
    return "elementwise" in operation.traits or operation.name in ("drop_path", *_RENUMBERED)


def _rewritten(operation: Operation, orders: tuple[Order, ...]) -> tuple[Operation, Order]:
    """The operation on inputs in these orders, and the order of its result."""
    rank = len(operation.output.shape)
    inputs = tuple([_ordered(given, order) for given, order in zip(operation.inputs, orders, strict=True)])
    if not orders or orders[0] == natural(len(orders[0])):
        return operation, natural(rank)
    if operation.name in _RENUMBERED:
        attributes, result = _RENUMBERED[operation.name](dict(operation.attributes), operation, orders[0])
        name = "reshape" if operation.name == "flatten" else operation.name
    else:
        name, attributes, result = operation.name, dict(operation.attributes), channels_last(rank)
    made = attrs.evolve(
        operation,
        name=name,
        attributes=tuple(attributes.items()),
        inputs=inputs,
        output=_ordered(operation.output, result),
    )
    return made, result


def _axis(attributes: Attributes, operation: Operation, order: Order) -> tuple[Attributes, Order]:
    return {**attributes, "axis": order.index(attributes["axis"] % len(order))}, order


def _axes(attributes: Attributes, operation: Operation, order: Order) -> tuple[Attributes, Order]:
    return {**attributes, "axes": tuple([order.index(axis % len(order)) for axis in attributes["axes"]])}, order


def _reduction(attributes: Attributes, operation: Operation, order: Order) -> tuple[Attributes, Order]:
    axis = attributes["axis"] % len(order)
    attributes = {**attributes, "axis": order.index(axis)}
    if attributes["keep"]:
        return attributes, order
    return attributes, tuple([dim - (dim > axis) for dim in order if dim != axis])


def _pad(attributes: Attributes, operation: Operation, order: Order) -> tuple[Attributes, Order]:
    amount = attributes["amount"]
    pairs = [tuple(amount[i : i + 2]) for i in range(0, len(amount), 2)]
    pairs += [(0, 0)] * (len(order) - len(pairs))
    by_dim = pairs[::-1]
    moved = [by_dim[dim] for dim in order][::-1]
    return {**attributes, "amount": tuple([side for pair in moved for side in pair])}, order


def _flatten(attributes: Attributes, operation: Operation, order: Order) -> tuple[Attributes, Order]:
    """Space made one dimension, the channels still last."""
    shape: tuple[Dim, ...] = operation.output.shape
    return {"shape": (shape[2], shape[1])}, channels_last(3)


_RENUMBERED: Mapping[str, Callable[[Attributes, Operation, Order], tuple[Attributes, Order]]] = {
    "softmax": _axis,
    "log_softmax": _axis,
    "concat": _axis,
    "slice": _axis,
    "roll": _axis,
    "take": _axis,
    "fake_quantize": _axes,
    "mean": _reduction,
    "max_reduce": _reduction,
    "min_reduce": _reduction,
    "pad": _pad,
    "flatten": _flatten,
}
