"""archlang: symbolic search spaces for neural architecture search.

.arch text ──parse──▶ AST ──check──▶ Space ──choose──▶ Program ──lower──▶ nn.Module / keras.Model / source code
   syntax/          semantics/       space/              ir/                backends/
                                                          └──cost──▶ params, MACs, memory
searchers/ ask for Choices and are told metrics · evaluate/ turns a Program into metrics
study/ runs, stores and resumes · report/ shows · bench/ measures searchers · adapters/ lead to other libraries
relax/ trains all programs of a space in one network
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archlang.conversion.converting import Conversion as Conversion
    from archlang.conversion.converting import convert as convert
    from archlang.diagnostics import ArchError as ArchError
    from archlang.evaluate import table as table
    from archlang.evaluate import train as train
    from archlang.relax.run import read_supernet as read_supernet
    from archlang.relax.run import train_supernet as train_supernet
    from archlang.space.choices import Choices as Choices
    from archlang.space.loading import load as load
    from archlang.space.loading import loads as loads
    from archlang.space.program import Program as Program
    from archlang.space.space import Space as Space
    from archlang.study import Study as Study
    from archlang.study import resume as resume
    from archlang.study import search as search

__version__ = "0.1.0"

# Where each public name lives; a name is imported when it is first used.
_PUBLIC = {
    "ArchError": "archlang.diagnostics",
    "Choices": "archlang.space.choices",
    "Conversion": "archlang.conversion.converting",
    "Program": "archlang.space.program",
    "Space": "archlang.space.space",
    "Study": "archlang.study",
    "convert": "archlang.conversion.converting",
    "load": "archlang.space.loading",
    "loads": "archlang.space.loading",
    "read_supernet": "archlang.relax.run",
    "resume": "archlang.study",
    "search": "archlang.study",
    "table": "archlang.evaluate",
    "train": "archlang.evaluate",
    "train_supernet": "archlang.relax.run",
}

__all__ = [
    "ArchError",
    "Choices",
    "Conversion",
    "Program",
    "Space",
    "Study",
    "__version__",
    "convert",
    "load",
    "loads",
    "read_supernet",
    "resume",
    "search",
    "table",
    "train",
    "train_supernet",
]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'archlang' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
