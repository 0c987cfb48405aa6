"""Where layers are in a model, as archlang's addresses.

Models within models are modules. Flat models tell what belongs together by the names of their layers:
`conv2_block1_1_conv` is `conv2/block1[1]/conv`, as far as other layers share the beginnings.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from archlang.conversion.builder import Frame, Place, identifier


class Scope:
    """The names of the layers that are called in one model or layer."""

    def __init__(self, layers: Iterable[Any]) -> None:
        self._named = {layer.name: _parts(layer) for layer in layers}
        self._begun = Counter(
            parts[:count] for parts in self._named.values() for count in range(1, len(parts) + 1)
        )

    def parts(self, layer: Any) -> tuple[str, ...]:
        """The name of a layer: of each module that it is in, and its own."""
        parts = self._named[layer.name]
        found: list[str] = []
        rest: list[str] = []
        for count, part in enumerate(parts, 1):
            rest.append(part)
            if count == len(parts) or self._begun[parts[:count]] > 1:
                found.append("_".join(rest))
                rest = []
        if self._begun[parts] > 1:  # others are called as this one and more
            found.append(identifier(kind_name(layer)))
        return tuple(found)


def _parts(layer: Any) -> tuple[str, ...]:
    """The parts of a name that a person gave; one that Keras makes is one part."""
    automatic = re.fullmatch(rf"{re.escape(kind_name(layer))}(_\d+)?", layer.name)
    named = re.sub(r"\W+", "_", layer.name).strip("_")
    return (named,) if automatic else tuple([part for part in named.split("_") if part])


def kind_name(layer: Any) -> str:
    """What Keras calls layers of a class: `conv2d`, `batch_normalization`."""
    name = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", type(layer).__name__)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


class Hierarchy:
    """The frames of calls; of a layer that is called again, `#2`."""

    def __init__(self, root: str) -> None:
        self._root = identifier(root)
        self._taken: set[str] = set()

    def frames(self, around: Place, scope: Scope, layer: Any) -> Place:
        """The modules around a call of a layer, and the layer itself."""
        *modules, own = scope.parts(layer)
        frames = list(around)
        for module in modules:
            above = frames[-1].address if frames else ""
            address = self._below(above, module)
            self._taken.add(address)
            frames.append(Frame(address, self._held(module, above)))
        above = frames[-1].address if frames else ""
        return (*frames, Frame(self._address(above, own), self._block(layer, own)))

    def _below(self, above: str, part: str) -> str:
        if part.isdigit():
            return f"{above or self._root}[{int(part)}]"
        name = part if part[0].isalpha() or part[0] == "_" else f"_{part}"
        return f"{above}/{name}" if above else name

    def _address(self, above: str, part: str) -> str:
        found = address = self._below(above, part)
        count = 1
        while found in self._taken:
            count += 1
            found = f"{address}#{count}"
        self._taken.add(found)
        return found

    def _held(self, part: str, above: str) -> str:
        """The block of a module that only a name tells of is called as it is."""
        named = [found for found in (*re.split(r"[/\[\]#]", above), part) if found.rstrip("0123456789_")]
        found = identifier((named[-1] if named else self._root).rstrip("0123456789_"))
        return f"{self._root}_{found.rstrip('_')}" if found.endswith("_") else found

    def _block(self, layer: Any, own: str) -> str:
        """What the block of a layer is called: its class, or for a plain model what it is called."""
        if type(layer).__module__.startswith("keras.src.models"):
            return self._held(own, "")
        found = identifier(kind_name(layer))
        return f"{self._root}_{found.rstrip('_')}" if found.endswith("_") else found


def layers_of(operations: Sequence[Any]) -> list[Any]:
    """The layers among operations, each once."""
    import keras

    return list({id(found): found for found in operations if isinstance(found, keras.Layer)}.values())
