"""Every example of `docs/errors.md` leads to the error that it is there for, and its mend to none."""

from __future__ import annotations

from pathlib import Path

import pytest

from archlang.diagnostics.codes import CODES
from tests.diagnostics.examples import PAGE, Example, Workshop, examples

EXAMPLES = {example.code: example for example in examples()}
NEEDS_TORCH = ("E0704", "E0705", "E0706", "E0709", "E0710", "E0711", "E0802", "E0803", "E0805", "E0806", "E0807")
NEEDS_TORCH += ("E0712", "E0808", "E0809", "E0810", "E0811", "E0812", "E0813", "E0901", "E0902", "E0903", "E0916")
NEEDS_TORCH += ("E0917", "E0918", "E1001")


@pytest.fixture
def workshop(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Workshop:
    return Workshop(monkeypatch, tmp_path)


def test_the_page_has_every_code_once_in_order() -> None:
    assert [(example.code, example.title) for example in examples()] == list(CODES.items())


def test_the_page_links_every_family() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for line in text.splitlines():
        if line.startswith("## "):
            anchor = line.removeprefix("## ").lower().replace(",", "").replace(" ", "-")
            assert f"](#{anchor})" in text


@pytest.mark.parametrize("code", EXAMPLES)
def test_the_example_leads_to_the_error(code: str, workshop: Workshop) -> None:
    example = _ready(EXAMPLES[code], workshop)
    codes, shown = workshop.run(example.kind, example.wrong, example.without)
    assert codes, f"{code} does not appear"
    assert set(codes) == {code}, shown


@pytest.mark.parametrize("code", [code for code, example in EXAMPLES.items() if example.mended is not None])
def test_the_mended_example_is_accepted(code: str, workshop: Workshop) -> None:
    example = _ready(EXAMPLES[code], workshop)
    assert example.mended is not None
    codes, shown = workshop.run(example.mended_kind, example.mended)
    assert codes == [], shown


def test_every_example_of_the_language_has_its_mend() -> None:
    assert [code for code, example in EXAMPLES.items() if code < "E07" and example.mended is None] == []


def _ready(example: Example, workshop: Workshop) -> Example:
    if example.code in NEEDS_TORCH:
        pytest.importorskip("torch")
        pytest.importorskip("sklearn")
    workshop.prepare(example.setup)
    return example
