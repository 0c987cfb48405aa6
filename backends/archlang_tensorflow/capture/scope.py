"""The modules of flat models.

The names of layers tell what belongs together: `conv2_block1_1_conv` is `conv` in `conv2/block1[1]`, as far
as enough other layers share the beginnings. Where layers have the names that Keras makes, what the calls
are tells it: see `regions`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs
import keras

from archlang.conversion.builder import identifier
from archlang_tensorflow.capture.regions import branched, chains

MEMBERS = 4  # layers that a beginning has to have in common to be a module's


@attrs.frozen
class Module:
    """A part of a model. `part` is what it is called where it stands, `block` what it is one of several of;
    "" for what only holds others."""

    part: str
    block: str = ""


Path = tuple[Module, ...]
Parts = tuple[str, ...]


class Scope:
    """In which modules the calls are that one model or layer consists of.

    A call that has no name of its own is where what it works on is made: between two calls of one module,
    or where it adds to what a module gives something that this has been given.
    """

    def __init__(self, nodes: Sequence[Any]) -> None:
        layers = {node.operation.name: node.operation for node in nodes if isinstance(node.operation, keras.Layer)}
        named = {name: name_parts(layer) for name, layer in layers.items() if not automatic(layer)}
        shared = len(_common(named.values())) if len(named) > 1 else 0
        shared = min(shared, min((len(parts) - 1 for parts in named.values()), default=0))
        self._named = {name: parts[shared:] for name, parts in named.items()}
        self._begun = Counter(parts[:count] for parts in self._named.values() for count in range(1, len(parts) + 1))
        self._blocks = self._repeated({name: kind_name(layer) for name, layer in layers.items()})
        self._paths: dict[int, Path] = {
            id(node): self._path(node.operation.name) for node in nodes if node.operation.name in self._named
        }
        self._place(nodes)
        self._leave_out_scattered(nodes)
        self._find_regions(nodes)

    def modules(self, node: Any) -> Path:
        """The modules that a call is in, outermost first."""
        return self._paths.get(id(node), ())

    def own(self, node: Any) -> str:
        """What a layer is called in its module."""
        name = node.operation.name
        parts = self._named.get(name)
        path = self._path(name) if parts else ()
        if parts is None or self.modules(node)[: len(path)] != path:
            return plain(name)
        number, *others = parts[sum(len(module.part.split("_")) for module in path) :]
        return "_".join([*others, number] if others and number.isdigit() else [number, *others])

    # -------------------------------------------------------------- names

    def _groups(self, parts: Parts) -> list[int]:
        """Where in a name the beginnings end that are modules'."""
        found = []
        for count in range(1, len(parts)):
            members = self._begun[parts[:count]]
            if members < MEMBERS:
                break
            last = count + 1 == len(parts) or self._begun[parts[: count + 1]] < members
            if last or parts[count - 1].isdigit():
                found.append(count)
        return found

    def _repeated(self, kinds: Mapping[str, str]) -> dict[Parts, str]:
        """The modules that have layers and are alike several times, with what they are called."""
        members: dict[Parts, list[tuple[Parts, str]]] = {}
        direct = set()
        for name, parts in self._named.items():
            groups = self._groups(parts)
            for count in groups:
                members.setdefault(parts[:count], []).append((parts[count:], kinds[name]))
            direct.add(parts[: groups[-1]] if groups else ())
        alike = Counter(tuple(sorted(found)) for found in members.values())
        return {
            parts: self._called(parts)
            for parts, found in members.items()
            if parts in direct and alike[tuple(sorted(found))] > 1
        }

    def _called(self, parts: Parts) -> str:
        """What a module is called without its number."""
        groups = [0, *self._groups((*parts, ""))]
        own = [parts[a:b] for a, b in zip(groups, groups[1:], strict=False)]
        named = [group for group in own if not all(part.isdigit() for part in group)]
        return unnumbered("_".join(named[-1] if named else ()))

    def _path(self, name: str) -> Path:
        parts = self._named[name]
        found = []
        begin = 0
        for count in self._groups(parts):
            found.append(Module("_".join(parts[begin:count]), self._blocks.get(parts[:count], "")))
            begin = count
        return tuple(found)

    # -------------------------------------------------------------- calls without names

    def _place(self, nodes: Sequence[Any]) -> None:
        made = {id(tensor): node for node in nodes for tensor in node.outputs}
        users = users_of(nodes)
        after: dict[int, Path] = {}
        for node in reversed(nodes):
            below = [after[id(user)] for tensor in node.outputs for user in users.get(id(tensor), ())]
            after[id(node)] = self._paths[id(node)] if id(node) in self._paths else _common(below)
        for node in nodes:
            if id(node) in self._paths:
                continue
            inner = [self._paths.get(id(made.get(id(tensor))), ()) for tensor in node.input_tensors]
            candidates = sorted(filter(None, dict.fromkeys(inner)), key=len, reverse=True)
            adds = type(node.operation).__name__ in ("Add", "Multiply")
            whole = [path for path in candidates if adds and self._adds(node, path, inner, users)]
            self._paths[id(node)] = (
                whole[0] if whole else _common([candidates[0] if candidates else (), after[id(node)]])
            )

    def _adds(self, node: Any, module: Path, inner: Sequence[Path], users: Mapping[int, Sequence[Any]]) -> bool:
        """Whether all that a call is given is made in a module or used there too."""
        return all(
            place[: len(module)] == module
            or any(self.modules(user)[: len(module)] == module for user in users[id(tensor)])
            for tensor, place in zip(node.input_tensors, inner, strict=True)
        )

    def _leave_out_scattered(self, nodes: Sequence[Any]) -> None:
        """Take away the modules that a path leaves and comes back to: names alone make no module."""
        made = {id(tensor): node for node in nodes for tensor in node.outputs}
        before = {id(n): [id(made[id(x)]) for x in n.input_tensors if id(x) in made] for n in nodes}
        found = {path[:count] for path in self._paths.values() for count in range(1, len(path) + 1)}
        for module in sorted(found, key=len, reverse=True):
            inside = {key for key, path in self._paths.items() if path[: len(module)] == module}
            left: set[int] = set()
            scattered = False
            for node in nodes:
                after = any(key in left or (key in inside and id(node) not in inside) for key in before[id(node)])
                if after and id(node) in inside:
                    scattered = True
                    break
                if after:
                    left.add(id(node))
            if scattered:
                for key in inside:
                    path = self._paths[key]
                    self._paths[key] = (*path[: len(module) - 1], *path[len(module) :])

    def _find_regions(self, nodes: Sequence[Any]) -> None:
        """Give calls whose layers have no names the modules that what they are tells of."""
        for region, first in branched(nodes):
            if any(is_unnamed(node) and getattr(node.operation, "weights", None) for node in region):
                named = [name_parts(node.operation) for node in first if not is_unnamed(node)]
                block = unnumbered(named[-1][0]) if named else "unit"
                module = Module(plain(region[-1].operation.name), block)
                for node in region:
                    self._paths[id(node)] = (module,)
        for chain in chains(nodes):
            if is_unnamed(chain[0]):
                module = Module(chain[0].operation.name, f"{kind_name(chain[0].operation)}_bn")
                for node in chain:
                    self._paths[id(node)] = (*self.modules(chain[0])[:1], module)


def users_of(nodes: Sequence[Any]) -> dict[int, list[Any]]:
    """The calls that use each tensor."""
    users: dict[int, list[Any]] = {}
    for node in nodes:
        for tensor in node.input_tensors:
            users.setdefault(id(tensor), []).append(node)
    return users


def _common(paths: Iterable[Any]) -> Any:
    """The longest common beginning."""
    first, *rest = list(paths) or [()]
    count = 0
    while count < len(first) and all(other[: count + 1] == first[: count + 1] for other in rest):
        count += 1
    return first[:count]


def is_unnamed(node: Any) -> bool:
    """Whether a call is of a layer with the name that Keras makes, or of none."""
    return not isinstance(node.operation, keras.Layer) or automatic(node.operation)


def automatic(layer: Any) -> bool:
    return re.fullmatch(rf"{re.escape(kind_name(layer))}(_\d+)?", layer.name) is not None


def name_parts(layer: Any) -> Parts:
    """The parts of a name."""
    return tuple([part for part in plain(layer.name).split("_") if part])


def plain(name: str) -> str:
    return re.sub(r"\W+", "_", name).strip("_") or "layer"


def unnumbered(name: str) -> str:
    """What modules are called that differ in a number: `block2a` and `block2b` are units, as the language
    has other blocks."""
    found = identifier(re.sub(r"_*\d+[a-z]?$", "", name).strip("_") or "unit")
    return "unit" if found.endswith("_") else found


def kind_name(layer: Any) -> str:
    """What Keras calls layers of a class: `conv2d`, `batch_normalization`."""
    name = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", type(layer).__name__)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
