"""Where nodes are among the modules of the model that a file was made of, as far as their names tell."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Sequence

import onnx

from archlang.conversion.builder import Frame, Place, identifier
from archlang_torch.capture.hierarchy import Hierarchy

_SCOPES, _CLASSES = "pkg.torch.onnx.name_scopes", "pkg.torch.onnx.class_hierarchy"
_LAYER = "torch.nn.modules.layer."

Stack = list[tuple[str, str]]  # the paths of the modules around a node and their classes, outermost first


class Places:
    """The frames of nodes: of PyTorch's exporters and of archlang's own."""

    def __init__(self, model: onnx.ModelProto, name: str):
        self._hierarchy = Hierarchy(name)
        self._own = model.producer_name == "archlang"
        nodes = list(model.graph.node)
        self._kinds = _kinds(nodes)
        self._stacks = dict(zip(map(_key, nodes), _between([self._stack(node) for node in nodes]), strict=True))
        self._last: list[tuple[str, str]] = []  # the paths around the last node, and the keys of these calls
        self._calls: Counter[str] = Counter()

    def of(self, node: onnx.NodeProto) -> tuple[Place, Place]:
        """The modules around a node, and those that are no framework's own layers."""
        if self._own:
            return self._addressed(node)
        stack = self._stacks.get(_key(node), [])
        return self._hierarchy.place(dict(zip(self._keys(stack), stack, strict=True)))

    def _stack(self, node: onnx.NodeProto) -> Stack | None:
        """The modules around a node; None where nothing tells."""
        metadata = {entry.key: entry.value for entry in node.metadata_props}
        if _SCOPES in metadata:
            return _noted(node, metadata)
        return self._named(_segments(node)) if node.name.startswith("/") else None

    def _addressed(self, node: onnx.NodeProto) -> tuple[Place, Place]:
        """Of a file of archlang's own: `address/Operator`."""
        parts = node.name.split("/")[:-1]
        frames = tuple([Frame("/".join(parts[: i + 1]), _block(part)) for i, part in enumerate(parts)])
        return frames, frames[:-1]

    def _named(self, segments: Sequence[str]) -> Stack:
        """Of names as `/layer1/layer1.0/conv1/Conv`: each segment is what the module is called in the one around
        it, with the name of a list before it."""
        stack: Stack = []
        above = path = ""
        for depth, segment in enumerate(segments, 1):
            below = segment.removeprefix(f"{above}.") if above else segment
            path = f"{path}.{below}" if path else below
            stack.append((path, self._kinds.get(tuple(segments[:depth]), _kind(path))))
            above = segment
        return stack

    def _keys(self, stack: Stack) -> list[str]:
        """A key for each call of a module: nodes that follow one another in the same module are of one call."""
        keys: list[tuple[str, str]] = []
        for depth, (path, _) in enumerate(stack):
            before = self._last[depth] if depth < len(self._last) else None
            outer = keys[:depth] == self._last[:depth]
            if before is not None and outer and before[0] == path:
                keys.append(before)
            else:
                self._calls[path] += 1
                keys.append((path, f"{path}@{self._calls[path]}"))
        self._last = keys
        return [key for _, key in keys]


def _noted(node: onnx.NodeProto, metadata: dict[str, str]) -> Stack:
    """Of the notes of PyTorch's newer exporter, whose last entries are the call itself."""
    try:
        paths, classes = (ast.literal_eval(metadata.get(key, "[]")) for key in (_SCOPES, _CLASSES))
    except (ValueError, SyntaxError):
        return []
    if not all(isinstance(entry, str) for entry in (*paths, *classes)):
        return []
    stack = [(path, kind) for path, kind in list(zip(paths, classes, strict=False))[:-1] if path]
    if node.op_type == "Conv" and stack:  # it is in the place of the norm that has been put into it
        path, _, weight = node.input[1].rpartition(".")
        if weight == "weight" and path.rpartition(".")[0] == stack[-1][0].rpartition(".")[0]:
            stack[-1] = (path, f"{_LAYER}Conv")
    return stack


def _kinds(nodes: Sequence[onnx.NodeProto]) -> dict[tuple[str, ...], str]:
    """A class for each module that names tell of: the same for those that hold the same operators, named after the
    first of them. Those without modules in them are layers."""
    held: dict[tuple[str, ...], list[tuple[int, str]]] = {}
    for node in nodes:
        segments = _segments(node) if node.op_type not in ("Constant", "Identity") else []
        for depth in range(1, len(segments) + 1):
            held.setdefault(tuple(segments[:depth]), []).append((len(segments) - depth, node.op_type))
    first: dict[tuple[tuple[int, str], ...], str] = {}
    found = {}
    for scope, operators in held.items():
        kind = first.setdefault(tuple(operators), _kind(scope[-1]))
        found[scope] = kind if any(depth for depth, _ in operators) else f"{_LAYER}{kind}"
    return found


def _kind(path: str) -> str:
    """A class for what only its path is known of: a `block` is in `blocks`, a `layer_block` in `layer`."""
    words = [part for part in path.split(".") if not part.isdigit()]
    name = (words[-1] if words else "part").rstrip("0123456789_") or "part"
    if not path.rpartition(".")[2].isdigit():
        return name
    return name[:-1] if name.endswith("s") else f"{name}_block"


def _between(stacks: Sequence[Stack | None]) -> list[Stack]:
    """The stacks; nodes of which nothing is known are in the modules that are around those on both sides."""
    following: list[Stack] = []
    after: Stack = []
    for stack in reversed(stacks):
        after = after if stack is None else stack
        following.append(after)
    before: Stack = []
    found = []
    for stack, after in zip(stacks, reversed(following), strict=True):
        common = [a for a, b in zip(before, after, strict=False) if a == b]
        before = common if stack is None else stack
        found.append(before)
    return found


def _key(node: onnx.NodeProto) -> tuple[str, ...]:
    return node.name, *node.output


def _segments(node: onnx.NodeProto) -> list[str]:
    return node.name.split("/")[1:-1] if node.name.startswith("/") else []


def _block(part: str) -> str:
    """What the block at an address is called: `stage` of `stage[1]` or `stage#2`."""
    return identifier(part.partition("[")[0].partition("#")[0])
