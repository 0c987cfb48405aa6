"""Partial channels (Xu et al. 2020, PC-DARTS): a choice of blocks is applied to the first part of a tensor's
channels, what it gives is concatenated with the rest, and the channels are shuffled.

The alternatives are evaluated as if their text stood in a network of so many channels: the names that the
input of the block around gives to its channels are those of the part. Where they do not keep the number of
channels, or differ in type, the choice is applied to the whole tensor.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from archlang.diagnostics import Span
from archlang.semantics import operations
from archlang.semantics.diagram import leaf_key, leaves
from archlang.semantics.fault import Fault
from archlang.semantics.needs import flat
from archlang.semantics.parameters import match
from archlang.semantics.values import (
    FUNCTIONS,
    ComposeValue,
    Deferred,
    Env,
    Frame,
    LabelledValue,
    OpValue,
    SharedValue,
    Site,
    Tensor,
    Thunk,
    Value,
)

if TYPE_CHECKING:
    from archlang.semantics.evaluator import Evaluator

SEGMENT = "partial-channels"  # of the addresses of what is done besides; no name in a text has a hyphen
_STATIC = (int, float, bool, str, Fault, *FUNCTIONS)


def applied(
    ev: Evaluator, function: Value, value: Value, site: Site, span: Span, frame: Frame, apply: Callable[..., Value]
) -> Value:
    """A function (perhaps a thunk) applied to one value: `apply` does that for a plain one of each."""
    found, asked = ev.apart(lambda: ev.force(function))
    if all(_is_chosen(leaf) for leaf in leaves(found) if type(leaf) is not Fault):
        split, needs = ev.apart(lambda: _Split(ev, ev.force(value), site, span, frame).around(function, apply))
        if type(split) is Tensor:
            ev.note(needs)
            return split
    ev.note(asked)
    return ev.bind(found, lambda leaf: apply(leaf, value))


def channel_axis(rank: int) -> int:
    """Which dimension holds the channels: of [n, d] and [n, l, d] the last, of [n, c, h, w] and more the second."""
    return rank - 1 if rank < 4 else 1


def _is_chosen(function: Value) -> bool:
    """Whether a function came through an alternative of a choice, or is composed of such."""
    match function:
        case LabelledValue():
            return True
        case SharedValue(inner):
            return _is_chosen(inner)
        case ComposeValue(first, second):
            return _is_chosen(first) or _is_chosen(second)
    return False


class _Split:
    """A tensor in two parts."""

    def __init__(self, ev: Evaluator, value: Value, site: Site, span: Span, frame: Frame):
        self._ev = ev
        self._value = value
        self._site = site.enter(SEGMENT)
        self._span = span
        self._module = frame.module

    def around(self, function: Value, apply: Callable[..., Value]) -> Value:
        """What a choice of blocks gives for the first part, with the rest; None where that is not to be."""
        ev, whole, count = self._ev, self._value, self._ev.partial
        if type(whole) is not Tensor or len(whole.shape) < 2:
            return None
        axis = channel_axis(len(whole.shape))
        channels = whole.shape[axis]
        if not all(type(leaf) is int and leaf % count == 0 for leaf in leaves(channels)):
            return None
        size = ev.lift(lambda channels: channels // count, channels)
        there = whole.where(True)  # so that only what the alternatives lack is seen
        first = self._op("first", "slice", [there], axis=axis, start=0, stop=size)
        full, asked_of_all = ev.apart(lambda: ev.bind(ev.force(function), lambda leaf: apply(leaf, there)))
        made, asked = ev.apart(lambda: ev.bind(self._narrow(function, axis, size), lambda leaf: apply(leaf, first)))
        if not (type(full) is type(made) is Tensor and full.dtype == made.dtype == whole.dtype):
            return None
        if not (_keeps(full, whole, axis) and _keeps(made, first, axis) and _alike(made, full, axis)):
            return None
        if self._asks(asked) != self._asks(asked_of_all) or self._existing(made) is not self._existing(full):
            return None
        ev.note(asked)
        rest = self._op("rest", "slice", [there], axis=axis, start=size, stop=channels)
        if not _alike(made, rest, axis):
            if len(whole.shape) != 4:
                return None
            odd = any(type(leaf) is not int or leaf % 2 == 1 for dim in whole.shape[2:] for leaf in leaves(dim))
            rest = self._op("max_pool2d", "max_pool2d", [rest], kernel=2, stride=2, padding=0, ceil=odd)
            if not _alike(made, rest, axis):
                return None
        joined = self._op("concat", "concat", [ev.mask(made, whole.ok), rest], axis=axis)
        return joined if axis != 1 else self._op("channel_shuffle", "channel_shuffle", [joined], groups=count)

    def _asks(self, needs: dict[Any, Value]) -> dict[int, Value]:
        """The decisions that are asked, with their conditions."""
        return {key: asked for key, asked in flat(self._ev.diagrams, needs).items() if type(key) is int}

    def _existing(self, tensor: Tensor) -> Value:
        """For which choices there is a tensor."""
        return self._ev.diagrams.map_leaves(tensor.ok, lambda leaf: leaf is True)

    def _op(self, name: str, op: str, inputs: list[Value], **config: Any) -> Any:
        ev, span = self._ev, self._span
        declared = operations.library_op(op, self._module)
        given = match(declared.declaration.config, [(key, value, span) for key, value in config.items()], op, span)
        configured = OpValue(declared.declaration, declared.module, given, span)
        return operations.apply_op(ev, configured, inputs, self._site.enter(name), span)

    # ------------------------------------------------------------------ names

    def _narrow(self, function: Value, axis: int, size: Value) -> Value:
        """The function as its text is where the channels are the part."""
        if type(function) is Thunk:
            return self._ev.evaluate(function.expr, self._renamed(function.env, axis, size))
        return self._ev.force(function)

    def _renamed(self, env: Env, axis: int, size: Value) -> Env:
        """The names in which those of the channels, and what is worked out from them, are of the part."""
        names: dict[str, Value] = {}
        for name, value in env.names.items():
            place = env.frame.dims.get(name) if env.frame.dims is not None else None
            if place is not None:
                names[name] = Deferred(partial(self._channels, *place, value, axis, size))
            elif type(value) is Thunk:
                names[name] = Deferred(partial(self._derived, value, axis, size))
        return env.bind(names)

    def _channels(self, tensor: Value, place: int, name: Value, axis: int, size: Value) -> Value:
        """The value of a name for a dimension of an input: that of the part where it is the number of channels."""
        value = self._ev.force(name)
        given = self._ev.force(tensor)
        if type(given) is Tensor and place % len(given.shape) == channel_axis(len(given.shape)):
            return size if leaf_key(value) == leaf_key(self._value.shape[axis]) else value
        return value

    def _derived(self, thunk: Thunk, axis: int, size: Value) -> Value:
        value = self._ev.force(thunk)
        if all(isinstance(leaf, _STATIC) for leaf in leaves(value)):
            return self._ev.evaluate(thunk.expr, self._renamed(thunk.env, axis, size))
        return value


def _alike(made: Tensor, other: Tensor, axis: int) -> bool:
    """Whether two tensors differ in one dimension at most."""
    pairs = enumerate(zip(made.shape, other.shape, strict=False))
    same = all(leaf_key(a) == leaf_key(b) for place, (a, b) in pairs if place != axis)
    return same and len(made.shape) == len(other.shape)


def _keeps(made: Tensor, given: Tensor, axis: int) -> bool:
    """Whether a tensor has the rank and the channels of what it was made of."""
    same_rank = len(made.shape) == len(given.shape)
    return same_rank and leaf_key(made.shape[axis]) == leaf_key(given.shape[axis])
