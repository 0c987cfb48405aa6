"""Numbers, picks and times as people read them."""

from __future__ import annotations

import math
from typing import Any

SUFFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def short(value: float) -> str:
    """A number in about four digits: 0.9412, 12.5, 1.234M, 2.5e-05."""
    if not math.isfinite(value):
        return str(value)
    size = abs(value)
    for factor, suffix in SUFFIXES:
        if size >= factor * 0.99995 and size >= 1e4:
            return f"{value / factor:.4g}{suffix}"
    if size and size < 1e-3:
        return f"{value:.3g}"
    if value == int(value):
        return str(int(value))
    return f"{value:.4g}" if size < 1000 else f"{value:.1f}"


def exact(value: float) -> str:
    """A number with all digits that matter, thousands apart."""
    if not math.isfinite(value):
        return str(value)
    if abs(value) < 1e15 and (value == int(value) or abs(value) >= 1e5):
        return f"{round(value):,}"
    return f"{value:,.6g}"


def pick_text(pick: Any) -> str:
    """A pick as the language writes it, floats shortened."""
    if isinstance(pick, bool):
        return "true" if pick else "false"
    if isinstance(pick, float):
        return f"{pick:.4g}"
    if isinstance(pick, list | tuple):
        return f"[{', '.join(map(str, pick))}]"
    return str(pick)


def duration(seconds: float) -> str:
    """A time in the unit that fits: 0.3 s, 4 min 10 s, 2 h 5 min."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"
