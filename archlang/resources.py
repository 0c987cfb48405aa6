"""Where the files that come with the package are: in the wheel, or beside a checkout."""

from pathlib import Path

_PACKAGE = Path(__file__).parent


def grammar_path() -> Path:
    """The folder with `arch.lark` and the parse tables made from it."""
    return _resource("grammar")


def stdlib_path() -> Path:
    """The folder with the `.arch` files of the standard library."""
    return _resource("stdlib")


def _resource(name: str) -> Path:
    packaged = _PACKAGE / "_data" / name
    return packaged if packaged.is_dir() else _PACKAGE.parent / name
