"""Opening a fixed network: the space around it, as rules that rewrite it."""

from archlang.conversion.opening.opening import Opening, open_up

__all__ = ["Opening", "open_up"]
