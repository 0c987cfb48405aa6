"""Golden files for all tests (`pytest --update-golden` writes what the tests then compare with), and the folder
of published tables, given by the environment variable ARCHLANG_DATA."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# A run of CI can be repeated; elsewhere every run draws other examples.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")

Golden = Callable[[str, str], None]
DataFile = Callable[[str], Path]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="Write the golden files anew.")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compares a text with the file of that name in the folder `golden` beside the test; a missing file fails."""
    folder = Path(str(request.path)).parent / "golden"

    def compare(name: str, text: str) -> None:
        path = folder / name
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            return
        assert path.is_file(), f"{path} is missing; write it with --update-golden and read it"
        assert text == path.read_text(encoding="utf-8"), f"differs from {path}; --update-golden writes it anew"

    return compare


@pytest.fixture(scope="session")
def data_file() -> DataFile:
    """Finds a file of the data folder: skips when the folder is not given, fails when the file is missing."""
    folder = os.environ.get("ARCHLANG_DATA")
    if folder is None:
        pytest.skip("ARCHLANG_DATA is not set: it names the folder with the reference data")

    def find(name: str) -> Path:
        path = Path(folder) / name
        if not path.is_file():
            pytest.fail(f"ARCHLANG_DATA names {folder}, and there is no {name} in it")
        return path

    return find
