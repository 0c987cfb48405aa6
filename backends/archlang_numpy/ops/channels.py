"""Values for each channel, which is axis 1."""

from archlang_numpy.lowering import Array


def per_channel(values: Array, x: Array) -> Array:
    """Values for the channels of x, in a shape that is broadcast with it."""
    return values.reshape(-1, *[1] * (x.ndim - 2))


def affine(x: Array, scale: Array | None, bias: Array | None) -> Array:
    """Each channel times its scale plus its bias, where there are any."""
    x = x if scale is None else x * per_channel(scale, x)
    return x if bias is None else x + per_channel(bias, x)
