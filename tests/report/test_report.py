"""Reports: what they say, that they are well formed, and that nothing in a study can break them."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from archlang.diagnostics import ArchError
from archlang.report.html import html_report, write_report
from archlang.report.tables import as_text
from archlang.report.text import front_table, studies_table, study_overview, trials_table
from archlang.space import loads
from archlang.study import Study, list_studies
from tests.study import runs

VOID = {"meta", "br"}


class Checker(HTMLParser):
    """Sees that tags are closed in order, and keeps the tags and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def checked(study: Study) -> Checker:
    page = html_report(study)
    checker = Checker()
    checker.feed(page)
    assert not checker.open
    for picture in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        ElementTree.fromstring(picture)
    assert "NaN" not in page.replace("NaN is", "")
    assert not re.search(r"(src|href)=|url\(|@import|<script", page), "the page needs nothing from elsewhere"
    return checker


@pytest.fixture(scope="module")
def study() -> Study:
    return runs.begin(None)


def test_page_shows_everything(study: Study) -> None:
    checker = checked(study)
    text = " ".join(checker.text)
    best = study.best_trial
    assert best is not None
    for words in ("tower", "evolution", "maximize accuracy", "Pareto front", "Decisions", "Failed trials", "layers[0]"):
        assert words in text
    assert f"trial {best.number}" in text
    assert "ValueError: this one fails" in text
    assert checker.tags.count("svg") >= 4
    assert checker.tags.count("circle") > 2 * len(study.measured)


def test_one_objective_has_no_front() -> None:
    text = " ".join(checked(runs.begin(None, minimize=())).text)
    assert "Pareto" not in text
    assert "Best programs" in text


@pytest.mark.parametrize("trials", [1, 2])
def test_few_trials(trials: int) -> None:
    checked(runs.begin(None, evaluator=lambda program: {"accuracy": 0.5, "cost": 0.0}, trials=trials))


def test_only_failures() -> None:
    def fail(program: object) -> float:
        raise RuntimeError("no <b>luck</b> & no page")

    failed = runs.begin(None, evaluator=fail, trials=3)
    text = " ".join(checked(failed).text)
    assert "No trial has been measured yet." in text
    assert "no <b>luck</b> & no page" in text
    assert "trial 0: RuntimeError: no <b>luck</b>" in as_text(study_overview(failed))


def test_everything_is_escaped() -> None:
    evil = '"><script>alert(1)</script>[red]'
    space = loads('space s { { a: choose ["<i>x</i>", "y"], b: choose 1..3 } }')
    made = runs.begin(
        None,
        space=space,
        name=evil,
        evaluator=lambda program: {evil: float(program.choices["b"])},
        maximize=evil,
        minimize=(),
        trials=6,
        settings={},
    )
    checker = checked(made)
    assert "script" not in checker.tags
    assert "i" not in checker.tags
    assert evil in "".join(checker.text)
    text = as_text(study_overview(made), width=200)
    assert evil in text
    assert "<i>x</i>" in as_text(trials_table(made), width=200)


def test_page_is_written_where_folders_are_missing(tmp_path: Path, study: Study) -> None:
    path = write_report(study, tmp_path / "a" / "b" / "report.html")
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    (tmp_path / "file").write_text("")
    with pytest.raises(ArchError) as refused:
        write_report(study, tmp_path / "file" / "report.html")
    assert refused.value.diagnostics[0].code == "E0915"


def test_tables(study: Study, tmp_path: Path) -> None:
    best = study.best_trial
    assert best is not None
    overview = as_text(study_overview(study))
    assert f"best program: trial {best.number}" in overview
    assert "40 of 40 trials" in overview
    front = as_text(front_table(study), width=160)
    for trial in study.pareto_front():
        assert re.search(rf"^\s*{trial.number}\s+{trial.metrics['accuracy']:.6g}", front, re.MULTILINE)
    assert as_text(trials_table(study), width=160).count("failed") == len(study.failed)
    runs.begin(tmp_path / "study.db", trials=2)
    assert "2/2" in as_text(studies_table(list_studies(tmp_path / "study.db")))


@pytest.mark.parametrize(("limit", "said"), [("cost <= 1", "kept by "), ("cost <= -1", "violate it least")])
def test_constraints_are_told(limit: str, said: str) -> None:
    study = runs.begin(None, trials=8, constraints=[limit])
    for text in (as_text(study_overview(study)), html_report(study)):
        assert said in text
