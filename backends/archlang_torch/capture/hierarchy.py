"""Where calls are among the modules of a model, as archlang's addresses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import fx

from archlang.conversion.builder import Frame, Place, identifier

_LIBRARY = "torch.nn.modules."
_CONTAINERS = (f"{_LIBRARY}container.", "torch.nn.Sequential")


class Hierarchy:
    """The frames of calls. `layer1.0.conv1` is `layer1[0]/conv1`; of a module that is called again, `#2`."""

    def __init__(self, root: str) -> None:
        self._root = identifier(root)
        self._addresses: dict[tuple[str, str], str] = {}
        self._taken: set[str] = set()

    def of(self, node: fx.Node) -> tuple[Place, Place]:
        """The modules around a call, and those that are not torch's own layers."""
        return self.place(node.meta.get("nn_module_stack") or {})

    def place(self, stack: Mapping[str, tuple[str, Any]]) -> tuple[Place, Place]:
        """The same for the modules' paths and classes, outermost first; the keys tell calls of one apart."""
        frames: list[Frame] = []
        around = 0
        outer = ""
        for key, (path, kind) in stack.items():
            if not path:
                continue
            name = kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"
            above = frames[-1].address if frames else ""
            below = path.removeprefix(f"{outer}.") if outer and path.startswith(f"{outer}.") else path
            if outer and below == path:  # a module that belongs elsewhere
                below = path.rpartition(".")[2]
            frames.append(Frame(self._address(above, below, key), self._block(path, name)))
            if not name.startswith(_LIBRARY) or name.startswith(_CONTAINERS):
                around = len(frames)
            outer = path
        return tuple(frames), tuple(frames[:around])

    def address(self, key: str) -> str | None:
        """The address of a call of a module."""
        return next((address for (_, known), address in self._addresses.items() if known == key), None)

    def _address(self, above: str, below: str, key: str) -> str:
        found = self._addresses.get((above, key))
        if found is None:
            address = above
            for part in below.split("."):
                if part.isdigit():
                    address = f"{address or self._root}[{part}]"
                else:
                    part = re.sub(r"\W", "_", part)
                    address = f"{address}/{part}" if address else part
            free, count = address, 1
            while free in self._taken:
                count += 1
                free = f"{address}#{count}"
            self._taken.add(free)
            found = self._addresses[above, key] = free
        return found

    def _block(self, path: str, kind: str) -> str:
        """What the block of a module is called: its class, or for a mere container what it is called."""
        if kind.startswith(_CONTAINERS):
            named = [part for part in path.split(".") if not part.isdigit()]
            name = (named[-1] if named else self._root).rstrip("0123456789_") or "part"
        else:
            name = kind.rpartition(".")[2]
        found = identifier(name)
        return f"{self._root}_{found.rstrip('_')}" if found.endswith("_") else found
