"""Modules: files whose items are found by name, library files item by item as they are needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path, PurePosixPath

from archlang.cost.cost import METRICS
from archlang.cost.table import UNITS, CostTable, table_text
from archlang.diagnostics import ArchError, Collector, Diagnostic, Label, Source, Span, did_you_mean, error
from archlang.resources import stdlib_path
from archlang.semantics.derived import RewrittenSpace, link
from archlang.semantics.sites import Names, Scoped, site_names
from archlang.syntax import ast
from archlang.syntax.library import LibraryItem, library_items
from archlang.syntax.parser import parse

Declaration = ast.Constant | ast.Def | ast.Block | ast.Space | ast.Op
Own = Declaration | ast.Derived  # what stands in a file

TABLE_COSTS = tuple(UNITS)  # the functions whose cost is read from a table
COSTS = (*METRICS, *TABLE_COSTS)  # the functions that give a cost of everything before a tensor
BUILTINS = [
    "len",
    "enumerate",
    "zip",
    "sum",
    "prod",
    "min",
    "max",
    "abs",
    "round",
    "floor",
    "ceil",
    "int",
    "float",
    "sqrt",
    "log",
    "exp",
    "reversed",
    "sorted",
    "any",
    "all",
    "repeat",
    "shape",
    "rank",
    "broadcast",
    *COSTS,
]


class ModuleScope:
    """The names of one module: its own items and what it brings in with `use`."""

    def __init__(
        self,
        name: str,
        source: Source,
        library: Callable[[str], ModuleScope],
        is_library: bool = False,
        table: Callable[[str, Span], CostTable | None] = lambda path, span: None,
    ):
        self.name = name
        self.source = source
        self.is_library = is_library
        self.library = library  # the library module of a dotted name
        self.table = table  # the table of a path, relative to the module; None where tables are not looked at
        self.items: dict[str, Own | LibraryItem] = {}
        self.imports: dict[str, ModuleScope] = {}
        self.lost: set[str] | None = set()  # names that a faulty `use` should have brought in; None: any name
        self.operations: dict[object, object] = {}  # worked-out op rules; see semantics.operations
        self._sites: dict[int, Mapping[int, Names]] = {}
        self._derived: dict[str, RewrittenSpace | ArchError] = {}
        self._linking: set[str] = set()

    def declaration(self, name: str) -> Own | None:
        """The item of that name of this module itself, as it stands there."""
        found = self.items.get(name)
        if isinstance(found, LibraryItem):
            item = found.parsed()
            assert not isinstance(item, ast.Use)
            found = self.items[name] = item
        return found

    def find(self, name: str) -> tuple[ModuleScope, Declaration] | None:
        """The item that a name stands for here, and its module; for a derived space that of the text that it
        rewrites. None for a name of nothing, and of a space whose `with` is wrong."""
        own = self.declaration(name)
        if isinstance(own, ast.Derived):
            try:
                rewritten = self.rewritten(own)
            except ArchError:  # told when the item itself is checked
                return None
            return rewritten.home, rewritten
        if own is not None:
            return self, own
        origin = self.imports.get(name)
        if origin is None:
            return None
        return origin.find(name)

    def rewritten(self, declaration: ast.Derived) -> RewrittenSpace:
        """The space that an item of this module derives; ArchError with what is wrong with it."""
        name = declaration.name
        if name in self._linking:
            raise ArchError([])  # told by the one that asks
        if name not in self._derived:
            self._linking.add(name)
            try:
                self._derived[name] = link(self, declaration)
            except ArchError as problem:
                self._derived[name] = problem
            finally:
                self._linking.remove(name)
        found = self._derived[name]
        if isinstance(found, ArchError):
            raise found
        return found

    def is_linking(self, name: str) -> bool:
        """Whether it is being worked out what the derived space of a name is."""
        origin = self.imports.get(name)
        return name in self._linking or (name not in self.items and origin is not None and origin.is_linking(name))

    def is_lost(self, name: str) -> bool:
        """Whether nothing can be said of a name because of an error that is told elsewhere."""
        return self.lost is None or name in self.lost or name in self.items or name in self.imports

    def above(self, beneath: ModuleScope) -> ModuleScope:
        """The names of this module, and where it has none those of another, private ones too."""
        scope = ModuleScope(self.name, self.source, self.library, self.is_library, self.table)
        scope.lost, scope.operations = self.lost, self.operations
        for module in (beneath, self):
            scope.imports.update(dict.fromkeys([*module.imports, *module.items], module))
        return scope

    def sites(self, declaration: Scoped) -> Mapping[int, Names]:
        """The names of the places in a declaration of this module."""
        text = declaration.body if isinstance(declaration, ast.Def | ast.Block | ast.Space) else declaration
        found = self._sites.get(id(text))
        if found is None:
            found = self._sites[id(text)] = site_names(declaration, self.resolve)
        return found

    def resolve(self, name: str) -> ast.Item | str | None:
        """The declaration of a name, "builtin", or None."""
        found = self.find(name)
        if found is not None:
            return found[1]
        return "builtin" if name in BUILTINS else None

    def names(self) -> list[str]:
        """All names that may be used in the module."""
        return [*self.items, *self.imports, *BUILTINS]

    def public(self) -> list[str]:
        return [name for name in self.items if not name.startswith("_")]

    def declarations(self) -> Iterator[Own]:
        """All items of the module, in order."""
        for name in list(self.items):
            found = self.declaration(name)
            if found is not None:
                yield found

    def spaces(self) -> list[str]:
        """The names of the module's spaces, in order."""
        return [
            name
            for name, item in self.items.items()
            if (item.kind == "space" if isinstance(item, LibraryItem) else isinstance(item, ast.Space | ast.Derived))
        ]


def _read_file(path: str) -> str:
    return Path(path).read_text(encoding="utf-8")


class Loader:
    """Loads modules and what they use, each once. `read` gives the text of a path; `texts` keeps
    every user file that was read, by path (library modules are not in it). Without `tables` none is
    read, and what they would give counts as 0: so a space can be profiled before it has its table."""

    def __init__(self, read: Callable[[str], str] | None = None, tables: bool = True):
        self._read = read or _read_file
        self._read_table = read
        self._with_tables = tables
        self._tables: dict[str, CostTable] = {}
        self._modules: dict[str, ModuleScope] = {}
        self._loading: list[str] = []
        self.texts: dict[str, str] = {}
        self.found = Collector()

    def load_file(self, path: str, used_at: Span | None = None) -> ModuleScope:
        """The module in a file; raises ArchError when it cannot be read or parsed. Errors in what it uses
        are in `found`."""
        key = str(PurePosixPath(path)) if used_at is not None else path
        if key in self._modules:
            return self._modules[key]
        text = self.texts[key] = self.read(key, used_at)
        return self.load_source(key, Source(key, text), used_at)

    def read(self, path: str, used_at: Span | None = None) -> str:
        """The text of a file; ArchError when it cannot be read."""
        try:
            return self._read(path)
        except (OSError, UnicodeDecodeError) as problem:
            raise ArchError(_unreadable(path, problem, used_at)) from None

    def _table(self, folder: PurePosixPath, path: str, span: Span) -> CostTable | None:
        """The table in a file, read once; ArchError when it cannot be."""
        key = _normal(folder / path)
        if key not in self._tables and self._with_tables:
            self.texts[key] = table_text(key, span, self._read_table)
            self._tables[key] = CostTable.parse(self.texts[key], key)
        return self._tables.get(key)

    @property
    def user_modules(self) -> list[ModuleScope]:
        """The modules in files of the user, those that are used before those that use them."""
        return [module for module in self._modules.values() if not module.is_library]

    def load_source(self, key: str, source: Source, used_at: Span | None = None) -> ModuleScope:
        """The module in a text; relative `use`s are looked up beside `key`. What is wrong with its items
        and `use`s is in `found`, so that the rest of the file can be checked too."""
        self._enter(key, used_at)
        try:
            parsed = parse(source)
            module = ModuleScope(key, source, self.load_library, table=partial(self._table, PurePosixPath(key).parent))
            self._add_items(module, parsed.items, self.found)
            self._modules[key] = module
            return module
        finally:
            self._loading.pop()

    def load_library(self, name: str, used_at: Span | None = None) -> ModuleScope:
        """The library module of a dotted name such as `std.nn`."""
        known = self._modules.get(name) or _library.get(name)
        if known is not None:
            return self._modules.setdefault(name, known)
        parts = name.split(".")
        path = stdlib_path().joinpath(*parts[1:]).with_suffix(".arch") if len(parts) > 1 else None
        if parts[0] != "std" or path is None or not path.is_file():
            names = library_modules()
            raise ArchError(
                error(
                    "E0202",
                    f"there is no module `{name}`",
                    used_at,
                    hints=did_you_mean(name, names)
                    or [f"the library has {', '.join(f'`{other}`' for other in names)}"],
                )
            )
        self._enter(name, used_at)
        try:
            module = self._modules[name] = _library.setdefault(name, self._read_library(name, path))
            return module
        finally:
            self._loading.pop()

    def _read_library(self, name: str, path: Path) -> ModuleScope:
        source = Source(name, path.read_text(encoding="utf-8"), is_library=True)
        module = ModuleScope(name, source, _load_library, is_library=True)
        found = Collector()
        for item in library_items(source):
            if item.kind == "use":
                self._use(module, item.parsed(), found)
            else:
                module.items[item.name] = item
        found.raise_if_any()
        return module

    def _enter(self, key: str, used_at: Span | None) -> None:
        if key in self._loading:
            circle = " → ".join([*self._loading[self._loading.index(key) :], key])
            raise ArchError(error("E0203", f"modules use each other in a circle: {circle}", used_at))
        self._loading.append(key)

    def _add_items(self, module: ModuleScope, items: tuple[ast.Item, ...], found: Collector) -> None:
        places: dict[str, Span] = {}
        for item in items:
            if isinstance(item, ast.Use):
                continue
            if item.name in places:
                first = Label(places[item.name], "defined first here")
                found.add(error("E0205", f"`{item.name}` is defined twice", item.name_span, first))
                continue
            places[item.name] = item.name_span
            module.items[item.name] = item
        for item in items:
            if isinstance(item, ast.Use):
                self._use(module, item, found)

    def _use(self, module: ModuleScope, item: ast.Item, found: Collector) -> None:
        assert isinstance(item, ast.Use)
        try:
            if item.is_path:
                base = PurePosixPath(module.name).parent
                used = self.load_file(_normal(base / item.module), item.span)
            else:
                used = self.load_library(item.module, item.span)
        except ArchError as problem:
            found.extend(problem.diagnostics)
            if item.names is None:
                module.lost = None
            elif module.lost is not None:
                module.lost |= {name for name, _ in item.names}
            return
        if item.names is None:
            for name in used.public():
                module.imports.setdefault(name, used)
            return
        for name, span in item.names:
            if (name not in used.items or name.startswith("_")) and module.lost is not None:
                module.lost.add(name)
            if name not in used.items:
                found.add(
                    error(
                        "E0204",
                        f"`{item.module}` has no `{name}`",
                        span,
                        hints=did_you_mean(name, used.public()),
                    )
                )
            elif name.startswith("_"):
                found.add(error("E0206", f"`{name}` is private to `{item.module}`", span))
            else:
                module.imports[name] = used


# Library modules never change: they are read once, and what is known of their items is kept.
_library: dict[str, ModuleScope] = {}


def _load_library(name: str) -> ModuleScope:
    return Loader().load_library(name)


def _normal(path: PurePosixPath) -> str:
    """The path without `.` and `..` steps where they can be undone."""
    parts: list[str] = []
    for part in path.parts:
        if part == ".." and parts and parts[-1] not in ("..", "/"):
            parts.pop()
        elif part != ".":
            parts.append(part)
    return str(PurePosixPath(*parts))


def _unreadable(path: str, problem: Exception, used_at: Span | None) -> Diagnostic:
    if isinstance(problem, FileNotFoundError):
        what, hint = (
            f"there is no file `{path}`",
            "give the path of an .arch file, or a library module such as std.spaces.nasbench201",
        )
    elif isinstance(problem, UnicodeDecodeError):
        what, hint = f"`{path}` is not a UTF-8 text", "an .arch file is plain text in UTF-8"
    elif not path:
        what, hint = "the path of the file is empty", "give the path of an .arch file"
    elif isinstance(problem, IsADirectoryError):
        what, hint = f"`{path}` is a folder", "give the path of an .arch file"
    else:
        reason = (problem.strerror if isinstance(problem, OSError) else None) or str(problem)
        what, hint = f"`{path}` cannot be read: {reason}", "check the path and its permissions"
    return error("E0207", what, used_at, hints=[hint])


def library_modules() -> list[str]:
    """The dotted names of all library modules."""
    root = stdlib_path()
    return sorted(".".join(("std", *path.relative_to(root).with_suffix("").parts)) for path in root.rglob("*.arch"))
