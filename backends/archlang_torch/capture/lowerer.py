"""Goes through the calls of a model and builds the graph of what they do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

import attrs
import numpy as np
import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from archlang.conversion.builder import GraphBuilder
from archlang.conversion.captured import Array
from archlang.conversion.data import Data, Settled, Unsupported
from archlang.conversion.lowering import Lowering
from archlang.diagnostics import ArchError
from archlang_torch.capture.values import Known

_LAYERS = frozenset(["linear", "layer_norm", "batch_norm", "group_norm", "conv1d", "conv2d", "conv3d"])

Rule = TypeVar("Rule", bound=Callable[..., Any])
RULES: dict[str, Callable[..., Any]] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """What the ATen calls of these names are in archlang: a function of the lowerer and the call's arguments."""

    def register(function: Rule) -> Rule:
        for name in names:
            RULES[name] = function
        return function

    return register


class Lowerer(Lowering):
    """What ATen's calls are lowered with: their constants are `Known`."""

    def __init__(self, builder: GraphBuilder, batch: int):
        super().__init__(builder, batch)
        self.tables: set[object] = set()  # the parameters that are tables of embeddings
        self.used: dict[int, Tensor] = {}  # for each parameter which elements are
        self.merged: dict[str, None] = {}  # the places of weights that are worked out of parameters with other numbers
        self._lifted: dict[object, tuple[Known, Data]] = {}

    def add(self, op: str, *inputs: int, weights: Mapping[str, Known | None] | None = None, **attributes: Any) -> int:
        """An op where the call is; weights that are None are left out."""
        given = {name: weight for name, weight in (weights or {}).items() if weight is not None}
        for weight in given.values():
            self._use(weight)
        keys = tuple([weight.key for weight in given.values()])
        return self.builder.add(
            op,
            *inputs,
            at=self.at,
            weights={name: array(weight.tensor) for name, weight in given.items()},
            keys=keys if None not in keys else (),
            **attributes,
        )

    def _use(self, known: Known) -> None:
        """Keep that elements of parameters are used."""
        for key, source in known.sources.items():
            used = self.used.setdefault(key, torch.zeros(source.numel(), dtype=torch.bool))
            used[slice(None) if known.places is None else known.places.reshape(-1)] = True
        if known.composed:
            self.merged.setdefault(self.at[-1].address if self.at else self.builder.name)

    # -------------------------------------------------------------- what is known beside data

    def for_each_sample(self, known: Known, like: Settled) -> Known:
        """What is to be combined with data, for one sample: the same dimensions as the graph's value has
        behind the batch."""
        if len(known.shape) > like.rank:
            raise Unsupported("a constant with more dimensions than what it is combined with")
        missing = like.rank - len(known.shape)
        known = known.apply(lambda t: t[(None,) * missing] if missing else t)
        if like.common:
            return known
        size = known.shape[like.at]
        if like.turned:
            raise Unsupported("a constant beside a batch that is not the slowest part of its dimension")
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
            if flat.places is not None and len(set(flat.places.tolist())) < len(flat.places):
                return self._chosen(flat, shape, beside)
            return self.add("parameter", beside, shape=shape, weights={"value": flat})
        return self.add("constant", beside, shape=shape, weights={"value": Known(known.tensor.reshape(-1))})

    def known_beside(self, known: Known, like: Settled) -> int:
        """The value of what is known, to be combined with data: worked out by ops where several calls use it,
        or where no parameter can stand for it."""
        if known.composed or (known.uses > 1 and known.source is not None and known.moves is not None):
            with suppress(Unsupported):
                if known.moves is not None:
                    return self.settle(self.lifted(self.for_each_sample(known, like))).value
                self.for_each_sample(known, like)
                found = self.widened(self.lifted(known), like.rank)
                return self.settle(found if like.common else self.without_batch(found, like), repeat=True).value
        return self.learned(self.for_each_sample(known, like), like.value)

    def without_batch(self, x: Data, like: Settled) -> Data:
        """Data without a batch, without the dimension that is the batch of what it is combined with."""
        layout = x.layout.collapsed()
        if like.fold > 1 and layout.shape[like.at] == 1:
            order = [like.at, *(axis for axis in range(x.rank) if axis != like.at)]
            return Data(x.value, layout.permuted(order))
        first = layout.sliced(like.at, 0, 1)
        if like.fold > 1 or layout.shape[like.at] not in (1, self.batch) or first is None:
            raise Unsupported("tensors whose batches are at different places")
        return Data(x.value, attrs.evolve(first, dims=(*first.dims[: like.at], *first.dims[like.at + 1 :])))

    def _chosen(self, flat: Known, shape: tuple[int, ...], beside: int) -> int:
        """Elements of a parameter, some of them several times."""
        assert flat.source is not None
        assert flat.places is not None
        table = Known.parameter(flat.source).apply(lambda t: t.reshape(-1))
        weights = {"table": table, "places": Known(flat.places.float())}
        return self.add("indexed_parameter", beside, size=flat.source.numel(), shape=shape, weights=weights)

    def lifted(self, known: Known) -> Data:
        """What is worked out of parameters, worked out by ops: a tensor without a batch. Unsupported where a
        call has no op. What several calls use belongs to no module."""
        key = known.key or id(known)
        found = self._lifted.get(key)
        if found is None:
            place = self.at, self.around
            if known.uses > 1:
                self.at = self.around = ()
            try:
                found = self._lifted[key] = known, self._worked_out(known)
            finally:
                self.at, self.around = place
        return found[1]

    def _worked_out(self, known: Known) -> Data:
        if known.made is None or known.source is None:
            if not known.shape:
                raise Unsupported("a learned number")
            return self.common(self.learned(known, 0))
        name, args, kwargs = known.made
        name = name if name.startswith("_") else name.removesuffix("_")
        if name not in RULES:
            raise Unsupported(f"`{name}`, for which there is no op")
        times = 1
        if name in _LAYERS:  # whose other arguments are their weights
            first = args[0]
            if first.source is None and first.shape[0] == self.batch and bool((first.tensor == first.tensor[:1]).all()):
                first, times = first.apply(lambda t: t[:1]), self.batch
            args = (self.lifted(first), *args[1:])
        elif name != "einsum":
            args, kwargs = pytree.tree_map(
                lambda x: self.lifted(x) if isinstance(x, Known) and x.source is not None else x,
                (args, kwargs),
                is_leaf=lambda x: isinstance(x, Known),
            )
        try:
            found = RULES[name](self, *args, **kwargs)
        except ArchError as refusal:
            raise Unsupported(refusal.diagnostics[0].message) from refusal
        if not isinstance(found, Data):
            raise Unsupported(f"a part of what `{name}` gives")
        if not found.layout.common:  # a layer that took the first dimension, of size 1, for the batch
            found = Data(found.value, attrs.evolve(found.layout, dims=(((times, 0),), *found.layout.dims[1:])))
        return found


def array(tensor: Tensor) -> Array:
    """A tensor's numbers, those of bf16 as f32."""
    tensor = tensor.detach().cpu()
    return np.ascontiguousarray((tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy())
