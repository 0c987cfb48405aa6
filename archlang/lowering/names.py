"""Names of modules: where in the module tree an address is."""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection, Iterable
from functools import lru_cache

from archlang.ir.raising import tokens

_UNWRITABLE = frozenset({*keyword.kwlist, "self"})


def plain(text: str) -> str:
    """The text with `_` for all that is no ASCII letter, digit or `_`."""
    return re.sub(r"\W", "_", text, flags=re.ASCII)


@lru_cache(10_000)
def identifier(token: str, reserved: frozenset[str] = frozenset()) -> str:
    """A token of an address as the name of a child module: `edge#2` is `edge_2`, `[3]` is `3`.

    `reserved` are names that would hide an attribute of the framework's modules.
    """
    if token.startswith("["):
        return token[1:-1]
    name = plain(token.removeprefix(":").rstrip("~")) or "_"
    return f"{name}_" if name in _UNWRITABLE or name in reserved else name


def module_paths(addresses: Iterable[str], reserved: frozenset[str] = frozenset()) -> dict[str, tuple[str, ...]]:
    """The path in a module's tree for each address relative to the module.

    Of names that clash (`conv#1` with `conv_1`, a layer with the scope of another) all but the
    first get a `_`.
    """
    taken: dict[tuple[str, ...], dict[str, str]] = {}
    paths: dict[str, tuple[str, ...]] = {}
    for address in addresses:
        path: tuple[str, ...] = ()
        steps = tokens(address)
        for position, token in enumerate(steps):
            names = taken.setdefault(path, {})
            # The module at an address and the modules below it are different children.
            key = f"{token}/" if position + 1 < len(steps) else token
            name = names.get(key)
            if name is None:
                name = identifier(token, reserved)
                while name in names.values():
                    name += "_"
                names[key] = name
            path = (*path, name)
        paths[address] = path
    return paths


def camel(name: str) -> str:
    """A snake-case name as that of a class."""
    words = plain(name).split("_")
    found = "".join(word[:1].upper() + word[1:] for word in words) or "Block"
    return f"Block{found}" if found[0].isdigit() else found


def free_name(name: str, taken: Collection[str]) -> str:
    """The name, with a number where it is taken."""
    found, number = name, 1
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    return found
