"""Where layers are in a model, as archlang's addresses.

Models within models are modules; `scope` finds those of flat models.
"""

from __future__ import annotations

from typing import Any

import keras

from archlang.conversion.builder import Frame, Place, identifier
from archlang.ir.tidying import held_by
from archlang_tensorflow.capture.names import Module, kind_name
from archlang_tensorflow.capture.scope import Scope


class Hierarchy:
    """The frames of calls; of a layer that is called again, `#2`."""

    def __init__(self, root: str) -> None:
        self._root = identifier(root)
        self._taken: set[str] = set()

    def frames(self, around: Place, scope: Scope, node: Any) -> Place:
        """The modules around a call, and the layer that is called itself."""
        frames = list(around)
        for module in scope.modules(node):
            above = frames[-1].address if frames else ""
            address = self._below(above, module.part)
            self._taken.add(address)
            frames.append(Frame(address, self._module_block(module, address)))
        if not isinstance(node.operation, keras.Layer):
            return tuple(frames)
        above = frames[-1].address if frames else ""
        own = scope.own(node)
        return (*frames, Frame(self._address(above, own), self._block(node.operation, own)))

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

    def _module_block(self, module: Module, address: str) -> str:
        """What the block of a module is called: as the module says, else as it is held, as that of a mere container."""
        held = held_by(address)
        if module.block:
            return f"{held}_block" if module.block == held else module.block
        return self._free(held)

    def _free(self, name: str) -> str:
        """A name for a block, with the model's before it where the language needs it itself."""
        found = identifier(name or self._root)
        return f"{self._root}_{found.rstrip('_')}" if found.endswith("_") else found

    def _block(self, layer: Any, own: str) -> str:
        """What the block of a layer is called: its class, or for a plain model what it is called."""
        plain = type(layer).__module__.startswith("keras.src.models")
        return self._free(held_by(own) if plain else kind_name(layer))
