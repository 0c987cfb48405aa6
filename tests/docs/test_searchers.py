"""The table of searchers says what the code has: every searcher in its order, every setting with its default."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import attrs
import pytest

from archlang.searchers import Recipe, searcher_class
from archlang.searchers.registry import KINDS

PAGE = (Path(__file__).parents[2] / "docs" / "searching.md").read_text(encoding="utf-8")
SECTION = PAGE[PAGE.index("## Searchers") : PAGE.index("## Flows")]
ROWS = [line.split(" | ") for line in SECTION.splitlines() if line.startswith("| ")][2:]
POPULATIONS = SECTION[SECTION.index("have a population") : SECTION.index("`smbo` needs")]
ALONE = [name for kind, names in KINDS.items() if kind != "flows" for name in names]


def defaults(name: str) -> dict[str, Any]:
    found = {}
    for field in attrs.fields(searcher_class(name).Settings):
        default = field.default
        found[field.name] = default.factory() if isinstance(default, attrs.Factory) else default  # type: ignore[arg-type]
    return found


def written(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def row_of(name: str) -> list[str]:
    (row,) = [row for row in ROWS if f"`{name}`" in row[1]]
    return row


def told(text: str) -> dict[str, str]:
    return dict(re.findall(r"`(\w+)=([^`]+)`", text))


def test_searchers_stand_in_their_order() -> None:
    shown = [(re.sub(r"[\[\]|]|\(.*?\)", "", row[0]).strip(), re.findall(r"`([\w-]+)`", row[1])) for row in ROWS]
    kinds: dict[str, list[str]] = {}
    kind = ""
    for given, names in shown:
        kind = given or kind
        kinds.setdefault(kind, []).extend(names)
    assert list(kinds.items()) == [(kind, list(names)) for kind, names in KINDS.items()]


@pytest.mark.parametrize("name", ALONE)
def test_defaults_are_those_of_the_code(name: str) -> None:
    own = defaults(name)
    settings = row_of(name)[3]
    for setting, value in told(settings).items():
        assert value == written(own[setting]), f"{setting} of {name}"
    bases = [base for base in ("smbo", "nsga2", "hyperband") if f"`{base}`" in settings]
    known = settings + "".join(row_of(base)[3] for base in bases)
    if "of populations" in known:
        known += POPULATIONS
    for setting in own:
        assert f"`{setting}`" in known or f"`{setting}=" in known, f"{setting} of {name}"


def test_presets_differ_from_smbo_in_what_is_told() -> None:
    usual = defaults("smbo")
    for name in ("bananas", "gbdt-nas", "neural-predictor"):
        changed = {setting: written(value) for setting, value in defaults(name).items() if value != usual[setting]}
        assert told(row_of(name)[3]) == changed


def test_populations_have_what_is_told_of_them() -> None:
    common = told(POPULATIONS)
    for name in ("evolution", "nsga2", "nsga3"):
        own = defaults(name) | {"start": '"params <= 5M"'}
        row = told(row_of(name)[3]) | (told(row_of("nsga2")[3]) if name == "nsga3" else {})
        assert all(value == written(own[setting]) for setting, value in (common | row).items())


def test_bohb_is_hyperband_with_tpe() -> None:
    own, usual = defaults("bohb"), defaults("hyperband")
    assert {name for name in own if own[name] != usual[name]} == {"searcher"}
    assert own["searcher"] == Recipe.of("tpe", {"good": 0.15, "explore": 1 / 3})
