"""archlang: symbolic search spaces for neural architecture search.

.arch text ──parse──▶ AST ──check──▶ Space ──choose──▶ Program ──lower──▶ nn.Module / keras.Model / source code
   syntax/          semantics/       space/              ir/                backends/
                                                          └──cost──▶ params, MACs, memory
searchers/ ask for Choices and are told metrics · evaluate/ turns a Program into metrics
study/ runs, stores and resumes · report/ shows · bench/ measures searchers · adapters/ lead to other libraries
relax/ trains all programs of a space in one network · conversion/ makes text of models, and spaces of fixed networks
morphism/ makes trained networks wider, deeper, smaller
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archlang.conversion.converting import Conversion as Conversion
    from archlang.conversion.converting import convert as convert
    from archlang.conversion.opening import open_up as open_up
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
    from archlang.space.traced.asking import choose as choose
    from archlang.space.traced.asking import integer as integer
    from archlang.space.traced.asking import real as real
    from archlang.space.traced.asking import require as require
    from archlang.space.traced.searchable import searchable as searchable
    from archlang.space.traced.space import space_of as space_of
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
    "choose": "archlang.space.traced.asking",
    "convert": "archlang.conversion.converting",
    "integer": "archlang.space.traced.asking",
    "load": "archlang.space.loading",
    "loads": "archlang.space.loading",
    "open_up": "archlang.conversion.opening",
    "read_supernet": "archlang.relax.run",
    "real": "archlang.space.traced.asking",
    "require": "archlang.space.traced.asking",
    "resume": "archlang.study",
    "search": "archlang.study",
    "searchable": "archlang.space.traced.searchable",
    "space_of": "archlang.space.traced.space",
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
    "choose",
    "convert",
    "integer",
    "load",
    "loads",
    "open_up",
    "read_supernet",
    "real",
    "require",
    "resume",
    "search",
    "searchable",
    "space_of",
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
