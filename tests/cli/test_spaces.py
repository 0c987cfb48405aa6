"""check, count, fmt and list."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from archlang.semantics.modules import library_modules
from tests.cli.conftest import Run
from tests.conftest import Golden

ROOT = Path(__file__).parents[2]
SKIPPED = ".", "build", "dist", "runs"


def arch_files() -> list[str]:
    """All .arch files of the repository, but for those of `tests/syntax/programs`: they are what the formatter
    is given to format."""
    files = (path.relative_to(ROOT) for path in ROOT.rglob("*.arch"))
    return sorted(
        path.as_posix()
        for path in files
        if not path.parts[0].startswith(SKIPPED) and not path.is_relative_to("tests/syntax/programs")
    )


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("check_net", ("net.arch",)),
        ("check_several", ("several.arch",)),
        ("check_one_of_several", ("several.arch:first",)),
        ("check_digits", ("examples/digits.arch", "--set", "classes=100")),
        ("check_library", ("std.spaces.nasbench201",)),
    ],
)
def test_check(run: Run, golden: Golden, name: str, arguments: tuple[str, ...]) -> None:
    result = run("check", *arguments)
    assert result.stderr == ""
    golden(f"{name}.txt", result.stdout)


def test_check_reports_all_errors(run: Run, golden: Golden) -> None:
    result = run("check", "wrong.arch", code=1)
    assert result.stdout == ""
    golden("check_wrong.txt", result.stderr)


def test_check_as_json(run: Run) -> None:
    found = json.loads(run("check", "several.arch", "--json").stdout)
    assert found == {
        "valid": True,
        "spaces": [
            {"space": "first", "proved": True, "programs": 4, "left_open": [], "findings": []},
            {
                "space": "second",
                "proved": True,
                "programs": "inf",
                "but_for_floats": [1, 1],
                "left_open": [],
                "findings": [],
            },
        ],
    }
    found = json.loads(run("check", "wrong.arch", "--json", code=1).stdout)
    assert not found["valid"]
    first = found["diagnostics"][0]
    assert first["code"] == "E0304"
    assert first["severity"] == "error"
    assert first["when"] == {"width": "32"}
    assert (first["programs"], first["of"]) == (1, 2)
    assert first["places"][0]["file"] == "wrong.arch"
    assert first["places"][0]["line"] == 5


def test_check_prunes_what_is_broken(run: Run, golden: Golden) -> None:
    kept = run("check", "wrong.arch:wrong", "--prune")
    golden("check_pruned.txt", kept.stdout + kept.stderr)
    assert run("count", "wrong.arch:wrong", "--prune").stdout == "1\n"
    found = json.loads(run("check", "wrong.arch:wrong", "--prune", "--json").stdout)
    assert found["spaces"][0]["left_out"] == 1
    assert found["spaces"][0]["findings"][0]["severity"] == "warning"


def test_a_file_without_spaces_is_checked(run: Run) -> None:
    Path("empty.arch").write_text("", encoding="utf-8")
    assert "no spaces" in run("check", "empty.arch").stdout


@pytest.mark.parametrize(
    ("target", "size"),
    [
        (("std.spaces.nasbench201",), "15625"),
        (("std.spaces.darts_cell",), "1037664180"),
        (("std.spaces.darts",), str(1037664180**2)),
        (("net.arch:small", "--set", "classes=3"), "4"),
        (("several.arch:second",), "infinitely many programs, 1 but for float decisions"),
    ],
)
def test_count(run: Run, target: tuple[str, ...], size: str) -> None:
    assert run("count", *target).stdout == f"{size}\n"
    programs = json.loads(run("count", *target, "--json").stdout)["programs"]
    assert str(programs) == ("inf" if size.startswith("infinitely") else size)


def test_formatting_keeps_comments_and_is_idempotent(run: Run, golden: Golden) -> None:
    path = Path("crooked.arch")
    before = Path("unformatted.txt").read_text(encoding="utf-8")
    path.write_text(before, encoding="utf-8")
    result = run("fmt", "--check", "net.arch", "crooked.arch", code=1)
    assert result.stderr == "not in canonical form: crooked.arch\n"
    assert path.read_text(encoding="utf-8") == before
    assert run("fmt", "net.arch", "crooked.arch").stdout == "formatted crooked.arch\n"
    formatted = path.read_text(encoding="utf-8")
    golden("crooked.arch", formatted)
    for line in before.splitlines():
        _, mark, comment = line.partition("#")
        assert mark + comment in formatted
    assert run("fmt", "crooked.arch").stdout == ""
    assert path.read_text(encoding="utf-8") == formatted


def test_nothing_is_formatted_with_a_syntax_error(run: Run) -> None:
    Path("broken.arch").write_text("space s {\n  choose [1,\n", encoding="utf-8")
    result = run("fmt", "broken.arch", code=1)
    assert "broken.arch:2" in result.stderr
    assert Path("broken.arch").read_text(encoding="utf-8") == "space s {\n  choose [1,\n"


@pytest.mark.parametrize("name", arch_files())
def test_all_files_are_in_canonical_form(run: Run, name: str) -> None:
    run("fmt", "--check", str(ROOT / name))


def test_list(run: Run, golden: Golden) -> None:
    text = run("list").stdout
    sections = {section.splitlines()[0]: section for section in text.split("\nstd.")}
    assert [name.removeprefix("std.") for name in sections] == [
        name.removeprefix("std.") for name in sorted(library_modules())
    ]
    golden("list_resnet.txt", sections["models.resnet"] + "\n")
    golden("list_end.txt", text[text.index("searchers\n") :])


def test_list_as_json(run: Run) -> None:
    found = json.loads(run("list", "--json").stdout)
    assert {"random", "grid", "evolution"} <= set(found["searchers"])
    assert "torch" in found["backends"]
    assert {item["name"]: item["kind"] for item in found["modules"]["std.spaces.nasbench201"]}["nasbench201"] == "space"
    for items in found["modules"].values():
        for item in items:
            assert item["about"], f"`{item['name']}` of the library is not documented"


def test_the_output_of_a_pipe_that_closes_is_no_error() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "from archlang.cli import main; main()", "list"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""


def test_optimum_is_printed_with_its_proof(run: Run) -> None:
    found = run("optimum", "std.spaces.nasbench201", "--minimize", "macs", "--count", "2").stdout.splitlines()
    assert len(found) == 4
    assert found[1] == "  7,783,040 (proven: no program is below 7,783,040)"
    assert found[3].endswith("no other program is below 7,783,040)")
    assert json.loads(found[0]) != json.loads(found[2])
    goal = {"shared/edge#1": {"conv3": 1.5, "none": -1}, "macs": -1e-8}
    Path("goal.json").write_text(json.dumps(goal), encoding="utf-8")
    printed = run("optimum", "std.spaces.nasbench201", "--maximize", "goal.json", "--json").stdout
    assert run("optimum", "std.spaces.nasbench201", "--maximize", json.dumps(goal), "--json").stdout == printed
    (only,) = json.loads(printed)
    assert only["exact"]
    assert only["choices"]["shared/edge#1"] == "conv3"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((), "E0911"),
        (("--minimize", "speed"), "E0506"),
        (("--minimize", "{"), "E0911"),
        (("--minimize", "macs", "--where", "macs < 10"), "E0503"),
    ],
)
def test_optimum_refuses(run: Run, arguments: tuple[str, ...], code: str) -> None:
    assert code in run("optimum", "std.spaces.nasbench201", *arguments, code=1).stderr
