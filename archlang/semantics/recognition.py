"""Library blocks found in networks: a part of a graph that a block of the library computes, and its
configuration.

Each candidate is configured by trying the numbers that stand in the part, one parameter at a time,
as long as that brings the operations of the two closer; what comes out is taken only if its
canonical hash is that of the part.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any

import attrs

from archlang.diagnostics import ArchError, Source
from archlang.ir.canonical import canonical_hash
from archlang.ir.graph import Graph, Node
from archlang.ir.text import literal
from archlang.ir.types import TensorType
from archlang.ir.units import Recognise, Recognised
from archlang.semantics.decision import Decision, Pick
from archlang.semantics.entry import evaluate_space
from archlang.semantics.evaluator import MAX_STEPS
from archlang.semantics.fault import FaultSignal
from archlang.semantics.graphs import PLAIN
from archlang.semantics.handlers import Picking
from archlang.semantics.modules import Loader, ModuleScope
from archlang.syntax import ast

# The blocks that are looked for, larger ones first. Those of the second list are also looked for
# among the operations of a body that stand in a row.
WHOLE = {
    "std.blocks": (
        "transformer_encoder",
        "bottleneck",
        "basic_block",
        "mbconv",
        "resnet_basic",
        "sep_conv",
        "dil_conv",
        "factorized_reduce",
        "factorized_conv",
        "cross_attention",
        "relu_conv_bn",
    ),
    "std.attention": ("window_attention", "rotary_attention"),
}
PARTS = {
    "std.blocks": ("self_attention", "squeeze_excite", "mlp", "depthwise_bn", "conv_bn"),
    "std.feedforward": ("swiglu", "geglu"),
}
ROUNDS = 3
MAX_CANDIDATES = 16
MAX_OPERATIONS = 60

Config = dict[str, Any]


@attrs.frozen
class _Text:
    """A configuration that is a block, as it is written."""

    text: str


def recogniser(module: ModuleScope) -> Recognise:
    """Recognises blocks of the library, but for those whose names the module gives to something else."""

    def recognise(graph: Graph, whole: bool) -> Recognised | None:
        if len(graph.nodes) > MAX_OPERATIONS:
            return None
        found = _recognised(_Part(graph), whole)
        if found is None:
            return None
        named = module.declaration(found.name) if not module.is_library else None
        return None if isinstance(named, ast.Op | ast.Def | ast.Constant) else found

    return recognise


class _Part:
    """A graph that is equal to others with the same operations, wiring and shared weights."""

    def __init__(self, graph: Graph):
        self.graph = graph
        homes: dict[str, int] = {}
        self._key = (
            tuple([given.type for given in graph.inputs]),
            tuple(
                [
                    (
                        node.operation,
                        node.inputs,
                        homes.setdefault(node.weights_at, len(homes)) if node.operation.weights else -1,
                    )
                    for node in graph.nodes
                ]
            ),
            graph.outputs,
        )

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Part) and self._key == other._key


@cache
def _candidate(module: str, name: str) -> _Candidate:
    return _Candidate(module, name)


def _candidates(whole: bool) -> Iterator[_Candidate]:
    for names in ([WHOLE] if whole else []) + [PARTS]:
        for module, blocks in names.items():
            for name in blocks:
                yield _candidate(module, name)


_known: dict[tuple[_Part, bool], Recognised | None] = {}


def _recognised(part: _Part, whole: bool) -> Recognised | None:
    key = part, whole
    if key not in _known:
        if len(_known) > 20_000:
            _known.clear()
        _known[key] = next((found for candidate in _candidates(whole) if (found := candidate.match(part.graph))), None)
    return _known[key]


class _Candidate:
    """One block of the library."""

    def __init__(self, module: str, name: str):
        self.module, self.name = module, name
        library = Loader().load_library(module)
        declaration = library.declaration(name)
        assert isinstance(declaration, ast.Block), name
        self.block = declaration
        self.words = _words(library, name)
        self.blocks = {p.name for p in declaration.config if _type(p) == "block"}
        names = {parameter.name for parameter in declaration.config}
        sizes = {"c", "h", "w", "d", "t", "n"}
        self.derived = {
            p.name
            for p in declaration.config
            if p.default is not None and (names | sizes) & set(re.findall(r"[A-Za-z_]\w*", p.default.span.text))
        }
        # The ops with weights: those of the smaller blocks are the same however these are configured.
        self.fixed = name in PARTS.get(module, ())
        self._weighted: Counter[str] | None = None
        self._never: set[tuple[int, bool]] = set()  # skeletons that no configuration had that was tried for them
        self._made: dict[object, Graph | None] = {}

    def match(self, graph: Graph) -> Recognised | None:
        """The block with the configuration with which it is the graph; None if it is not."""
        if len(graph.inputs) != len(self.block.inputs) or not self._possible(graph):
            return None
        if self.name == "mlp" and len(graph.inputs[0].type.shape) < 3:
            return None  # what ends a network has other reasons for its two layers
        if self.fixed and self._weighted is not None and self._weighted != _weighted(graph):
            return None
        skeleton = _skeleton(graph), graph.type_of(graph.outputs[0].value) == graph.inputs[0].type
        if skeleton in self._never:
            return None
        self._seen: set[int] = set()
        target = _features(graph)
        config = self._start(graph)
        if config is None:
            return None
        options = {parameter.name: self._options(parameter, graph) for parameter in self.block.config}
        score = self._score(config, graph, target)
        for _ in range(ROUNDS):
            before = dict(config)
            for name, values in options.items():
                for value in values:
                    if score == 0:
                        break
                    trial = {**config, name: value}
                    if (reached := self._score(trial, graph, target)) > score:
                        config, score = trial, reached
            if score == 0 or config == before:
                break
        if self._seen and skeleton[0] not in self._seen:
            self._never.add(skeleton)
        made = self._applied(config, graph) if score == 0 else None
        if made is None or canonical_hash(made) != canonical_hash(graph):
            return None
        return self._written(config)

    def _possible(self, graph: Graph) -> bool:
        """Whether its operations could be those of the block, by name."""
        names = {node.operation.name for node in graph.nodes}
        free = {node.operation.name for node in graph.nodes if _free(node)}
        outside = names - self.words
        return not outside or (bool(self.blocks) and outside <= free and len(outside) <= len(self.blocks))

    def _start(self, graph: Graph) -> Config | None:
        """A first configuration: what must be given, by the likeliest values."""
        config: Config = {}
        for parameter in self.block.config:
            if parameter.default is None:
                values = self._options(parameter, graph)
                if not values:
                    return None
                config[parameter.name] = values[0]
        return config

    def _options(self, parameter: ast.Parameter, graph: Graph) -> list[Any]:
        """Values for a parameter, the likeliest first: those of attributes of its name, then others of its type."""
        attributes = [pair for node in graph.nodes for pair in node.operation.attributes]
        found: list[Any] = []
        match _type(parameter):
            case "int":
                if parameter.name == "out":
                    shape = graph.type_of(graph.outputs[0].value).shape
                    return [dim for dim in (shape[1] if len(shape) == 4 else shape[-1],) if isinstance(dim, int)]
                found += [value for name, value in attributes if name == parameter.name and type(value) is int]
                if not found or parameter.default is None or parameter.name in self.derived:
                    found += [value for name, value in attributes if name == "out" and type(value) is int]
                if parameter.name not in ("stride", "kernel", "dilation", "groups"):
                    found += [value for _, value in attributes if type(value) is int]
            case "float":
                found += [value for name, value in attributes if name == parameter.name and type(value) is float]
                found += [value for name, value in attributes if name == "rate" and type(value) is float]
                outs = [value for name, value in attributes if name == "out" and type(value) is int]
                shape = graph.inputs[0].type.shape
                width = shape[1] if len(shape) == 4 else shape[-1]
                if parameter.name in ("ratio", "expand") and isinstance(width, int):
                    found += [1.0, *(one / width for one in outs)]
                if parameter.name == "se":
                    wide = [*outs, width] if isinstance(width, int) else outs
                    found += [one / other for one in outs for other in wide if one <= other]
            case "bool":
                found += [True, False]
            case "block":
                found += [_Text(_configured(node)) for node in graph.nodes if _free(node)]
        return list(dict.fromkeys(found))[:MAX_CANDIDATES]

    def _score(self, config: Config, graph: Graph, target: Counter[object]) -> float:
        """Minus the number of features in which the configured block differs from the graph."""
        made = self._applied(config, graph)
        if made is None:
            return float("-inf")
        self._seen.add(_skeleton(made))
        found = _features(made)
        return -((found - target).total() + (target - found).total())

    def _applied(self, config: Config, graph: Graph) -> Graph | None:
        """The block applied to inputs of the graph's types; None where that is an error."""
        types = tuple([given.type for given in graph.inputs])
        key = types, tuple([(name, _text(value)) for name, value in config.items()])
        if key not in self._made:
            if len(self._made) > 5_000:
                self._made.clear()
            self._made[key] = self._evaluated(config, types)
        return self._made[key]

    def _evaluated(self, config: Config, types: tuple[TensorType, ...]) -> Graph | None:
        names = [f"x{place}" for place, _ in enumerate(types)]
        sizes = {
            f"s{place}_{axis}": dim for place, kind in enumerate(types) for axis, dim in enumerate(kind.shape) if axis
        }
        shapes = [
            ", ".join([str(kind.shape[0]), *(f"s{place}_{axis}" for axis in range(1, len(kind.shape)))])
            for place, kind in enumerate(types)
        ]
        inputs = ", ".join(
            f"{name}: {kind.dtype}[{shape}]" for name, kind, shape in zip(names, types, shapes, strict=True)
        )
        plain = {name: value for name, value in config.items() if not isinstance(value, _Text)}
        value = names[0] if len(names) == 1 else f"({', '.join(names)})"
        arguments = ", ".join(f"{name}={name if name in plain else _text(value)}" for name, value in config.items())
        module = _module(
            f"use std.nn\nuse {self.module}: {self.name}\n"
            f"space part({', '.join([*plain, *sizes])})({inputs}) {{ {value} |> {self.name}({arguments}) }}"
        )
        declaration = module.declaration("part")
        assert isinstance(declaration, ast.Space)
        handler = Picking(_no_choice)
        try:
            made, _ = evaluate_space(module, declaration, {**plain, **sizes}, handler, MAX_STEPS).read("part", PLAIN)
        except (FaultSignal, ArchError):
            return None
        if not isinstance(made, Graph):
            return None
        self._weighted = _weighted(made)
        return made

    def _written(self, config: Config) -> Recognised:
        """The configuration in the order of the declaration, with the defaults of what is left out."""
        values: list[tuple[str, Any]] = []
        defaults: list[tuple[str, Any]] = []
        blocks: list[tuple[str, str]] = []
        for parameter in self.block.config:
            name = parameter.name
            if name in self.blocks:
                given = config.get(name)
                if given is not None and (parameter.default is None or given.text != parameter.default.span.text):
                    blocks.append((name, given.text))
                continue
            default = None if parameter.default is None or name in self.derived else _plain(parameter.default)
            if default is not None:
                defaults.append((name, default))
            if name in config or default is not None:
                values.append((name, config.get(name, default)))
        required = sum(parameter.default is None for parameter in self.block.config)
        return Recognised(self.module, self.name, tuple(values), tuple(defaults), tuple(blocks), required)


@lru_cache(maxsize=500)
def _module(text: str) -> ModuleScope:
    return Loader().load_source("<part>", Source("<part>", text))


def _words(library: ModuleScope, name: str) -> set[str]:
    """The words in the text of an item, and of the library's items that it names."""
    found: set[str] = set()
    pending = [name]
    while pending:
        place = library.find(pending.pop())
        if place is None or place[1] is None:
            continue
        declaration = place[1]
        if isinstance(declaration, ast.Op):
            continue
        for word in re.findall(r"[A-Za-z_]\w*", declaration.span.text):
            if word not in found:
                found.add(word)
                pending.append(word)
    return found | {"add", "sub", "mul", "div"}


def _type(parameter: ast.Parameter) -> str:
    return "" if parameter.type is None else parameter.type.span.text


def _plain(default: ast.Expr) -> Any:
    """The value of a default that is a literal; None otherwise."""
    text = default.span.text
    if text in ("true", "false"):
        return text == "true"
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return None


def _text(value: Any) -> str:
    return value.text if isinstance(value, _Text) else literal(value)


def _configured(node: Node) -> str:
    name = node.operation.name
    given = ", ".join(f"{slot}={literal(value)}" for slot, value in node.operation.attributes if value is not None)
    return f"{name}({given})" if given else name


def _features(graph: Graph) -> Counter[object]:
    """What two graphs that are the same have in common, and like ones for the most part."""
    found: Counter[object] = Counter()
    names = [""] * len(graph.inputs) + [node.operation.name for node in graph.nodes]
    for node in graph.nodes:
        operation = node.operation
        if "identity" in operation.traits:
            continue
        found[operation.name] += 1
        found.update((operation.name, name, repr(value)) for name, value in operation.attributes)
        found.update((operation.name, names[value]) for value in node.inputs)
    return found


def _skeleton(graph: Graph) -> int:
    """A number that graphs have in common which differ in attributes and activations only."""
    labels = [hash(place) for place, _ in enumerate(graph.inputs)]
    for node in graph.nodes:
        inputs = [labels[value] for value in node.inputs]
        if "commutative" in node.operation.traits:
            inputs.sort()
        labels.append(hash(("*" if _free(node) else node.operation.name, *inputs)))
    return hash((tuple(sorted(labels)), labels[graph.outputs[0].value]))


def _free(node: Node) -> bool:
    """Whether the operation may be given to a block, as its activation."""
    traits = node.operation.traits
    return "elementwise" in traits and "stochastic" not in traits and len(node.inputs) == 1


def _weighted(graph: Graph) -> Counter[str]:
    return Counter(node.operation.name for node in graph.nodes if node.operation.weights)


def _no_choice(decision: Decision) -> Pick:
    raise AssertionError("no block that is looked for holds a choice")
