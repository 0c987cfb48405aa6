"""From a file or a library module to a checked space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from archlang.cost.table import CostTable
from archlang.diagnostics import ArchError, Source, did_you_mean, error
from archlang.semantics.modules import Loader, ModuleScope
from archlang.semantics.names import check_names
from archlang.space.space import Space
from archlang.syntax import ast


def load(
    target: str,
    config: Mapping[str, Any] | None = None,
    /,
    *,
    check: bool = True,
    prune: bool = False,
    externs: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Space:
    """The space in a file (`net.arch`, `net.arch:name`) or library module (`std.spaces.darts`),
    every choice checked; raises ArchError with all errors found. With `prune` the programs that are
    in order are the space, as long as there are any. `externs` are the framework's own modules for ops
    that are declared `extern`, by their names."""
    loader = Loader()
    module, name = open_module(target, loader)
    return space_of(module, name, loader, {**(config or {}), **settings}, check=check, prune=prune, externs=externs)


def loads(
    text: str,
    name: str | None = None,
    config: Mapping[str, Any] | None = None,
    /,
    *,
    check: bool = True,
    prune: bool = False,
    externs: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Space:
    """The space in a text; `name` says which, where the text has several. See `load`."""
    loader = Loader()
    module = loader.load_source("<text>", Source("<text>", text))
    loader.texts["<text>"] = text
    _check_names(loader)
    return space_of(module, name, loader, {**(config or {}), **settings}, check=check, prune=prune, externs=externs)


def open_module(target: str, loader: Loader) -> tuple[ModuleScope, str | None]:
    """The module of a target, its names checked, and the name of the space that the target asks
    for, if it does."""
    path, separator, name = target.rpartition(":")
    if not separator or not name.isidentifier():
        path, name = target, ""
    if path.startswith("std.") and not path.endswith(".arch"):
        module = loader.load_library(path)
    else:
        module = loader.load_file(path)
        _check_names(loader)
    return module, name or None


def _check_names(loader: Loader) -> None:
    """Raise ArchError with all errors that the items of the loaded files have by themselves."""
    for module in loader.user_modules:
        loader.found.extend(check_names(module))
    loader.found.raise_if_any()


def space_of(
    module: ModuleScope,
    name: str | None,
    loader: Loader,
    config: Mapping[str, Any],
    *,
    check: bool = True,
    prune: bool = False,
    where: Sequence[str] = (),
    tables: Mapping[str, CostTable] | None = None,
    partial_channels: int = 1,
    externs: Mapping[str, Any] | None = None,
) -> Space:
    """A space of a module, by name where there are several."""
    names = module.spaces()
    if name is None:
        if len(names) != 1 and module.name.rpartition(".")[2] in names:
            names = [module.name.rpartition(".")[2]]  # of several, the one named like the module
        if len(names) != 1:
            what = "no space" if not names else f"several spaces: {', '.join(names)}"
            hints = [f"name one: `{module.name}:{names[0]}`"] if names else ["declare one: `space name(inputs) { … }`"]
            raise ArchError(error("E0209", f"`{module.name}` has {what}", hints=hints))
        name = names[0]
    found = module.find(name) if name in names else None
    declaration = found[1] if found is not None else None
    if not isinstance(declaration, ast.Space):
        raise ArchError(
            error(
                "E0209",
                f"`{module.name}` has no space `{name}`",
                hints=did_you_mean(name, names) or [f"it has {', '.join(names)}"],
            )
        )
    space = Space(
        module,
        declaration,
        loader,
        config,
        prune=prune,
        where=where,
        tables=tables,
        partial_channels=partial_channels,
        externs=externs,
    )
    if check:
        space.check()
    return space
