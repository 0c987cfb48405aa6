"""Fixtures of the tests of searchers."""

from tests.stdlib.conftest import data_file

__all__ = ["data_file"]
