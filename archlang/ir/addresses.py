"""Addresses: `stage[2]/edge#2:conv3/conv2d`. Segments are joined by "/"; loop indices and alternatives follow."""

from __future__ import annotations

import re
from collections.abc import Iterator

_BOUNDARY = re.compile(r"[/:\[]")


def frames(address: str) -> Iterator[str]:
    """The addresses that enclose one, outermost first: of `a/b[0]:c/d` they may be
    `a`, `a/b`, `a/b[0]` and `a/b[0]:c`."""
    for boundary in _BOUNDARY.finditer(address):
        yield address[: boundary.start()]
