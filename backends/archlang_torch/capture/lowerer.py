"""Goes through the calls of a model and builds the graph of what they do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Any, TypeVar

import attrs
import numpy as np
import torch
from torch import Tensor

from archlang.conversion.builder import GraphBuilder, Place
from archlang.conversion.captured import Array
from archlang.conversion.layout import Layout
from archlang_torch.capture.values import Data, Known, Settled, Unsupported

Rule = TypeVar("Rule", bound=Callable[..., Any])
RULES: dict[str, Callable[..., Any]] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """What the ATen calls of these names are in archlang: a function of the lowerer and the call's arguments."""

    def register(function: Rule) -> Rule:
        for name in names:
            RULES[name] = function
        return function

    return register


class Lowerer:
    """The graph as far as it is built, and where in the model the calls are that are being lowered.

    `batch` is the number of samples that the model was exported with.
    """

    def __init__(self, builder: GraphBuilder, batch: int):
        self.builder = builder
        self.batch = batch
        self.at: Place = ()  # the modules around the call
        self.around: Place = ()  # those but torch's own layers, to which rearranged inputs do not belong
        self.tables: set[object] = set()  # the parameters that are tables of embeddings
        self._settled: dict[tuple[int, Layout], int] = {}

    # -------------------------------------------------------------- data and values

    def data(self, value: int) -> Data:
        """A value of the graph as the model's tensor with the batch first."""
        return Data(value, Layout.contiguous((self.batch, *self.builder.sizes(value))))

    def settle(self, data: Data, repeat: bool = False) -> Settled:
        """The value that is the data; with `repeat` dimensions that only repeat stay of size 1."""
        layout = data.layout.collapsed() if repeat else data.layout
        at = layout.batch
        if at is None:
            raise Unsupported("a tensor whose batch is not a dimension of its own")
        sizes = layout.batch_first()
        fold = sizes[0] if len(sizes) == data.rank else 1
        key = data.value, layout.normal()
        found = self._settled.get(key)
        if found is None or self.builder.sizes(found) != sizes:
            found = self._settled[key] = self._rearranged(data.value, layout)
        return Settled(found, at, fold, data.rank)

    @staticmethod
    def widened(x: Data, rank: int) -> Data:
        """The data with leading dimensions of size 1, as broadcasting puts them."""
        missing = rank - x.rank
        return Data(x.value, attrs.evolve(x.layout, dims=((),) * missing + x.layout.dims)) if missing > 0 else x

    def steps(self, x: Data) -> float:
        """How many ops it takes to make the data of the value that it is a view of."""
        found = x.layout.collapsed().steps(self.builder.sizes(x.value))
        return inf if found is None else len(found)

    def _rearranged(self, value: int, layout: Layout) -> int:
        if layout.repeats:
            raise Unsupported("a tensor that is repeated along a dimension")
        steps = layout.steps(self.builder.sizes(value))
        if steps is None:
            raise Unsupported("a view that no slices and reshapes are")
        made = self.builder.made_by(value)
        if made and steps == (("flatten", {"start": 1}),) and made[0].name == "adaptive_avg_pool2d":
            operation, inputs = made
            if operation.attribute("out") == 1:
                return self.builder.add("global_avg_pool", *inputs, at=self.around)
        for op, attributes in steps:
            value = self.builder.add(op, value, at=self.around, **attributes)
        return value

    def unsettle(self, value: int, like: Settled, removed: Sequence[int] = ()) -> Data:
        """A value of the graph as a tensor of the model: its dimensions stand as in `like`, without those
        that are `removed` (numbered as the graph's were)."""
        layout = Layout.contiguous((self.batch, *self.builder.sizes(value)))
        dims = list(layout.dims)
        batch = dims.pop(0)
        if like.fold > 1:
            batch += dims.pop(0)
        at = like.at - sum(1 for axis in removed if axis - 1 - (like.fold > 1) < like.at)
        return Data(value, attrs.evolve(layout, dims=(*dims[:at], batch, *dims[at:])))

    def plain(self, data: Data, rank: int | None = None) -> int:
        """The value of data whose batch is its first dimension, and nothing besides."""
        found = self.settle(data)
        if found.at != 0 or found.fold > 1:
            raise Unsupported("a tensor whose batch is not its first dimension")
        if rank is not None and data.rank != rank:
            raise Unsupported(f"a layer whose input has {data.rank} dimensions")
        return found.value

    # -------------------------------------------------------------- ops

    def add(self, op: str, *inputs: int, weights: Mapping[str, Known | None] | None = None, **attributes: Any) -> int:
        """An op where the call is; weights that are None are left out."""
        given = {name: weight for name, weight in (weights or {}).items() if weight is not None}
        keys = tuple([weight.key for weight in given.values()])
        return self.builder.add(
            op,
            *inputs,
            at=self.at,
            weights={name: array(weight.tensor) for name, weight in given.items()},
            keys=keys if None not in keys else (),
            **attributes,
        )

    def each(self, op: str, x: Data, **attributes: Any) -> Data:
        """An op on every element by itself."""
        settled = self.settle(x)
        return self.unsettle(self.add(op, settled.value, **attributes), settled)

    def last(self, op: str, x: Data, weights: Mapping[str, Known | None] | None = None, **attributes: Any) -> Data:
        """An op along the last dimension."""
        settled = self.settle(x)
        if settled.at == settled.rank - 1:
            raise Unsupported("an operation along the batch")
        return self.unsettle(self.add(op, settled.value, weights=weights, **attributes), settled)

    # -------------------------------------------------------------- what is known beside data

    def for_each_sample(self, known: Known, like: Settled) -> Known:
        """What is to be combined with data, for one sample: the same dimensions as the graph's value has
        behind the batch."""
        if len(known.shape) > like.rank:
            raise Unsupported("a constant with more dimensions than what it is combined with")
        missing = like.rank - len(known.shape)
        known = known.apply(lambda t: t[(None,) * missing] if missing else t)
        size = known.shape[like.at]
        if size == self.batch * like.fold:
            apart = known.apply(
                lambda t: t.reshape(*t.shape[: like.at], self.batch, like.fold, *t.shape[like.at + 1 :]).movedim(
                    (like.at, like.at + 1), (0, 1)
                )
            )
        elif size == 1:
            apart = known.apply(lambda t: t.movedim(like.at, 0)[None])
        else:
            raise Unsupported("a constant that differs between the samples of a batch")
        what = apart.tensor if apart.places is None else apart.places
        if size > 1 and not bool((what == what[:1]).all()):
            raise Unsupported("a constant that differs between the samples of a batch")
        return apart.apply(lambda t: t[0] if like.fold > 1 else t[0, 0])

    def learned(self, known: Known, beside: int) -> int:
        """Something known as a tensor for each sample; `beside` is a value that says how many there are."""
        shape = known.shape
        if not known.tensor.is_floating_point():
            raise Unsupported("a constant of whole numbers")
        if known.source is not None:
            flat = known.apply(lambda t: t.reshape(-1))
            return self.add("parameter", beside, shape=shape, weights={"value": flat})
        return self.add("constant", beside, shape=shape, weights={"value": Known(known.tensor.reshape(-1))})


def array(tensor: Tensor) -> Array:
    """A tensor's numbers, those of bf16 as f32."""
    tensor = tensor.detach().cpu()
    return np.ascontiguousarray((tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy())
