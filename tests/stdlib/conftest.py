"""The folder of published tables, given by the environment variable ARCHLANG_DATA."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

DataFile = Callable[[str], Path]


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
