"""Comments and documentation are kept, wherever they stand."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archlang.syntax.format import format_module
from archlang.syntax.parser import parse_text

PROGRAMS = sorted((Path(__file__).parent / "programs").glob("*.arch"))
TEXTS = [path.read_text(encoding="utf-8") for path in PROGRAMS]


def kept(text: str) -> str:
    """The text formatted, once it is sure that nothing of it is lost."""
    module = parse_text(text)
    formatted = format_module(module)
    again = parse_text(formatted)
    assert again == module
    assert again.doc == module.doc
    assert sorted(comment.text for comment in again.comments) == sorted(comment.text for comment in module.comments)
    assert format_module(again) == formatted
    return formatted


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_comments_put_at_any_line_survive(data: st.DataObject) -> None:
    lines = data.draw(st.sampled_from(TEXTS)).split("\n")
    for number in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(lines) - 1))
        if data.draw(st.booleans()):
            lines.insert(at, " " * data.draw(st.integers(0, 3)) + f"# own {number}")
        elif "#" not in lines[at]:
            lines[at] += f"  # behind {number}"
    kept("\n".join(lines))


def test_where_comments_stand_after_formatting() -> None:
    text = """\
# licence

## The file.

use std.nn   # ops

# about x
x = [ # first
  1, # one
  # before two
  2
  # last
]   # x

## Adds.
def f(a, # the left
      b) { # body
  # lead
  c = a   # bound

  # result
  c + g(b # inner
  )
  # end
}
# after f

y = 3
# the end
"""
    assert (
        kept(text)
        == """\
# licence

## The file.
use std.nn  # ops

# about x
x = [
  # first
  1,  # one
  # before two
  2
  # last
]  # x

## Adds.
def f(
  a,  # the left
  b
) {
  # body
  # lead
  c = a  # bound

  # result
  c
    + g(
      b  # inner
    )
  # end
}

# after f

y = 3

# the end
"""
    )


@pytest.mark.parametrize(
    ("text", "doc", "item_doc"),
    [
        ("## about\nuse std.nn\n", "about", None),
        ("## about\n\nx = 3\n", "about", None),
        ("## about x\nx = 3\n", None, "about x"),
        ("## about\n\n## about x\n##   more\n##\nx = 3\n", "about", "about x\n  more\n"),
        ("\n\n## about x\n# note\nx = 3\n", None, "about x"),
        ("## only\n", "only", None),
    ],
)
def test_documentation_belongs_to_the_file_or_the_next_item(text: str, doc: str | None, item_doc: str | None) -> None:
    module = parse_text(text)
    assert module.doc == doc
    assert [getattr(item, "doc", None) for item in module.items] == ([item_doc] if module.items else [])
    kept(text)


def test_documentation_of_nothing_becomes_a_comment() -> None:
    module = parse_text("x = 3\n\n## of a use\nuse std.nn\n\n## of the end\n")
    assert [comment.text for comment in module.comments] == ["## of a use", "## of the end"]
    assert format_module(module) == "x = 3\n\n# of a use\nuse std.nn\n\n# of the end\n"
