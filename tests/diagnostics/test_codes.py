"""The codes are those that the source raises: none is missing, none is left over."""

from __future__ import annotations

import re
from pathlib import Path

from archlang.diagnostics.codes import CODES

ROOT = Path(__file__).parents[2]


def raised() -> dict[str, set[str]]:
    """The codes in the source, and the folders that raise them."""
    found: dict[str, set[str]] = {}
    for folder in ("archlang", "backends"):
        for path in (ROOT / folder).rglob("*.py"):
            if path.name != "codes.py":
                for code in re.findall(r'"([EW]\d{4})"', path.read_text(encoding="utf-8")):
                    found.setdefault(code, set()).add(path.relative_to(ROOT).parts[1].removesuffix(".py"))
    return found


def test_the_codes_are_those_of_the_source() -> None:
    assert sorted(CODES) == sorted(raised())


def test_codes_are_in_order_and_have_titles_of_their_own() -> None:
    assert list(CODES) == sorted(CODES)
    assert len(set(CODES.values())) == len(CODES)
    for title in CODES.values():
        assert not title.endswith(".")
        assert title[0].islower() or title[0] == "`"


def test_a_family_is_raised_by_its_part() -> None:
    """The first two digits tell where in the pipeline an error arises."""
    homes = {
        "E01": {"syntax"},
        "E02": {"semantics", "space", "cli", "cost"},
        "E03": {"semantics"},
        "E04": {"morphism", "semantics", "space", "cli", "conversion"},
        "E05": {"semantics", "space", "cost", "cli"},
        "E06": {"semantics"},
        "W05": {"space"},
        "E07": {"evaluate", "study", "bench", "adapters"},
        "E08": {
            *("backend", "ir", "lowering", "relax", "testing", "conversion", "cli", "space"),
            *("archlang_numpy", "archlang_torch", "archlang_tensorflow"),
        },
        "E09": {
            *("settings", "extras", "space", "searchers", "adapters"),
            *("study", "evaluate", "report", "bench", "testing", "relax", "cli"),
        },
        "E10": {"relax", "cli", "archlang_torch", "archlang_tensorflow"},
    }
    for code, folders in raised().items():
        assert folders <= homes[code[:3]], code
