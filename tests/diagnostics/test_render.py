"""How a diagnostic becomes text, and plain data."""

from __future__ import annotations

import json

import pytest

from archlang.diagnostics import (
    ArchError,
    Cause,
    Collector,
    Diagnostic,
    Label,
    Source,
    Span,
    did_you_mean,
    error,
    render,
)


def place(source: Source, text: str, after: int = 0) -> Span:
    """The span of a text in a source."""
    start = source.text.index(text, after)
    return Span(source, start, start + len(text))


MAIN = Source("main.arch", "one two three\nfour five\n\tsix\n")
OTHER = Source("lib/other.arch", "\n" * 99 + "seven\n")


def test_a_diagnostic_without_places() -> None:
    assert render(error("E0101", "it is wrong")) == "error[E0101]: it is wrong"


def test_all_parts_in_their_order() -> None:
    found = error(
        "E0304",
        "shapes do not agree",
        Label(place(MAIN, "five"), "here"),
        Label(place(MAIN, "two"), "and here"),
        Label(place(OTHER, "seven"), "declared here"),
        cause=Cause((("edge", "conv3"), ("width", "8")), 1200, 6000),
        notes=["first", "second"],
        hints=["do this"],
    )
    assert render(found) == (
        "error[E0304]: shapes do not agree\n"
        "   --> main.arch:2:6\n"
        "    |\n"
        "  2 | four five\n"
        "    |      ^^^^ here\n"
        "   ...\n"
        "  1 | one two three\n"
        "    |     ^^^ and here\n"
        "   ::: lib/other.arch:100:1\n"
        "    |\n"
        "100 | seven\n"
        "    | ^^^^^ declared here\n"
        "    = when  edge = conv3, width = 8      (1,200 of 6,000 programs)\n"
        "    = note: first\n"
        "    = note: second\n"
        "    = help: do this"
    )


@pytest.mark.parametrize(
    ("cause", "shown"),
    [
        (Cause((("a", "1"),)), "a = 1"),
        (Cause((("a", "1"),), 3), "a = 1      (3 programs)"),
        (Cause((), 2, 2), "always      (2 of 2 programs)"),
    ],
)
def test_causes(cause: Cause, shown: str) -> None:
    assert render(error("E0304", "wrong", cause=cause)).splitlines()[-1] == f"  = when  {shown}"


def test_labels_that_fit_share_a_line_and_others_follow() -> None:
    apart = error("E0101", "wrong", Label(place(MAIN, "three")), Label(place(MAIN, "one")))
    assert render(apart).splitlines()[3:] == ["1 | one two three", "  | ^^^     ^^^^^"]
    close = error("E0101", "wrong", Label(place(MAIN, "one"), "a long label"), Label(place(MAIN, "two"), "x"))
    assert render(close).splitlines()[3:] == ["1 | one two three", "  | ^^^ a long label", "  |     ^^^ x"]


def test_tabs_are_four_columns() -> None:
    assert render(error("E0101", "wrong", place(MAIN, "six"))).splitlines()[1:] == [
        " --> main.arch:3:2",
        "  |",
        "3 |     six",
        "  |     ^^^",
    ]


def test_wide_and_combining_characters_keep_markers_in_place() -> None:
    source = Source("wide.arch", '"中文e\u0301" + x')
    assert render(error("E0101", "wrong", place(source, "x"))).splitlines()[3:] == [
        '1 | "中文e\u0301" + x',
        "  |           ^",
    ]


def test_control_characters_do_not_reach_the_terminal() -> None:
    source = Source("control.arch", "a\x1b[2Jb\x7f\x9b")
    shown = render(error("E0101", "wrong", place(source, "b")))
    assert shown.splitlines()[3:] == ["1 | a␛[2Jb␡\ufffd", "  |      ^"]


def test_long_lines_are_cut_around_the_place() -> None:
    source = Source("long.arch", "a" * 500 + "here" + "b" * 500)
    line, marker = render(error("E0101", "wrong", place(source, "here"))).splitlines()[3:]
    assert len(line) == len("1 | ") + 160
    assert line.startswith("1 | …a")
    assert line.endswith("b…")
    assert line[marker.index("^") : marker.rindex("^") + 1] == "here"


@pytest.mark.parametrize("at", [0, 999])
def test_long_lines_at_their_ends(at: int) -> None:
    source = Source("long.arch", "".join(str(i % 10) for i in range(1000)))
    line, marker = render(error("E0101", "wrong", Span(source, at, at + 1))).splitlines()[3:]
    assert line[marker.index("^")] == source.text[at]


def test_places_at_the_end_of_the_text_and_of_a_line() -> None:
    end = Span(MAIN, len(MAIN.text), len(MAIN.text))
    assert render(error("E0101", "wrong", end)).splitlines()[1:] == [" --> main.arch:4:1", "  |", "4 |", "  | ^"]
    newline = Span(MAIN, 13, 14)
    assert render(error("E0101", "wrong", newline)).splitlines()[3:] == ["1 | one two three", "  |              ^"]


def test_a_span_over_several_lines_marks_the_first() -> None:
    both = place(MAIN, "three").to(place(MAIN, "four"))
    assert render(error("E0101", "wrong", both)).splitlines()[3:] == ["1 | one two three", "  |         ^^^^^"]


def test_carriage_returns_are_no_part_of_a_line() -> None:
    source = Source("crlf.arch", "one\r\ntwo\r\n")
    assert render(error("E0101", "wrong", place(source, "two"))).splitlines()[1:] == [
        " --> crlf.arch:2:1",
        "  |",
        "2 | two",
        "  | ^^^",
    ]


def test_as_json() -> None:
    found = error(
        "E0304",
        "wrong",
        Label(place(MAIN, "five"), "here"),
        cause=Cause((("a", "1"),), 1, 2),
        notes=["n"],
        hints=["h"],
    ).as_json()
    assert json.loads(json.dumps(found)) == {
        "code": "E0304",
        "severity": "error",
        "message": "wrong",
        "places": [
            {"file": "main.arch", "line": 2, "column": 6, "end_line": 2, "end_column": 10, "text": "here"},
        ],
        "notes": ["n"],
        "hints": ["h"],
        "when": {"a": "1"},
        "programs": 1,
        "of": 2,
    }
    assert "when" not in error("E0304", "wrong").as_json()


def test_an_error_shows_all_its_diagnostics() -> None:
    one, two = error("E0101", "one"), error("E0102", "two")
    assert str(ArchError([one, two])) == "error[E0101]: one\n\nerror[E0102]: two"
    assert ArchError(one).diagnostics == (one,)


def test_a_collector_keeps_each_finding_once_in_order() -> None:
    collector = Collector()
    assert not collector
    collector.raise_if_any()
    one, two = error("E0101", "one", place(MAIN, "one")), error("E0102", "two")
    collector.extend([one, two, error("E0101", "one", place(MAIN, "one"))])
    assert list(collector) == [one, two]
    with pytest.raises(ArchError) as caught:
        collector.raise_if_any()
    assert caught.value.diagnostics == (one, two)


def test_warnings_alone_do_not_raise() -> None:
    collector = Collector()
    collector.add(Diagnostic(code="E0101", message="careful", severity="warning"))
    collector.raise_if_any()
    assert render(next(iter(collector))) == "warning[E0101]: careful"


@pytest.mark.parametrize(
    ("name", "hints"),
    [
        ("batchnorm", ("did you mean `batch_norm`?",)),
        ("conv2", ("did you mean `conv2d` or `conv3d`?",)),
        ("relu", ("did you mean `relu6`?",)),
        ("attention", ()),
        ("", ()),
    ],
)
def test_suggestions(name: str, hints: tuple[str, ...]) -> None:
    assert did_you_mean(name, ["batch_norm", "conv2d", "conv3d", "relu", "relu6"]) == hints


def test_no_suggestion_without_names() -> None:
    assert did_you_mean("x", []) == ()
