"""The folder of published tables, as the tests of the library find it."""

from tests.stdlib.conftest import data_file

__all__ = ["data_file"]
