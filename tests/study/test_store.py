"""Stores: what is refused and how, several studies, readers beside a writer."""

import sqlite3
from pathlib import Path

import pytest

from archlang.diagnostics import ArchError
from archlang.study import list_studies, open_store, read_study, resume
from tests.study import runs


def refused(location: object, create: bool = False) -> str:
    with pytest.raises(ArchError) as found:
        open_store(location, create)  # type: ignore[arg-type]
    return str(found.value)


def test_store_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "none.db"
    assert refused(path).startswith(f"error[E0905]: there is no store `{path}`")
    assert not path.exists()


def test_folder(tmp_path: Path) -> None:
    assert "E0905" in refused(tmp_path, create=True)


def test_file_of_another_kind(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("These are notes, not a database. " * 100)
    before = path.read_bytes()
    for create in (False, True):
        message = refused(path, create)
        assert message.startswith(f"error[E0905]: `{path}` cannot be read as a store of studies")
        assert "file is not a database" in message
    assert path.read_bytes() == before


def test_database_of_another_program(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("create table accounts (id integer)")
    for create in (False, True):
        message = refused(path, create)
        assert "is no store of studies: it holds other tables (accounts)" in message
    with sqlite3.connect(path) as connection:
        tables = connection.execute("select name from sqlite_master").fetchall()
    assert tables == [("accounts",)]


def test_newer_schema(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    runs.begin(path, trials=1)
    with sqlite3.connect(path) as connection:
        connection.execute("update archlang_store set value = '99' where key = 'schema'")
    assert refused(path).startswith(f"error[E0907]: `{path}` has the schema version 99, this archlang reads 2")


def test_truncated_file(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    runs.begin(path, trials=10)
    with sqlite3.connect(path) as connection:
        connection.execute("pragma wal_checkpoint(truncate)")
    path.write_bytes(path.read_bytes()[:5000])
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    with pytest.raises(ArchError) as found:
        read_study(path)
    assert found.value.diagnostics[0].code == "E0905"


def test_row_that_makes_no_sense(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    runs.begin(path, trials=2)
    with sqlite3.connect(path) as connection:
        connection.execute("update trial set choices = '[1, 2' where number = 1")
    with pytest.raises(ArchError) as found:
        read_study(path)
    assert found.value.diagnostics[0].code == "E0905"


@pytest.mark.parametrize("place", ["file.txt/study.db", "/proc/study.db"])
def test_unwritable_path(tmp_path: Path, place: str) -> None:
    (tmp_path / "file.txt").write_text("")
    message = refused(tmp_path / place, create=True)
    assert message.startswith("error[E0906]: the store")


def test_url_that_is_none() -> None:
    assert "E0905" in refused("nonsense://", create=True)
    assert "E0905" in refused("no_such_database://host/name", create=True)


def test_url_of_a_file(tmp_path: Path) -> None:
    runs.begin(f"sqlite:///{tmp_path / 'study.db'}", trials=2)
    assert len(read_study(tmp_path / "study.db").trials) == 2


def test_folders_are_made(tmp_path: Path) -> None:
    runs.begin(tmp_path / "runs" / "deep" / "study.db", trials=1)
    assert list_studies(tmp_path / "runs" / "deep" / "study.db")[0].name == "tower"


def test_several_studies(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    runs.begin(path, trials=2)
    runs.begin(path, trials=3, name="second", seed=6)
    found = list_studies(path)
    assert [(study.name, study.finished, study.trials) for study in found] == [("tower", 2, 2), ("second", 3, 3)]
    assert len(read_study(path, "second").trials) == 3
    for name, what in ((None, "holds 2 studies"), ("scond", "did you mean `second`?")):
        with pytest.raises(ArchError) as refusal:
            resume(path, name, evaluator=runs.evaluate)
        assert refusal.value.diagnostics[0].code == "E0908"
        assert what in str(refusal.value)


def test_name_that_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    before = runs.history(runs.begin(path, trials=3))
    with pytest.raises(ArchError) as refusal:
        runs.begin(path, trials=3, seed=9)
    assert refusal.value.diagnostics[0].code == "E0909"
    assert "archlang resume" in str(refusal.value)
    assert runs.history(read_study(path)) == before


def test_running_study_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    seen = []

    def look(program: object) -> float:
        study = read_study(path)
        seen.append((len(study.finished), len(study.trials)))
        return 1.0

    runs.begin(path, evaluator=look, minimize=(), trials=4)
    assert seen == [(0, 1), (1, 2), (2, 3), (3, 4)]


def test_second_process_on_a_study_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    other: list[int] = []

    def interfere(program: object) -> float:
        if len(other) == 0 and len(read_study(path).finished) == 3:
            other.append(len(resume(path, evaluator=lambda program: 1.0).finished))
        return 1.0

    with pytest.raises(ArchError) as found:
        runs.begin(path, evaluator=interfere, minimize=(), trials=6)
    assert found.value.diagnostics[0].code == "E0914"
    assert other == [6]
    assert len(read_study(path).finished) == 6
