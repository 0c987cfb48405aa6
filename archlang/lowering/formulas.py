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


def resizing(size: int, out: int, mode: str, corners: bool) -> list[list[float]]:
    """The matrix [out, size] that resizes a row of places, by the modes of the op `resize`."""
    rows = [[0.0] * size for _ in range(out)]
    for i, row in enumerate(rows):
        if mode == "nearest":
            row[i * size // out] = 1.0
            continue
        if mode == "area":
            first, last = i * size // out, -((i + 1) * size // -out)
            row[first:last] = [1.0 / (last - first)] * (last - first)
            continue
        place = i * (size - 1) / max(out - 1, 1) if corners else (i + 0.5) * size / out - 0.5
        if mode == "bilinear":
            place = max(place, 0.0)
        low = int(place // 1)
        part = place - low
        shares = [(0, 1 - part), (1, part)]
        if mode == "bicubic":
            a = -0.75
            far = [((a * d - 5 * a) * d + 8 * a) * d - 4 * a for d in (1 + part, 2 - part)]
            near = [((a + 2) * d - (a + 3)) * d * d + 1 for d in (part, 1 - part)]
            shares = [(-1, far[0]), (0, near[0]), (1, near[1]), (2, far[1])]
        for step, share in shares:
            row[min(max(low + step, 0), size - 1)] += share
    return rows
