"""The modules of flat models: by the names of the layers (`names`), and where these are those that Keras
makes, by what the calls are (`regions`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from archlang_tensorflow.capture.names import (
    Module,
    Names,
    Path,
    automatic,
    common,
    kind_name,
    name_parts,
    plain,
    unnumbered,
)
from archlang_tensorflow.capture.regions import branched, chains, users_of

MUCH = 0.25  # the part of the calls that names have to tell the modules of


class Scope:
    """In which modules the calls are that one model or layer consists of.

    A call that has no name of its own is where what it works on is made: between two calls of one module,
    or where it adds to what a module gives something that this has been given. What takes what a module
    is given beside it, and serves that module alone, is in it.
    """

    def __init__(self, nodes: Sequence[Any]) -> None:
        layers = {node.operation.name: node.operation for node in nodes if isinstance(node.operation, keras.Layer)}
        kinds = {name: kind_name(layer) for name, layer in layers.items()}
        named = {name: name_parts(layer) for name, layer in layers.items() if not automatic(layer)}
        self._named = named
        self._names = Names(named, kinds)
        self._paths = self._placed(nodes, self._names)
        if _told(self._paths) < len(nodes) * MUCH:
            # The number of a cell may stand at the end, as in `normal_conv_1_3`.
            ends = Names({name: parts[::-1] for name, parts in named.items()}, kinds)
            paths = self._placed(nodes, ends)
            if _told(paths) > max(_told(self._paths), len(nodes) * MUCH):
                self._names, self._paths = ends, paths
        self._find_regions(nodes)
        _leave_out_scattered(nodes, self._paths)

    def modules(self, node: Any) -> Path:
        """The modules that a call is in, outermost first."""
        return self._paths.get(id(node), ())

    def own(self, node: Any) -> str:
        """What a layer is called in its module."""
        name = node.operation.name
        if name not in self._named or self.modules(node) != self._names.path(name):
            return plain(name)
        return self._names.own(name)

    # -------------------------------------------------------------- calls without names

    def _placed(self, nodes: Sequence[Any], names: Names) -> dict[int, Path]:
        """The modules of all calls, by the names of those that have one."""
        paths = {id(n): names.path(n.operation.name) for n in nodes if n.operation.name in self._named}
        made = {id(tensor): node for node in nodes for tensor in node.outputs}
        users = users_of(nodes)
        after: dict[int, Path] = {}
        for node in reversed(nodes):
            below = [after[id(user)] for tensor in node.outputs for user in users.get(id(tensor), ())]
            after[id(node)] = paths[id(node)] if id(node) in paths else common(below)
        for node in nodes:
            if id(node) in paths:
                continue
            inner = [paths.get(id(made.get(id(tensor))), ()) for tensor in node.input_tensors]
            candidates = sorted(filter(None, dict.fromkeys(inner)), key=len, reverse=True)
            adds = type(node.operation).__name__ in ("Add", "Multiply")
            whole = [path for path in candidates if adds and _adds(node, path, inner, users, paths)]
            inside = after[id(node)]
            ahead = _is_activation(node) and len(users[id(node.input_tensors[0])]) > 1
            if ahead or (inside and _aside(node, inside, users, paths)):
                whole.append(inside)
            paths[id(node)] = whole[0] if whole else common([candidates[0] if candidates else (), inside])
        _leave_out_scattered(nodes, paths)
        return paths

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


def _told(paths: Mapping[int, Path]) -> int:
    """How many calls are in modules of which there are several."""
    return sum(any(module.block for module in path) for path in paths.values())


def _adds(
    node: Any,
    module: Path,
    inner: Sequence[Path],
    users: Mapping[int, Sequence[Any]],
    paths: Mapping[int, Path],
) -> bool:
    """Whether all that a call is given is made in a module or used there too."""
    return all(
        place[: len(module)] == module
        or any(paths.get(id(user), ())[: len(module)] == module for user in users[id(tensor)])
        for tensor, place in zip(node.input_tensors, inner, strict=True)
    )


def _aside(node: Any, module: Path, users: Mapping[int, Sequence[Any]], paths: Mapping[int, Path]) -> bool:
    """Whether all that a call is given is used in a module by others too."""
    return all(
        any(user is not node and paths.get(id(user), ())[: len(module)] == module for user in users[id(tensor)])
        for tensor in node.input_tensors
    )


def _leave_out_scattered(nodes: Sequence[Any], paths: dict[int, Path]) -> None:
    """Take away the modules that a path leaves and comes back to: names alone make no module."""
    made = {id(tensor): node for node in nodes for tensor in node.outputs}
    before = {id(n): [id(made[id(x)]) for x in n.input_tensors if id(x) in made] for n in nodes}
    found = {path[:count] for path in paths.values() for count in range(1, len(path) + 1)}
    for module in sorted(found, key=len, reverse=True):
        inside = {key for key, path in paths.items() if path[: len(module)] == module}
        if inside and _is_left(nodes, before, inside):
            for key in inside:
                paths[key] = _without(paths[key], len(module) - 1)


def _without(path: Path, at: int) -> Path:
    """The modules without one, whose name the one in it takes on."""
    gone, *inner = path[at:]
    if inner:
        first = inner[0]
        parts = (first.part, gone.part) if gone.part.isdigit() else (gone.part, first.part)
        inner = [Module("_".join(parts), first.block), *inner[1:]]
    return (*path[:at], *inner)


def _is_left(nodes: Sequence[Any], before: Mapping[int, Sequence[int]], inside: set[int]) -> bool:
    """Whether a path leaves some calls and comes back."""
    left: set[int] = set()
    for node in nodes:
        outside = id(node) not in inside
        if any(key in left or (outside and key in inside) for key in before[id(node)]):
            if not outside:
                return True
            left.add(id(node))
    return False


def _is_activation(node: Any) -> bool:
    return isinstance(node.operation, keras.layers.Activation | keras.layers.ReLU)


def is_unnamed(node: Any) -> bool:
    """Whether a call is of a layer with the name that Keras makes, or of none."""
    return not isinstance(node.operation, keras.Layer) or automatic(node.operation)
