"""Tokens: tables of rows, positions, learned tokens."""

import attrs
import torch

from archlang.conversion.data import Data, Settled, Unsupported
from archlang.lowering.formulas import bucket_bounds
from archlang_torch.capture.lowerer import Lowerer, rule
from archlang_torch.capture.values import Known


@rule("embedding")
def embedding(lo: Lowerer, table: Known, tokens: Data, *_: object) -> Data:
    if not isinstance(table, Known) or not isinstance(tokens, Data):
        raise Unsupported("an embedding with a table that is computed")
    settled = lo.settle(tokens)
    rows, width = table.shape
    lo.tables.add(table.key)
    made = lo.add("embedding", settled.value, weights={"table": table}, vocabulary=rows, dim=width)
    return lo.unsettle(made, settled)


@rule("gather")
def gather(lo: Lowerer, values: Known, axis: int, places: Data) -> Known:
    number = values.number() if isinstance(values, Known) else None
    if number is None:
        raise Unsupported("`gather`, for which there is no op")
    return Known(torch.full(places.shape, number, dtype=values.tensor.dtype))


def added_table(lo: Lowerer, x: Data, known: Known) -> Data | None:
    """What is learned, added to data, where an op says so; None when it is another sum."""
    if known.source is None or len(known.shape) > x.rank:
        return None
    shared = known.uses > 1 and known.moves  # by several calls, for which it is one value
    settled = lo.settle(x)
    each = lo.for_each_sample(known, settled)
    sizes = lo.builder.sizes(settled.value)
    wide = [axis for axis, size in enumerate(each.shape) if size > 1]
    if wide == [len(sizes) - 1] and each.shape[-1] == sizes[-1]:
        flat = each.apply(lambda t: t.reshape(-1))
        chosen = _row(lo, settled.value, each)
        if chosen is not None or shared:
            return chosen
        return lo.unsettle(lo.add("feature_bias", settled.value, weights={"bias": flat}), settled)
    if x.rank == 3 and settled.at == 0 and settled.fold == 1 and each.shape == sizes:
        return _positions(lo, settled.value, each)
    if len(sizes) >= 3 and len(each.shape) == len(sizes) and not shared:
        return _window_bias(lo, settled, each) or _bucket_bias(lo, settled, each)
    return None


def _positions(lo: Lowerer, value: int, each: Known) -> Data | None:
    """A row of a table for each place: `position_embedding`; all rows one: the row of a table of kinds."""
    tokens, width = each.shape
    places = each.places
    if places is not None and each.source is not None and each.source.ndim == 2 and each.source.shape[1] == width:
        if bool((places == places[:1]).all()):
            return _row(lo, value, each)
        start = int(places[0, 0]) // width
        if torch.equal(places, start * width + torch.arange(tokens * width).reshape(tokens, width)):
            table = Known.parameter(each.source)
            weights = {"table": table}
            return lo.data(lo.add("position_embedding", value, weights=weights, length=table.shape[0], start=start))
    if bool((each.tensor == each.tensor[:1]).all()) and places is None:
        return None
    return lo.data(lo.add("position_embedding", value, weights={"table": each}, length=tokens))


def _row(lo: Lowerer, value: int, each: Known) -> Data | None:
    """One row of a table of several, such as the kind that all tokens are of: the embedding of a number."""
    source, places = each.source, each.places
    if source is None or places is None or source.ndim != 2 or source.shape[0] == 1 or not each.moves:
        return None
    rows = {int(row) for row in (places // source.shape[1]).reshape(-1)}
    sizes = lo.builder.sizes(value)
    tokens = next(
        (
            i
            for i, g in enumerate(lo.builder.inputs)
            if g.type.dtype in ("i64", "i32") and g.type.shape[1:] == sizes[:1]
        ),
        None,
    )
    whole = torch.equal(places.reshape(-1, source.shape[1])[0] % source.shape[1], torch.arange(source.shape[1]))
    if len(rows) != 1 or not whole or tokens is None or len(sizes) != 2:
        return None
    kinds = lo.add("fill", tokens, value=float(rows.pop()))
    table = Known.parameter(source)
    looked_up = lo.add("embedding", kinds, weights={"table": table}, vocabulary=source.shape[0], dim=source.shape[1])
    return lo.data(lo.add("add", value, looked_up))


def _window_bias(lo: Lowerer, settled: Settled, each: Known) -> Data | None:
    """A number of a table for the offset of two places of a window: `window_bias`."""
    source, places = each.source, each.places
    sizes = lo.builder.sizes(settled.value)
    heads, t, s = sizes[-3:]
    if source is None or places is None or source.ndim != 2 or source.shape[1] != heads or t != s:
        return None
    if each.shape[-3:] != (heads, t, s) or places.numel() != heads * t * s:
        return None
    for height in range(1, t + 1):
        width = t // height
        if t % height or (2 * height - 1) * (2 * width - 1) != source.shape[0]:
            continue
        at = torch.arange(t)
        down = (at // width)[:, None] - at // width + height - 1
        right = (at % width)[:, None] - at % width + width - 1
        rows = down * (2 * width - 1) + right
        if torch.equal(places.reshape(heads, t, s), rows[None] * heads + torch.arange(heads)[:, None, None]):
            table = Known.parameter(source)
            made = lo.add("window_bias", settled.value, weights={"table": table}, height=height, width=width)
            return lo.unsettle(made, settled)
    return None


def _bucket_bias(lo: Lowerer, settled: Settled, each: Known) -> Data | None:
    """A number of a table for the bucket of the distance of two tokens: `bucket_bias`."""
    source, places = each.source, each.places
    heads, t, s = lo.builder.sizes(settled.value)[-3:]
    if source is None or places is None or source.ndim != 2 or source.shape[1] != heads:
        return None
    if each.shape[-3:] != (heads, t, s) or places.numel() != heads * t * s:
        return None
    rows = places.reshape(heads, t, s) // heads
    if not torch.equal(places.reshape(heads, t, s) % heads, torch.arange(heads)[:, None, None].expand(heads, t, s)):
        return None
    buckets = source.shape[0]
    back = torch.arange(t)[:, None] - torch.arange(s)
    for causal in (False, True):
        side = buckets if causal else buckets // 2
        for distance in _DISTANCES:
            if side < 2 or distance <= side // 2 or (buckets % 2 and not causal):
                continue
            away = back.clamp(min=0) if causal else back.abs()
            found = away.clamp(max=side // 2)
            for bound in bucket_bounds(side, distance):
                found = found + (away >= bound)
            found = found if causal else found + side * (back < 0)
            if torch.equal(rows, found.expand(heads, t, s)):
                given = {"buckets": buckets, "distance": distance, "causal": causal}
                made = lo.add("bucket_bias", settled.value, weights={"table": Known.parameter(source)}, **given)
                return lo.unsettle(made, settled)
    return None


_DISTANCES = (128, 64, 256, 32, 512, 20, 16, 1024)


@rule("cat", "concat", "concatenate")
def cat(lo: Lowerer, tensors: list[Data | Known], axis: int = 0) -> Data:
    tensors = [x for x in tensors if 0 not in x.shape]
    data = [x for x in tensors if isinstance(x, Data)]
    if len(data) == len(tensors) == 1:
        return data[0]
    like = lo.settle(data[0])
    at = like.axis(axis)
    first, *rest = tensors
    alone = len(rest) == 1 and isinstance(first, Known) and first.source is not None and first.uses == 1
    if alone and isinstance(first, Known) and like.rank == 3 and at == 1:
        each = lo.for_each_sample(first, like)
        width = lo.builder.sizes(like.value)[-1]
        if each.shape == (1, width) and (like.at, like.fold) == (0, 1):
            token = each.apply(lambda t: t.reshape(-1))
            return lo.data(lo.add("class_token", like.value, weights={"token": token}))
    values = []
    for x in tensors:
        if isinstance(x, Known):
            values.append(lo.known_beside(x, like))
            continue
        settled = lo.settle(x)
        if attrs.evolve(settled, value=like.value) != like:
            raise Unsupported("tensors whose batches are at different places")
        values.append(settled.value)
    return lo.unsettle(lo.add("concat", *values, axis=at), like)


@rule("stack")
def stack(lo: Lowerer, tensors: list[Data | Known], axis: int = 0) -> Data:
    widened: list[Data | Known] = []
    rank = len(tensors[0].shape) + 1
    axis %= rank
    for x in tensors:
        shape = (*x.shape[:axis], 1, *x.shape[axis:])
        if isinstance(x, Known):
            widened.append(x.apply(lambda t: t.unsqueeze(axis)))
        else:
            layout = x.layout.reshaped(shape)
            assert layout is not None
            widened.append(Data(x.value, layout))
    return cat(lo, widened, axis)
