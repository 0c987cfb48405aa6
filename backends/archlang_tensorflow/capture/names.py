"""What the names of layers tell of the modules that they are in.

`conv2_block1_1_conv` is `conv` in `conv2/block1[1]`, as far as enough other layers share the beginnings.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

import attrs

from archlang.conversion.builder import identifier

MEMBERS = 4  # layers that a beginning has to have in common to be a module's


@attrs.frozen
class Module:
    """A part of a model. `part` is what it is called where it stands, `block` what it is one of several of;
    "" for what only holds others."""

    part: str
    block: str = ""


Path = tuple[Module, ...]
Parts = tuple[str, ...]


class Names:
    """The modules of layers, by the beginnings of their names (or by the ends, which are given reversed)."""

    def __init__(self, named: Mapping[str, Parts], kinds: Mapping[str, str]) -> None:
        shared = len(common(named.values())) if len(named) > 1 else 0
        shared = min(shared, min((len(parts) - 1 for parts in named.values()), default=0))
        self._parts = {name: parts[shared:] for name, parts in named.items()}
        self._begun = Counter(parts[:count] for parts in self._parts.values() for count in range(1, len(parts) + 1))
        self._blocks = self._repeated(kinds)

    def path(self, name: str) -> Path:
        """The modules around a layer, outermost first."""
        parts = self._parts[name]
        groups = [0, *self._groups(parts)]
        return tuple([Module("_".join(parts[a:b]), self._blocks.get(parts[:b], "")) for a, b in pairwise(groups)])

    def own(self, name: str) -> str:
        """What a layer is called in its module."""
        parts = self._parts[name]
        number, *others = parts[max(self._groups(parts), default=0) :]
        return "_".join([*others, number] if others and number.isdigit() else [number, *others])

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
        for name, parts in self._parts.items():
            groups = self._groups(parts)
            for count in groups:
                members.setdefault(parts[:count], []).append((parts[count:], kinds[name]))
            direct.add(parts[: max(groups, default=0)])
        alike: dict[object, list[Parts]] = {}
        for parts, found in members.items():
            alike.setdefault(tuple(sorted(found)), []).append(parts)
        blocks: dict[Parts, str] = {}
        for same in alike.values():
            if len(same) > 1:
                called = {self._called(parts) for parts in same}
                name = called.pop() if len(called) == 1 else "unit"
                blocks |= {parts: name for parts in same if parts in direct}
        return blocks

    def _called(self, parts: Parts) -> str:
        """What a module is called without its number."""
        groups = [0, *self._groups((*parts, ""))]
        named = [parts[a:b] for a, b in pairwise(groups) if not all(part.isdigit() for part in parts[a:b])]
        return unnumbered("_".join(named[-1] if named else ()))


def common(paths: Iterable[Any]) -> Any:
    """The longest common beginning."""
    first, *rest = list(paths) or [()]
    count = 0
    while count < len(first) and all(other[: count + 1] == first[: count + 1] for other in rest):
        count += 1
    return first[:count]


def automatic(layer: Any) -> bool:
    """Whether a layer has the name that Keras makes."""
    return re.fullmatch(rf"{re.escape(kind_name(layer))}(_\d+)?", layer.name) is not None


def name_parts(layer: Any) -> Parts:
    """The parts of a layer's name."""
    return tuple([part for part in plain(layer.name).split("_") if part])


def plain(name: str) -> str:
    """A name as one of an address."""
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
