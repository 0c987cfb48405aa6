"""Where a study's space comes from: kept as texts, and made again from them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from archlang.cost.table import CostTable
from archlang.diagnostics import ArchError, error
from archlang.space.space import Space
from archlang.space.traced.space import TracedSpace

if TYPE_CHECKING:
    from archlang.space import SearchSpace

SHOWN = 5  # decisions that have changed which an error names


def space_record(space: SearchSpace) -> dict[str, Any]:
    """All that it takes to make the space again: its module and name, its configuration, and the texts
    of its files (of those of the library nothing: they come with archlang). Of a Python function it is what
    tells it from others."""
    if isinstance(space, TracedSpace):
        return space.record()
    assert isinstance(space, Space)
    texts = dict(space.texts)
    if not space.module.is_library:
        texts.setdefault(space.module.name, space.module.source.text)
    return {
        "name": space.name,
        "module": space.module.name,
        "digest": space.digest,
        "config": {name: _plain(value) for name, value in space.config.items()},
        "texts": texts,
        "prune": space.prune,
        "where": list(space.where),
        "partial_channels": space.partial_channels,
        "tables": [{"name": table.name, "text": table.text()} for table in space.tables.values()],
    }


def space_from_record(record: Mapping[str, Any]) -> Space:
    """The space that a record describes; ArchError (E0904) when its digest is another, which happens
    when the way spaces are read has changed, and E0924 when it is a Python function."""
    if "python" in record:
        raise ArchError(
            error(
                "E0924",
                f"the space `{record['name']}` is a Python function, which a store cannot hold",
                hints=("give it again: `resume(store, space=al.space_of(…))`, `read_study(store, space=…)`",),
            )
        )
    from archlang.semantics.modules import Loader
    from archlang.space.loading import open_module, space_of

    def read(path: str) -> str:
        if path not in record["texts"]:
            raise FileNotFoundError(path)
        return str(record["texts"][path])

    loader = Loader(read)
    module, _ = open_module(record["module"], loader)
    config = {name: _value(value) for name, value in record["config"].items()}
    tables = [CostTable.parse(table["text"], table["name"]) for table in record.get("tables", ())]
    kept = {"prune": record.get("prune", False), "where": record.get("where", ())}
    kept["partial_channels"] = record.get("partial_channels", 1)
    kept["tables"] = {table.metric: table for table in tables}
    space = space_of(module, record["name"], loader, config, check=False, **kept)
    require_same_space(record, space)
    return space


def require_same_space(record: Mapping[str, Any], space: SearchSpace) -> None:
    """ArchError (E0904), which says what has changed, unless the space is the one of the record."""
    if space.digest == record["digest"]:
        return
    now = space_record(space)
    changes = []
    before, after = (each.get("python", {}).get("decisions", {}) for each in (record, now))
    for address in [address for address in {**before, **after} if before.get(address) != after.get(address)][:SHOWN]:
        was, is_now = (each.get(address, "not there") for each in (before, after))
        changes.append(f"the decision `{address}` was {was}, now it is {is_now}")
    if now["name"] != record["name"]:
        changes.append(f"its name was `{record['name']}`, now it is `{now['name']}`")
    for name in sorted({*record["config"], *now["config"]}):
        before, after = record["config"].get(name, "not set"), now["config"].get(name, "not set")
        if before != after:
            changes.append(f"the configuration `{name}` was {before}, now it is {after}")
    if record.get("tables", []) != now.get("tables", []):
        changes.append("its tables of measured costs are others")
    for name, default in (("prune", "not set"), ("where", "not set"), ("partial_channels", 1)):
        before, after = record.get(name) or default, now.get(name) or default
        if before != after:
            changes.append(f"`{name}` was {before}, now it is {after}")
    for path in sorted({*record["texts"], *now["texts"]}):
        before, after = record["texts"].get(path), now["texts"].get(path)
        if before is None or after is None:
            changes.append(f"the file `{path}` was {'not ' if before is None else ''}part of it")
        elif before != after:
            changes.append(f"the file `{path}` has changed, first in line {_first_difference(before, after)}")
    raise ArchError(
        error(
            "E0904",
            f"the space `{now['name']}` is not the one that the study searches",
            notes=(*changes, f"its digest was {record['digest'][:12]}, now it is {space.digest[:12]}"),
            hints=("resume without a space to go on with the one in the store, or begin a new study",),
        )
    )


def versions() -> dict[str, str]:
    """The versions of what a study's outcome may hang on, of those that are installed."""
    found = {}
    for package in ("archlang", "numpy", "torch"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _first_difference(before: str, after: str) -> int:
    old, new = before.splitlines(), after.splitlines()
    for number, (one, other) in enumerate(zip(old, new, strict=False), start=1):
        if one != other:
            return number
    return min(len(old), len(new)) + 1


def _plain(value: Any) -> Any:
    """A configuration value as JSON data, from which `_value` makes it again; JSON has no tuples."""
    if isinstance(value, tuple):
        return {"tuple": [_plain(item) for item in value]}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {"record": {name: _plain(item) for name, item in value.items()}}
    return value


def _value(plain: Any) -> Any:
    if isinstance(plain, list):
        return [_value(item) for item in plain]
    if isinstance(plain, dict):
        if "tuple" in plain:
            return tuple(_value(item) for item in plain["tuple"])
        return {name: _value(item) for name, item in plain["record"].items()}
    return plain
