"""Goes through the calls of a model and builds the graph of what they do.

Keras has the channels last and archlang first. A tensor [n, h, w, c] is therefore a view of a value
[n, c, h, w] wherever an op of space made it; ops that work in any order work on the value as it is
(`arranged`), so that dimensions are moved only where the order matters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import attrs
import keras
import numpy as np

from archlang.conversion.builder import Frame, GraphBuilder
from archlang.conversion.data import Data, Unsupported
from archlang.conversion.layout import Layout
from archlang.conversion.lowering import Lowering
from archlang_tensorflow.capture.known import Known
from archlang_tensorflow.lowering import LOWERINGS
from archlang_tensorflow.places import in_order

Rule = TypeVar("Rule", bound=Callable[..., Any])
Order = tuple[int, ...]  # dimension i of the value is dimension order[i] of the tensor
LAYERS: dict[type, Callable[..., Any]] = {}
OPERATIONS: dict[str, Callable[..., Any]] = {}


def layer(*kinds: type) -> Callable[[Rule], Rule]:
    """What calls of layers of these classes are: a function of the lowerer, the layer, and the call's arguments."""

    def register(function: Rule) -> Rule:
        for kind in kinds:
            LAYERS[kind] = function
        return function

    return register


def operation(*names: str) -> Callable[[Rule], Rule]:
    """What the operations of `keras.ops` of these classes are: a function of the lowerer, the operation
    and its arguments."""

    def register(function: Rule) -> Rule:
        for name in names:
            OPERATIONS[name] = function
        return function

    return register


def rule_of(made: Any) -> Callable[..., Any] | None:
    """The rule of a layer: that of the class whose `call` it has."""
    kinds: tuple[Any, ...] = type(made).__mro__
    return next((LAYERS[kind] for kind in kinds if kind in LAYERS and type(made).call is kind.call), None)


def natural(rank: int) -> Order:
    """The tensor's own order."""
    return tuple(range(rank))


def channels_first(rank: int) -> Order:
    """The order of ops of space; the tensor's own where there is no space."""
    return (0, rank - 1, *range(1, rank - 1)) if rank > 2 else natural(rank)


class Lowerer(Lowering):
    """What Keras's layers are lowered with: their constants are `Known`."""

    def __init__(self, builder: GraphBuilder, batch: int):
        super().__init__(builder, batch)
        self.used: set[int] = set()  # the variables that ops have

    def add(self, op: str, *inputs: int, weights: Mapping[str, Known | None] | None = None, **attributes: Any) -> int:
        """An op where the call is; weights that are None are left out."""
        given = {name: weight for name, weight in (weights or {}).items() if weight is not None}
        keys = tuple([weight.key for weight in given.values()])
        self.used |= {id(weight.source) for weight in given.values()}
        return self.builder.add(
            op,
            *inputs,
            at=self.at,
            weights={name: weight.array for name, weight in given.items()},
            keys=keys if None not in keys else (),
            **attributes,
        )

    @contextmanager
    def within(self, part: str, block: str = "") -> Iterator[None]:
        """A part of the layer that is being lowered, which is a module of its own."""
        before = self.at, self.around
        above = f"{self.at[-1].address}/" if self.at else ""
        self.at = self.around = (*self.at, Frame(f"{above}{part}", block or part))
        try:
            yield
        finally:
            self.at, self.around = before

    # -------------------------------------------------------------- orders of dimensions

    def order(self, *xs: Data) -> Order:
        """The order in which tensors of one rank are kept: with the channels first if any of them is."""
        rank = xs[0].rank
        first = channels_first(rank)
        kept = any(self.steps(permuted(x, first)) == 0 for x in xs)
        return first if kept else natural(rank)

    def value(self, x: Data, order: Order, repeat: bool = False) -> int:
        """The value that has the tensor's dimensions in an order."""
        found = self.settle(permuted(x, order), repeat)
        if found.at != 0 or found.fold > 1:
            raise Unsupported("a tensor whose batch is not its first dimension")
        return found.value

    def result(self, value: int, order: Order) -> Data:
        """A value whose dimensions are in an order, as the model's tensor."""
        back = sorted(range(len(order)), key=order.__getitem__)
        return permuted(self.data(value), tuple(back))

    def space(self, op: str, x: Data, weights: Mapping[str, Known | None] | None = None, **attributes: Any) -> Data:
        """An op on channels and space, which are [n, …, c] in the model."""
        order = channels_first(x.rank)
        made = self.add(op, self.value(x, order), weights=weights, **attributes)
        return self.result(made, channels_first(len(self.builder.sizes(made)) + 1))

    def each(self, op: str, x: Data, **attributes: Any) -> Data:
        """An op on every element by itself."""
        order = self.order(x)
        return self.result(self.add(op, self.value(x, order), **attributes), order)

    def along(self, op: str, axis: int, *xs: Data, **attributes: Any) -> Data:
        """An op along a dimension that stays, of one tensor or several of one rank."""
        order = self.order(*xs)
        values = [self.value(x, order) for x in xs]
        return self.result(self.add(op, *values, axis=order.index(axis % len(order)), **attributes), order)

    def made_by(self, x: Data, *ops: str) -> tuple[Any, Data] | None:
        """The operation of these names that makes all of a tensor, and its first input in the same order."""
        order = self.order(x)
        if self.steps(permuted(x, order)):
            return None
        made = self.builder.made_by(x.value)
        if made is None or made[0].name not in ops or made[0].inputs[0].shape != made[0].output.shape:
            return None
        return made[0], Data(made[1][0], x.layout)

    # -------------------------------------------------------------- what is known beside data

    def weights(self, of: Any, op: str, **names: str) -> dict[str, Known | None]:
        """The variables of a layer as the weights of an op: the layer's names by those of the op."""
        return {name: ordered(self.variable(of, own), op, name) for name, own in names.items()}

    def variable(self, of: Any, name: str) -> Known | None:
        """A variable of a layer, None where it has none."""
        found = getattr(of, name, None)
        if found is None:
            return None
        if not is_variable(found):
            raise Unsupported("a layer whose weights are computed")
        return Known.variable(found)

    def for_each_sample(self, known: Known, rank: int, order: Order) -> Known:
        """What is to be combined with tensors of a rank, for one sample, in an order."""
        if len(known.shape) > rank:
            raise Unsupported("a constant with more dimensions than what it is combined with")
        known = known.reshaped((*(1,) * (rank - len(known.shape)), *known.shape)).transposed(order)
        if known.shape[0] not in (1, self.batch):
            raise Unsupported("a constant that differs between the samples of a batch")
        what = known.array if known.places is None else known.places
        if not bool((what == what[:1]).all()):
            raise Unsupported("a constant that differs between the samples of a batch")
        return known.apply(lambda a: a[0], "sample")

    def learned(self, known: Known, beside: int) -> int:
        """Something known as a tensor for each sample; `beside` is a value that says how many there are."""
        if not np.issubdtype(known.array.dtype, np.floating):
            known = Known(known.array.astype(np.float32))
        op = "constant" if known.source is None else "parameter"
        flat = known.reshaped((known.array.size,))
        return self.add(op, beside, shape=known.shape or (1,), weights={"value": flat})


def permuted(x: Data, order: Order) -> Data:
    return x if order == natural(len(order)) else attrs.evolve(x, layout=x.layout.permuted(order))


def viewed(lo: Lowerer, x: Data, change: Callable[[Layout], Layout | None]) -> Data:
    """A view of data; of a tensor that is rearranged already, the rearranged one is made first."""
    layout = change(x.layout)
    if layout is None:
        x = lo.data(lo.value(x, natural(x.rank)))
        layout = change(x.layout)
    if layout is None:
        raise Unsupported("a view across the batch")
    return Data(x.value, layout)


def ordered(known: Known | None, op: str, name: str = "kernel") -> Known | None:
    """A variable of Keras's layer for an op with its dimensions in the op's own order."""
    kind = LOWERINGS.get(op)
    axes = getattr(kind, "axes", {}).get(name)
    return known if known is None or axes is None else known.apply(lambda a: in_order(a, axes), axes)


def is_variable(x: Any) -> bool:
    return isinstance(x, keras.Variable)
