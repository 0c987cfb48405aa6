"""Costs that follow from an operation's shapes, weights and multiply-adds: exact, one number an op."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import log, prod

from archlang.ir.graph import Operation, WeightSpec
from archlang.ir.types import BYTES

# What `price` adds up, in this order.
ADDITIVE = (
    "params",
    "macs",
    "matmul_macs",
    "activations",
    "weight_bytes",
    "memory_traffic",
    "alpha_flops",
    "bit_operations",
)
OF_WEIGHTS = frozenset([ADDITIVE.index("params"), ADDITIVE.index("weight_bytes")])  # tied weights count once in these

# Of alpha-FLOPs: beta and gamma for kernels of one position, and of more.
ALPHA_POINT = (0.02, 0.99)
ALPHA_WIDE = (0.001, 0.56)


def amounts(operation: Operation) -> tuple[int, ...]:
    """What an operation adds to each of the `ADDITIVE` costs when its weights are its own."""
    macs = operation.cost("macs")
    width = weight_width(operation.output.dtype)
    weights = width * sum([weight.elements for weight in operation.weights])
    read = sum([given.bytes for given in operation.inputs])
    bits = macs and macs * bits_of_product(operation.inputs[0].dtype, operation.output.dtype)
    declared = next((cost for name, cost in operation.costs if name == "bops"), None)
    return (
        operation.params,
        macs,
        operation.cost("matmul_macs"),
        operation.output.elements,
        weights,
        read + weights + operation.output.bytes,
        alpha_flops(macs, operation.weights[0].shape if operation.weights else ()),
        bits if declared is None else declared,
    )


def weight_bytes(weights: Iterable[WeightSpec], operation: Operation) -> int:
    """The bytes of some weights of an operation."""
    return sum([weight.elements for weight in weights]) * weight_width(operation.output.dtype)


def weight_width(dtype: str) -> int:
    """The bytes of an element of a weight, where results have a dtype."""
    return BYTES[dtype] if "f" in dtype else 4


def bits_of_product(given: str, result: str) -> int:
    """The bit operations of one multiply-add, for the dtypes of an op's first input and its result:
    the bits of a weight times those of an input (Baskin et al., "UNIQ", 2018)."""
    return 8 * weight_width(result) * 8 * BYTES[given]


def alpha_flops(
    macs: int,
    weight: Sequence[int],
    point: tuple[float, float] = ALPHA_POINT,
    wide: tuple[float, float] = ALPHA_WIDE,
) -> int:
    """Multiply-adds weighed by how well a GPU spreads them over places: `macs` times
    ((S_K + beta (S - S_K)) / S) ^ gamma, rounded to a whole number so that sums are exact.

    S is how often each weight is used (places of the result; tokens of a linear layer), K the number
    of kernel positions (the dimensions of the weight after its first two), and S_K = 1 + ln K, no more
    than S. `point` and `wide` are (beta, gamma) for K = 1 and beyond.

    Asperti, Evangelista, Marzolla, "Dissecting FLOPs along input dimensions for GreenAI cost
    estimations", LOD 2021; the values and S_K are those of the script that they publish with their
    measurements, which were made on one GPU (Quadro T2000).
    """
    if not macs or not weight:
        return macs
    positions, elements = prod(weight[2:]), prod(weight)
    beta, gamma = point if positions == 1 else wide
    uses = macs / elements
    alone = min(1 + log(positions), uses)
    alpha: float = ((alone + beta * (uses - alone)) / uses) ** gamma
    return round(macs * alpha)
