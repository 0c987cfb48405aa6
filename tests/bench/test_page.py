"""What is said of runs that are made up so that the answer is known; and the page that shows it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from itertools import pairwise
from statistics import fmean
from xml.etree import ElementTree

import pytest

from archlang.bench.charts import regret_scale, styles
from archlang.bench.page import bench_page
from archlang.bench.run import Run, Step, Times
from archlang.bench.summary import BETTER, SAME, TIED, WORSE, Summary, least_p, regret_at, summary
from archlang.bench.text import overview
from archlang.report.tables import as_text

SEEDS = 10


def made(
    searcher: str, ends: Sequence[float], problem: str = "synthetic-order", budget: int = 150, **more: object
) -> list[Run]:
    """Runs that go from a regret of 9 over twice the last to the last, at 1, 50 and 120 evaluations."""
    return [
        Run(
            problem=problem,
            searcher=searcher,
            seed=seed,
            evaluations=budget,
            steps=tuple(Step(spent, None, regret, regret) for spent, regret in ((1, 9.0), (50, 2 * end), (120, end))),
            asked=budget,
            spent=float(budget),
            repeats=15,
            equal=30,
            ask=Times(0.5, 1.0),
            tell=Times(0.25, 0.5),
            **more,  # type: ignore[arg-type]
        )
        for seed, end in enumerate(ends)
    ]


RANDOM = [1.0 + seed / 10 for seed in range(SEEDS)]


@pytest.fixture(scope="module")
def found() -> Summary:
    mixed = [value + (0.05 if seed % 2 else -0.06) for seed, value in enumerate(RANDOM)]
    runs = []
    for problem in ("synthetic-order", "synthetic-subset"):
        runs += made("random", RANDOM, problem)
        runs += made("good", [value / 2 for value in RANDOM], problem)
        runs += made("bad", [value * 2 for value in RANDOM], problem)
        runs += made("like it", mixed, problem)
        runs += made("the same", RANDOM, problem)
    runs += made("one only", RANDOM)
    runs.append(Run(problem="synthetic-subset", searcher="one only", seed=0, evaluations=150, error="E1: <no> & no"))
    return summary(runs)


def test_a_row_says_what_the_runs_did(found: Summary) -> None:
    row = found.outcomes[0].row("good")
    assert row is not None
    ends = [value / 2 for value in RANDOM]
    assert row.late.value == pytest.approx(fmean(ends))
    assert row.early is not None
    assert row.early.value == pytest.approx(2 * fmean(ends))
    assert row.late.low < row.late.value < row.late.high
    assert row.median.value == pytest.approx((ends[4] + ends[5]) / 2)
    assert (row.repeats, row.equal, row.milliseconds) == (0.1, 0.2, (0.75, 1.5))


def test_verdicts_against_random(found: Summary) -> None:
    """Ten pairs in one direction: 2 of 1,024 patterns, times the searchers that are compared."""
    verdicts = {row.searcher: row.against for row in found.outcomes[1].rows}
    assert verdicts == {"good": BETTER, "bad": WORSE, "like it": SAME, "the same": TIED, "random": None}
    good = found.outcomes[1].row("good")
    assert good is not None
    assert good.p_against == pytest.approx(4 * 2 / 1024)
    assert least_p(found.outcomes[1]) == pytest.approx(4 * 2 / 1024)
    assert [row.searcher for row in found.outcomes[1].rows if row.leads] == ["good"]


def test_ranks(found: Summary) -> None:
    """In the second problem `like it` is before random in half of the seeds, behind it in the others; random
    and its twin share their places."""
    ranks = {row.searcher: row.rank for row in found.outcomes[1].rows}
    assert ranks == pytest.approx({"good": 1, "bad": 5, "like it": 3, "random": 3, "the same": 3})
    assert {standing.searcher: standing.rank for standing in found.standings} == pytest.approx(ranks)
    assert found.standings[0].searcher == "good"
    assert [(s.better, s.neither, s.worse) for s in found.standings if s.searcher == "good"] == [(2, 0, 0)]
    assert found.absent == ("one only",)
    assert found.p_ranks is not None
    assert 0 < found.p_ranks < 0.2


def test_few_seeds_show_nothing() -> None:
    outcome = summary([*made("random", RANDOM[:5]), *made("good", [0.1] * 5)]).outcomes[0]
    assert [row.against for row in outcome.rows] == [SAME, None]
    assert least_p(outcome) == 2 / 32


def test_seeds_that_failed_are_left_out_of_pairs() -> None:
    runs = [*made("random", RANDOM), *made("good", [value / 2 for value in RANDOM])]
    runs[3] = Run(problem=runs[3].problem, searcher="random", seed=3, evaluations=150, error="E1: no")
    outcome = summary(runs).outcomes[0]
    good = outcome.row("good")
    assert good is not None
    assert good.p_against == pytest.approx(2 / 512)
    assert good.rank == 1
    assert [run.seed for run in outcome.broken] == [3]


def test_a_search_without_success_has_no_mean() -> None:
    runs = made("random", RANDOM)
    nothing = [Run(problem=run.problem, searcher="none", seed=run.seed, evaluations=150, asked=3) for run in runs]
    said = summary([*runs, *nothing])
    row = said.outcomes[0].row("none")
    assert row is not None
    assert row.late.value == math.inf
    assert row.against == WORSE
    assert json.loads(json.dumps(said.as_dict(), allow_nan=False))["problems"][0]["searchers"][1]["regret"] == {
        "value": None,
        "low": None,
        "high": None,
    }
    check(bench_page(said))


def test_regret_at() -> None:
    (run,) = made("random", [1.0])
    assert [regret_at(run, spent) for spent in (0, 1, 49, 50, 119.99, 120, 1000)] == [math.inf, 9, 9, 2, 2, 1, 1]


class Checker(HTMLParser):
    """Sees that tags are closed in order, and keeps the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def check(page: str) -> str:
    """The text of a page that is well formed and needs nothing from elsewhere."""
    checker = Checker()
    checker.feed(page)
    assert not checker.open
    for picture in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        ElementTree.fromstring(picture)
    assert not re.search(r"(src|href)=|url\(|@import|<script|NaN|nan\b", page)
    return " ".join(checker.text)


def test_the_page(found: Summary) -> None:
    page = bench_page(found)
    text = check(page)
    for words in ("synthetic-order", "synthetic-subset", "10  seeds", "Friedman", "WORSE", "not better", "tied"):
        assert words in text
    assert "E1: <no> & no" in text
    assert "neither here nor in the mean ranks: one only" in text
    assert "too few seeds" not in text
    assert page.count("Mean over the evaluations") == 2
    assert "simulated" not in page
    # In each of two charts a line with its band for each searcher: six of the first problem, five of the second.
    assert page.count('class="band"') == page.count("<polyline") == 2 * (6 + 5)
    for outcome in found.outcomes:
        for row in outcome.rows:
            assert f"{row.late.value:.3g}" in text


def test_the_page_warns_of_few_seeds() -> None:
    assert "synthetic-order has too few seeds" in check(
        bench_page(summary([*made("random", RANDOM[:3]), *made("good", [0.1] * 3)]))
    )


def test_the_page_without_random_compares_with_nothing() -> None:
    said = summary([*made("one", RANDOM), *made("other", RANDOM)])
    assert [row.against for row in said.outcomes[0].rows] == [None, None]
    assert "against random" not in check(bench_page(said))


def timed(name: str, factor: float) -> list[Run]:
    runs = []
    for seed in range(3):
        steps = tuple(Step(k, 100.0 * k * factor, 1 / k, 1 / k) for k in range(1, 30))
        run = Run(problem="synthetic-order", searcher=name, seed=seed, evaluations=30, steps=steps)
        runs.append(Run.from_dict({**run.as_dict(), "asked": 30, "seconds": 3000.0 * factor * (1 + seed)}))
    return runs


def test_simulated_time_has_a_chart() -> None:
    page = bench_page(summary([*timed("random", 1.0), *timed("other", 0.1)]))
    assert "simulated wall clock" in check(page)
    assert page.count('class="band"') == 6


def points_of(page: str) -> list[list[tuple[float, float]]]:
    lines = re.findall(r'<polyline points="([^"]+)" class="curve"', page)
    return [[tuple(map(float, point.split(","))) for point in line.split()] for line in lines]  # type: ignore[misc]


def test_lines_follow_the_means() -> None:
    """A regret that never rises is a line that never rises: lower regret is further down."""
    page = bench_page(summary([*made("random", RANDOM), *made("good", [value / 9 for value in RANDOM])]))
    for line in points_of(page):
        assert all(a[0] <= b[0] and a[1] <= b[1] for a, b in pairwise(line))
    good, random = points_of(page)[:2]
    assert good[-1][1] > random[-1][1]
    assert good[0] == random[0]


@pytest.mark.parametrize(
    ("values", "log"), [([1.0, 0.5], False), ([1.0, 0.01], True), ([1.0, -1.0], False), ([0.0, 0.0], False)]
)
def test_scales(values: list[float], log: bool) -> None:
    found = regret_scale([*values], 100, 0)
    assert found.log is log
    assert found.low < max(values) < found.high or max(values) == 0


def test_zero_regret_lies_on_the_edge_of_a_logarithmic_scale() -> None:
    page = bench_page(summary(made("random", [0.0] * 6)))
    check(page)
    (mean, _median) = points_of(page)
    assert mean[-1][1] == max(y for _, y in mean)


def test_every_searcher_has_a_style_of_its_own() -> None:
    names = [f"s{k}" for k in range(30)]
    found = styles([*names, "random"], "random")
    assert found["random"] == "base"
    assert len(set(found.values())) == 31


def test_tables(found: Summary) -> None:
    text = as_text(overview(found), width=140)
    for words in (
        "synthetic-order: mean regret",
        "after 100",
        "after 150",
        "WORSE",
        "no better",
        "tied",
        "10%",
        "0.75",
    ):
        assert words in text
    assert "1 failed: one only on synthetic-subset: E1: <no> & no" in text
    good = next(line for line in text.splitlines() if line.strip().startswith("good"))
    assert "0.725" in good
    assert "1.45" in good
