"""Numbers that lowerings of several frameworks compute alike; emitted files get a copy."""


def largest_number(bits: int, signed: bool, exponent: int) -> float:
    """The largest number of a format: whole numbers, or floats of a sign and exponent bits."""
    if exponent == 0:
        return float((1 << (bits - 1 if signed else bits)) - 1)
    mantissa = bits - 1 - exponent
    power = (1 << (exponent - 1)) - (1 if exponent == 5 else 0)
    fraction = 2 - 2.0**-mantissa * (2 if (exponent, mantissa) == (4, 3) else 1)
    return (1 << power) * fraction


def bucket_bounds(buckets: int, distance: int) -> list[int]:
    """The distances at which the buckets begin that hold more than one.

    Bucket single + k begins at single * (distance / single) ^ (k / wide), compared in whole
    numbers, as logarithms of floats may fall on either side of a bound.
    """
    single = buckets // 2
    wide = buckets - single
    found, at = [], single
    for k in range(1, wide):
        while at**wide * single**k < distance**k * single**wide:
            at += 1
        found.append(at)
    return found
