"""What ATen spells out in several calls, and is one op."""

from __future__ import annotations

from collections.abc import Callable

from archlang_torch.capture.lowerer import Lowerer
from archlang_torch.capture.values import Data

Pattern = Callable[[Lowerer, Data], Data | None]
PATTERNS: dict[str, list[Pattern]] = {}


def recognised(lo: Lowerer, x: Data) -> Data:
    """The result of a call, as the op that the calls up to it are where there is such; what is then not
    needed is left out of the graph in the end."""
    assert x.made is not None
    for pattern in PATTERNS.get(x.made[0], ()):
        found = pattern(lo, x)
        if found is not None:
            return Data(found.value, found.layout, x.made)
    return x
