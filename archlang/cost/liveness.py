"""Which values are alive when: the one place where activation memory is worked out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def peak_live(sizes: Sequence[int], uses: Sequence[Sequence[int]], outputs: Iterable[int]) -> int:
    """The largest sum of the sizes of values that are alive at one time, steps run in order.

    Values are numbered as in a graph: `len(sizes) - len(uses)` given ones, then one for each step,
    which reads the values `uses[step]`. A value is alive from the step that makes it (given ones
    from the start) through the last step that reads it, and to the end when it is an output; while
    a step runs, what it reads and what it makes are both there. A given value that nothing reads
    is there before the first step only.
    """
    given = len(sizes) - len(uses)
    last = list(range(-given, len(uses)))
    last[:given] = [-1] * given
    for step, values in enumerate(uses):
        for value in values:
            last[value] = step
    for value in outputs:
        last[value] = len(uses)
    freed = [0] * (len(uses) + 2)
    for value, step in enumerate(last):
        freed[step + 1] += sizes[value]
    live = peak = sum(sizes[:given])
    for step in range(len(uses)):
        live += sizes[given + step] - freed[step]
        if live > peak:
            peak = live
    return peak
