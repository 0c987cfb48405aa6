"""Tables for a terminal, all in one form."""

from __future__ import annotations

from io import StringIO

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table


def plain_table(title: str) -> Table:
    """An empty table that is no narrower than its title."""
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        min_width=len(title),
    )


def as_text(renderable: RenderableType, width: int = 100) -> str:
    """What a terminal of that width would show, without colours."""
    out = StringIO()
    Console(width=width, file=out, force_terminal=False, color_system=None).print(renderable)
    return out.getvalue()
