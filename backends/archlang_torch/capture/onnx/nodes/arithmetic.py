"""Sums, products, powers, reductions."""

from __future__ import annotations

from functools import reduce
from typing import Any

from archlang.conversion.data import Data, Unsupported
from archlang_torch.capture.onnx.lowerer import Call, OnnxLowerer, data, known, node, number, numbers, plain
from archlang_torch.capture.values import Known, Pending


@node("Add", "Sub")
def add(lo: OnnxLowerer, call: Call, a: Any, b: Any) -> Any:
    return lo.call(call.op.lower(), a, b)


@node("Mul")
def mul(lo: OnnxLowerer, call: Call, a: Any, b: Any) -> Any:
    # The square of a tensor is often written so.
    return lo.call("pow", a, 2) if isinstance(a, Data) and a.same(b) else lo.call("mul", a, b)


@node("Div")
def div(lo: OnnxLowerer, call: Call, a: Any, b: Any) -> Any:
    if isinstance(b, Data) and b.made is not None and b.made[0] == "sqrt":
        inverse = lo.call("rsqrt", b.made[1][0])
        return inverse if plain(a) == 1 else lo.call("mul", a, inverse)
    return lo.call("div", a, b)


@node("Reciprocal")
def reciprocal(lo: OnnxLowerer, call: Call, x: Data) -> Any:
    root = isinstance(x, Data) and x.made is not None and x.made[0] == "sqrt"
    return lo.call("rsqrt", x.made[1][0]) if root and x.made else lo.call("reciprocal", x)


@node("Pow")
def power(lo: OnnxLowerer, call: Call, x: Data, exponent: Any) -> Any:
    if not isinstance(x, Data):
        raise Unsupported("`Pow` of a constant")
    return lo.call("pow", x, number(exponent, "an exponent"))


@node("Sum")
def total(lo: OnnxLowerer, call: Call, *parts: Any) -> Any:
    return reduce(lambda a, b: lo.call("add", a, b), parts)


@node("Mean")
def average(lo: OnnxLowerer, call: Call, *parts: Any) -> Any:
    return lo.call("mul", total(lo, call, *parts), 1.0 / len(parts))


@node("Max", "Min")
def extreme(lo: OnnxLowerer, call: Call, *parts: Any) -> Any:
    sign = 1.0 if call.op == "Max" else -1.0

    def larger(a: Any, b: Any) -> Any:
        if isinstance(plain(a), int | float):
            a, b = b, a
        bound = plain(b)
        if isinstance(bound, int | float):
            return lo.call("clamp", a, *((bound, None) if sign > 0 else (None, bound)))
        if sign > 0:
            return lo.call("maximum", a, b)
        turned = lo.call("maximum", lo.call("mul", data(a), sign), lo.call("mul", data(b), sign))
        return lo.call("mul", turned, sign)

    return reduce(larger, parts)


_REDUCTIONS = {"ReduceMean": "mean", "ReduceSum": "sum", "ReduceMax": "amax", "ReduceMin": "amin"}


@node(*_REDUCTIONS, "ReduceSumSquare", "ReduceL2")
def reduction(lo: OnnxLowerer, call: Call, x: Data, axes: Any = None) -> Any:
    given = call.get("axes") if axes is None else numbers(axes, "axes")
    keep = bool(call.get("keepdims", 1))
    if not given:
        if call.get("noop_with_empty_axes", 0):
            return x
        raise Unsupported("a reduction over all dimensions, of which one is the batch")
    rank = data(x).rank
    along = sorted(axis % rank for axis in given)
    along = [-1] if along == [rank - 1] else along  # as PyTorch's own models have it
    image = lo.data(x.value)
    places = call.op == "ReduceMean" and not keep and along == [-1] and rank == 3 < image.rank
    if places and x.same(lo.view("flatten", image, 2)):  # those of an image, as one dimension
        return lo.call("mean", image, list(range(2, image.rank)), False)
    if call.op in _REDUCTIONS:
        return lo.call(_REDUCTIONS[call.op], x, along, keep)
    squares = lo.call("sum", lo.call("pow", x, 2), along, keep)
    return lo.call("sqrt", squares) if call.op == "ReduceL2" else squares


@node("MatMul")
def matmul(lo: OnnxLowerer, call: Call, a: Any, b: Any) -> Any:
    if isinstance(a, Data) and isinstance(b, Known) and len(b.shape) == 2:
        return lo.call("linear", a, lo.turned(b), None)
    if not all(isinstance(x, Data | Pending) for x in (a, b)):
        raise Unsupported("`MatMul` with a constant that is no matrix on the right")
    return lo.call("matmul", a, b)


@node("Gemm")
def gemm(lo: OnnxLowerer, call: Call, a: Any, b: Any, c: Any = None) -> Any:
    """alpha * A' B' + beta * C, where ' may be transposed"""
    weight = known(b, "a matrix")
    x = lo.view("t", a) if call.get("transA", 0) else data(a)
    weight = weight if call.get("transB", 0) else lo.turned(weight)
    alpha, beta = call.get("alpha", 1.0), call.get("beta", 1.0)
    if alpha != 1:
        weight = Known(weight.tensor * alpha, weight.source)
    if isinstance(c, Known):
        if beta != 1:
            c = Known(c.tensor * beta, c.source)
        out = weight.shape[0]
        if c.tensor.numel() == out and c.shape[-1:] == (out,):
            return lo.call("linear", x, weight, c.apply(lambda t: t.reshape(-1)) if len(c.shape) > 1 else c)
    y = lo.call("linear", x, weight, None)
    if c is None:
        return y
    return lo.call("add", y, lo.call("mul", c, beta) if isinstance(c, Data) and beta != 1 else c)
