"""Builds the graph of a model while its tensors are followed through views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, prod
from typing import Any

import attrs

from archlang.conversion.builder import GraphBuilder, Place
from archlang.conversion.data import Data, Settled, Unsupported
from archlang.conversion.layout import Layout, Step

_COPIES = 64  # the most that a tensor is repeated


class Lowering:
    """The graph as far as it is built, and where in the model the calls are that are being lowered.

    `batch` is the number of samples that the model was followed with. A frontend says in `add` what the
    weights of a call are.
    """

    def __init__(self, builder: GraphBuilder, batch: int):
        self.builder = builder
        self.batch = batch
        self.at: Place = ()  # the modules around the call
        self.around: Place = ()  # those but the framework's own layers, to which rearranged inputs do not belong
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
            if not layout.common:
                raise Unsupported("a tensor whose batch is not a dimension of its own")
            at, layout = data.rank, layout.for_each(self.batch)
        sizes = layout.batch_first()
        fold = sizes[0] if len(sizes) == data.rank and at < data.rank else 1
        key = data.value, layout.normal()
        found = self._settled.get(key)
        if found is None or self.builder.sizes(found) != sizes:
            found = self._settled[key] = self._rearranged(data, layout)
        return Settled(found, at, fold, data.rank, layout.turned)

    def common(self, value: int) -> Data:
        """A value that is the same for each sample as the model's tensor without a batch."""
        layout = Layout.contiguous((self.batch, *self.builder.sizes(value)))
        return Data(value, attrs.evolve(layout, dims=layout.dims[1:]))

    @staticmethod
    def widened(x: Data, rank: int) -> Data:
        """The data with leading dimensions of size 1, as broadcasting puts them."""
        missing = rank - x.rank
        return Data(x.value, attrs.evolve(x.layout, dims=((),) * missing + x.layout.dims)) if missing > 0 else x

    def steps(self, x: Data) -> float:
        """How many ops it takes to make the data of the value that it is a view of."""
        found = x.layout.collapsed().steps(self.builder.sizes(x.value))
        return inf if found is None else len(found)

    def _rearranged(self, data: Data, layout: Layout) -> int:
        value, at = data.value, self.around if data.at is None else data.at
        if layout.repeats:
            return self._repeated(data, layout)
        steps = layout.steps(self.builder.sizes(value))
        if steps is None:
            raise Unsupported("a view that no slices and reshapes are")
        made = self.builder.made_by(value)
        if made and steps == (("flatten", {"start": 1}),) and made[0].name.startswith("adaptive_avg_pool"):
            operation, inputs = made
            if operation.attribute("out") == 1:
                return self.builder.add("global_avg_pool", *inputs, at=at)
        groups = _shuffled(self.builder.sizes(value), layout.batch_first(), steps)
        if groups:
            return self.builder.add("channel_shuffle", value, at=at, groups=groups)
        for op, attributes in steps:
            value = self.builder.add(op, value, at=at, **attributes)
        return value

    def unsettle(self, value: int, like: Settled, removed: Sequence[int] = ()) -> Data:
        """A value of the graph as a tensor of the model: its dimensions stand as in `like`, without those
        that are `removed` (numbered as the graph's were)."""
        layout = Layout.contiguous((self.batch, *self.builder.sizes(value)))
        dims = list(layout.dims)
        batch = dims.pop(0)
        if like.common:
            return Data(value, attrs.evolve(layout, dims=tuple(dims)))
        if like.fold > 1:
            beside = dims.pop(0)
            batch = beside + batch if like.turned else batch + beside
        at = like.at - sum(1 for axis in removed if axis - 1 - (like.fold > 1) < like.at)
        return Data(value, attrs.evolve(layout, dims=(*dims[:at], batch, *dims[at:])))

    def plain(self, data: Data, rank: int | None = None) -> int:
        """The value of data whose batch is its first dimension, and nothing besides."""
        if data.layout.common and data.rank and data.shape[0] == 1:
            data = Data(data.value, data.layout.for_each(self.batch, 1))
        found = self.settle(data)
        if found.at != 0 or found.fold > 1:
            raise Unsupported("a tensor whose batch is not its first dimension")
        if rank is not None and data.rank != rank:
            raise Unsupported(f"a layer whose input has {data.rank} dimensions")
        return found.value

    def _repeated(self, data: Data, layout: Layout) -> int:
        """What repeats elements: the tensor without repetition, several times one after another."""
        atoms = [atom for dim in layout.dims for atom in dim if atom[0] > 1]
        if sum(stride == 0 for _, stride in atoms) > 3 or prod(size for size, stride in atoms if not stride) > _COPIES:
            raise Unsupported("a tensor that is repeated along a dimension")
        at = layout.batch
        if at is None or layout.turned or len([a for a in layout.dims[at] if a[0] > 1]) > 1:
            raise Unsupported("a tensor that is repeated along the batch")
        apart = attrs.evolve(layout, dims=tuple([(atom if atom[1] else (1, 0),) for atom in atoms]))
        settled = self.settle(Data(data.value, apart, at=data.at))
        value = settled.value
        for axis, (size, stride) in enumerate(atoms):
            if stride == 0:
                value = self.builder.add("concat", *[value] * size, at=self.around, axis=settled.axis(axis))
        return self.builder.add("reshape", value, at=self.around, shape=layout.batch_first())

    # -------------------------------------------------------------- ops

    def add(self, op: str, *inputs: int, weights: Mapping[str, Any] | None = None, **attributes: Any) -> int:
        """An op where the call is, with its weights as the frontend knows them; its value."""
        raise NotImplementedError

    def each(self, op: str, x: Data, **attributes: Any) -> Data:
        """An op on every element by itself."""
        settled = self.settle(x)
        return self.unsettle(self.add(op, settled.value, **attributes), settled)

    def last(self, op: str, x: Data, weights: Mapping[str, Any] | None = None, **attributes: Any) -> Data:
        """An op along the last dimension."""
        settled = self.settle(x)
        if settled.at == settled.rank - 1:
            raise Unsupported("an operation along the batch")
        return self.unsettle(self.add(op, settled.value, weights=weights, **attributes), settled)


def _shuffled(sizes: Sequence[int], target: Sequence[int], steps: Sequence[Step]) -> int:
    """The number of groups when steps take the channels of an image from each group in turn, else 0."""
    if tuple(target) != tuple(sizes) or len(sizes) < 2 or len(steps) != 3:
        return 0
    (_, split), (turn, order), _ = steps
    groups, each = (*split.get("shape", ()), 0, 0)[:2]
    return groups if turn == "permute" and groups * each == sizes[0] and order["order"] == (0, 2, 1, 3) else 0
