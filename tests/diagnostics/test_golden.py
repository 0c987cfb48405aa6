"""The text of every error of the language, as it is shown; see `golden/`.

What leads to the errors are the examples of `docs/errors.md`, and the cases below.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.diagnostics.examples import Example, Workshop, examples, run_command, write

# The families whose texts depend on nothing but archlang.
PINNED = [example for example in examples() if example.code < "E07"]

NET = "use std.nn\nuse std.blocks\n"

CASES: dict[str, dict[str, str]] = {
    "choices_shape": {
        "main.arch": NET
        + "block layer(width: int)(x: [n, c, h, w]) { x + (x |> conv_bn(width)) }\n"
        + "space s(x: f32[n, 8, 4, 4]) {\n"
        + "  x |> layer(choose [8, 16]) |> repeat(choose 1..2, layer(choose [8, 24]))\n}\n"
    },
    "choices_nested": {
        "main.arch": NET
        + "block cell(x: [n, c, h, w]) {\n  x |> choose {\n    keep: identity\n"
        + "    change: conv2d(choose [4, 6], groups=choose [1, 4])\n  }\n}\n"
        + "space s(x: f32[n, 8, 4, 4]) -> [n, 8, 4, 4] { x |> cell |> cell }\n"
    },
    "library_block": {
        "main.arch": NET + "space s(x: f32[n, 16, 8, 8]) { x |> squeeze_excite(choose [0, 4]) |> global_avg_pool }\n"
    },
    "library_function": {"main.arch": NET + "space s { make_divisible(30.0, choose [0, 8]) }\n"},
    "library_argument": {
        "main.arch": NET + "space s(x: f32[n, 16, 8, 8]) { x |> mbconv(16, kernel=choose [3, 5.0]) }\n"
    },
    "several_in_one_file": {
        "main.arch": "use std.nn\nuse std.blocks: mbcnv\n\n"
        "block f(x: [n, c]) {\n  y = x |> liner(3)\n  y |> mbcnv(8)\n}\n\n"
        "space s(x: f32[n, 3, 8, 8]) {\n  x |> conv2d(out=16, kernal=3) |> linear(1, true, 2)\n}\n"
    },
    "several_spaces": {
        "main.arch": NET
        + "space a(x: f32[n, 3]) { x |> conv2d(8) }\nspace b { 1 / (choose 0..3) }\nspace c { [1, 2][choose 1..2] }\n"
    },
    "labels_on_several_lines": {
        "main.arch": NET
        + "block both(a: [n, c], b: [n, c]) {\n  a + b\n}\nspace s(x: f32[n, 3], y: f32[n, 4]) {\n  (x, y) |> both\n}\n"
    },
    "used_file_has_errors": {
        "main.arch": 'use "lib/cells.arch": cell\nspace s(x: f32[n, 3]) { x |> cell |> nothing }\n',
        "lib/cells.arch": "use std.nn\nblock cell(x: [n, c]) { x |> linearr(3) }\n",
    },
    "used_file_does_not_parse": {
        "main.arch": 'use "cells.arch": cell\nspace s(x: f32[n, 3]) { x |> cel }\n',
        "cells.arch": "block cell(x: [n, c]) { x |> }\n",
    },
    "error_in_used_block": {
        "main.arch": 'use "cells.arch"\nspace s(x: f32[n, 3]) { x |> cell(choose [3, 4]) }\n',
        "cells.arch": "use std.nn\nblock cell(d: int)(x: [n, c]) { x + (x |> linear(d)) }\n",
    },
    "argument_of_used_block": {
        "main.arch": 'use "cells.arch"\nspace s(x: f32[n, 3]) { x |> cell("3") }\n',
        "cells.arch": "use std.nn\nblock cell(d: int)(x: [n, c]) { x |> linear(d) }\n",
    },
    "tabs_and_wide_letters": {
        "main.arch": 'use std.nn\nspace s(x: f32[n, 3]) {\n\t{\tname: "größe 中文 e\u0301",\ty: x |> linearr(3) }\n}\n'
    },
    "carriage_returns": {"main.arch": "use std.nn\r\nspace s(x: f32[n, 3]) {\r\n  x |> linearr(3)\r\n}\r\n"},
    "control_characters": {"main.arch": 'space s { "\x1b[31m" + missing }\n'},
    "very_long_line": {
        "main.arch": "space s { [" + ", ".join(["1"] * 300) + ", missing, " + ", ".join(["2"] * 300) + "] }\n"
    },
    "not_given": {"main.arch": "use std.nn\nspace s(width: int)(x: f32[n, 3]) { x |> linear(width) }\n"},
    "input_taken_for_configuration": {"main.arch": "space s(image) { image }\n"},
    "bound_later": {"main.arch": "space s {\n  a = b + 1\n  b = 2\n  a\n}\n"},
    "used_without_its_module": {"main.arch": "space s(x: f32[n, 3, 8, 8]) { x |> mbconv(16) }\n"},
    "wrong_condition": {"main.arch": "space s { if choose [1, 2] { 3 } else { 4 } }\n"},
    "text_too_long": {"main.arch": 'space s {\n  a = "a"\n  for i in 0..30 { a = a + a }\n  a\n}\n'},
    "negated_text": {"main.arch": 'space s { -"a" }\n'},
    "weights_of_one_name": {
        "main.arch": "op f(x: [n, c]) -> [n, k]\n  where k = c, k = 2 * c\n  weight w: [c]\n  weight w: [k]\n"
    },
    "unpacked": {"main.arch": "space s {\n  (a, b) = [1, 2, 3]\n  a\n}\n"},
    "unpacked_int": {"main.arch": "space s {\n  (a, b) = 3\n  a\n}\n"},
    "empty_list": {"main.arch": "space s { max([]) }\n"},
    "lists_of_different_lengths": {"main.arch": "space s { zip([1, 2], [3]) }\n"},
    "ranks_differ": {"main.arch": "use std.nn\nspace s(x: f32[n, 3], y: f32[n, 3, 1]) { x + y }\n"},
    "batch_size_compared": {"main.arch": "space s(x: f32[n, 4]) { n == 3 }\n"},
    "choice_in_function_of_op": {
        "main.arch": "def pick() { choose [1, 2] }\nop f(x: [n, c]) -> [n, k]\n  where k = pick()\n"
        "space s(x: f32[n, 3]) { x |> f }\n"
    },
    "not_utf8": {"main.arch": 'use "image.arch"\nspace s { 1 }\n'},
    "folder": {"main.arch": 'use "."\nspace s { 1 }\n'},
    "circle_of_one": {"main.arch": 'use "main.arch"\nspace s { 1 }\n'},
}


@pytest.fixture
def workshop(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Workshop:
    return Workshop(monkeypatch, tmp_path)


@pytest.mark.parametrize("example", PINNED, ids=lambda example: example.code)
def test_examples_of_the_page(example: Example, workshop: Workshop, golden: Callable[[str, str], None]) -> None:
    workshop.prepare(example.setup)
    _, shown = workshop.run(example.kind, example.wrong)
    golden(f"{example.code}.txt", shown.rstrip("\n") + "\n")


@pytest.mark.usefixtures("workshop")
@pytest.mark.parametrize("name", CASES)
def test_cases(name: str, golden: Callable[[str, str], None]) -> None:
    for path, text in CASES[name].items():
        Path(path).parent.mkdir(exist_ok=True)
        write(path, text)
    Path("image.arch").write_bytes(b"\x89PNG\xff")
    codes, shown = run_command("archlang check main.arch")
    assert codes
    golden(f"{name}.txt", shown.rstrip("\n") + "\n")


def test_no_golden_file_is_left_over() -> None:
    wanted = {f"{name}.txt" for name in (*CASES, *(example.code for example in PINNED))}
    assert {path.name for path in (Path(__file__).parent / "golden").iterdir()} == wanted
