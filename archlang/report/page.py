"""What pages have in common: one HTML file that needs nothing else, with the report's style sheet."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from pathlib import Path

from archlang.diagnostics import ArchError, error
from archlang.report.style import STYLE


def page(title: str, sections: Iterable[str], style: str = "") -> str:
    """A page of sections (empty ones are left out); `style` is added to the style sheet."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}{style}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(section for section in sections if section)
        + "\n</main>\n</body>\n</html>\n"
    )


def header(kind: str, title: str, facts: Iterable[str]) -> str:
    """The top of a page; the facts are HTML."""
    return (
        f'<header><p class="kind">{escape(kind)}</p><h1>{escape(title)}</h1>'
        f'<p class="facts">{"<span> · </span>".join(facts)}</p></header>'
    )


def figure(picture: str, title: str, note: str = "") -> str:
    """A picture with its title and a note."""
    noted = f"<span>{escape(note)}</span>" if note else ""
    return f"<figure><figcaption><b>{escape(title)}</b>{noted}</figcaption>{picture}</figure>"


def write_page(text: str, path: str | Path) -> Path:
    """Write a page to a file, whose folder is made where needed; ArchError (E0915) when that fails."""
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    except OSError as found:
        raise ArchError(
            error("E0915", f"the report `{target}` cannot be written", notes=(found.strerror or str(found),))
        ) from found
    return target
