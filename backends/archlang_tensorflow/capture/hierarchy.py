"""Where layers are in a model, as archlang's addresses.

Models within models are modules. Flat models tell what belongs together by the names of their layers:
`conv2_block1_1_conv` is `conv2/block1[1]/conv`, as far as other layers share the beginnings.
"""

from __future__ import annotations

import os.path
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from archlang.conversion.builder import Frame, Place, identifier


MEMBERS = 4  # layers that a beginning has to have in common to be a module's


class Scope:
    """In which modules the calls are that one model or layer consists of, by the names of the layers.

    A call that has no name of its own is where what it works on is made: between two calls of one module,
    or where it adds to what a module gives something that this has been given.
    """

    def __init__(self, nodes: Sequence[Any]) -> None:
        layers = {node.operation.name: node.operation for node in nodes if isinstance(node.operation, keras.Layer)}
        named = {name: found for name, layer in layers.items() if len(found := _parts(layer)) > 1}
        shared = len(os.path.commonprefix(list(named.values()))) if len(named) > 1 else 0
        shared = min(shared, min((len(parts) - 1 for parts in named.values()), default=0))
        self._named = {name: parts[shared:] for name, parts in named.items()}
        self._begun = Counter(
            parts[:count] for parts in self._named.values() for count in range(1, len(parts) + 1)
        )
        self._modules: dict[int, tuple[str, ...]] = {
            id(node): self._module(node.operation.name) for node in nodes if node.operation.name in self._named
        }
        self._place(nodes)

    def modules(self, node: Any) -> tuple[str, ...]:
        """The modules that a call is in, outermost first."""
        return self._modules.get(id(node), ())

    def own(self, layer: Any) -> str:
        """What a layer is called in its module."""
        parts = self._named.get(layer.name)
        if parts is None:
            return _plain(layer.name)
        rest = parts[sum(len(group.split("_")) for group in self._module(layer.name)) :]
        number, *others = rest
        return "_".join([*others, number] if others and number.isdigit() else rest)

    def _module(self, name: str) -> tuple[str, ...]:
        parts = self._named[name]
        found: list[str] = []
        begin = 0
        for count in range(1, len(parts)):
            members = self._begun[parts[:count]]
            if members < MEMBERS:
                break
            if count + 1 == len(parts) or self._begun[parts[: count + 1]] < members:
                found.append("_".join(parts[begin:count]))
                begin = count
        return tuple(found)

    def _place(self, nodes: Sequence[Any]) -> None:
        """Give the calls without names their modules."""
        made = {id(tensor): node for node in nodes for tensor in node.outputs}
        users: dict[int, list[Any]] = {}
        for node in nodes:
            for tensor in node.input_tensors:
                users.setdefault(id(tensor), []).append(node)
        after: dict[int, tuple[str, ...]] = {}
        for node in reversed(nodes):
            if id(node) in self._modules:
                after[id(node)] = self._modules[id(node)]
            else:
                below = [after[id(user)] for tensor in node.outputs for user in users.get(id(tensor), ())]
                after[id(node)] = tuple(os.path.commonprefix(below)) if below else ()
        for node in nodes:
            if id(node) in self._modules:
                continue
            inner = [self._modules.get(id(made.get(id(tensor))), ()) for tensor in node.input_tensors]
            deepest = max(inner, key=len, default=())
            if type(node.operation).__name__ in _ADDING and deepest and self._adds(node, deepest, inner, users):
                self._modules[id(node)] = deepest
            else:
                self._modules[id(node)] = tuple(os.path.commonprefix([deepest, after[id(node)]]))

    def _adds(
        self, node: Any, module: tuple[str, ...], inner: Sequence[tuple[str, ...]], users: Mapping[int, Sequence[Any]]
    ) -> bool:
        """Whether all that a call is given is made in a module or used there too."""
        return all(
            place[: len(module)] == module
            or any(self.modules(user)[: len(module)] == module for user in users[id(tensor)])
            for tensor, place in zip(node.input_tensors, inner, strict=True)
        )


_ADDING = frozenset(["Add", "Multiply"])


def _parts(layer: Any) -> tuple[str, ...]:
    """The parts of a name that a person gave; one that Keras makes is one part."""
    if re.fullmatch(rf"{re.escape(kind_name(layer))}(_\d+)?", layer.name):
        return (layer.name,)
    return tuple([part for part in _plain(layer.name).split("_") if part])


def _plain(name: str) -> str:
    return re.sub(r"\W+", "_", name).strip("_") or "layer"


def kind_name(layer: Any) -> str:
    """What Keras calls layers of a class: `conv2d`, `batch_normalization`."""
    name = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", type(layer).__name__)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


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
            address = self._below(above, module)
            self._taken.add(address)
            frames.append(Frame(address, self._held(module, above)))
        if not isinstance(node.operation, keras.Layer):
            return tuple(frames)
        above = frames[-1].address if frames else ""
        own = scope.own(node.operation)
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

    def _held(self, part: str, above: str) -> str:
        """What the block is called of a module that only a name tells of: `block2a` and `block2b` are of one."""
        named = [found for found in (*re.split(r"[/\[\]#]", above), part) if re.sub(r"[\d_]", "", found)]
        found = identifier(re.sub(r"_*\d+[a-z]?$", "", named[-1] if named else self._root).strip("_"))
        return "unit" if found.endswith("_") else found

    def _block(self, layer: Any, own: str) -> str:
        """What the block of a layer is called: its class, or for a plain model what it is called."""
        if type(layer).__module__.startswith("keras.src.models"):
            return self._held(own, "")
        found = identifier(kind_name(layer))
        return f"{self._root}_{found.rstrip('_')}" if found.endswith("_") else found
