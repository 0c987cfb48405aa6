"""From a module to its graph."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
import torch
from torch import Tensor, fx, nn
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind
from torch.utils import _pytree as pytree

import archlang_torch.capture.rules  # noqa: F401  # registers them
from archlang.conversion.builder import GraphBuilder
from archlang.conversion.captured import Captured
from archlang.conversion.data import Data, Unsupported
from archlang.diagnostics import ArchError, error
from archlang_torch.building import DTYPES
from archlang_torch.capture.exporting import USUAL, evaluating, exported
from archlang_torch.capture.hierarchy import Hierarchy
from archlang_torch.capture.lowerer import RULES, Lowerer
from archlang_torch.capture.opaque import Opaques, calls_of
from archlang_torch.capture.patterns import PENDING, recognised, started
from archlang_torch.capture.values import Known, Pending

_NAMES = {dtype: name for name, dtype in DTYPES.items()}
_BATCH = 2  # the samples that a model is exported with: one would hide which sizes are the batch

# What only moves elements, so that which element of a parameter each is can be followed.
_MOVES = frozenset(
    [
        "view",
        "reshape",
        "_unsafe_view",
        "flatten",
        "unflatten",
        "permute",
        "transpose",
        "t",
        "numpy_T",
        "mT",
        "movedim",
        "unsqueeze",
        "squeeze",
        "slice",
        "narrow",
        "select",
        "unbind",
        "split",
        "split_with_sizes",
        "chunk",
        "expand",
        "expand_as",
        "view_as",
        "contiguous",
        "clone",
        "alias",
        "detach",
        "lift_fresh_copy",
        "index",
        "flip",
        "roll",
        "repeat_interleave",
    ]
)


# What only the type and shape of their first argument decide.
_FRESH = frozenset(
    ["new_zeros", "new_ones", "new_full", "new_empty", "zeros_like", "ones_like", "full_like", "empty_like"]
)


def capture(
    model: nn.Module, inputs: Sequence[Tensor], name: str, told: Callable[[str], None] | None = None
) -> Captured:
    """The module in evaluation mode as a graph, for inputs like these (the first dimension is the batch).

    ArchError: E0810 when it does not take them or cannot be followed, E0811 for what has no op.
    """
    told = told or (lambda step: None)
    told("following the calls")
    samples = [_samples(x) for x in inputs]
    program, way = exported(model, samples)
    told("writing them as ops")
    closed: list[str] = []  # why modules cannot stay
    kept: dict[str, str] = {}  # the paths of modules that stay, with what in them has no op
    with evaluating(model):
        while True:
            try:
                found = _Capture(program, model, samples, name, kept).run()
                by = () if way == USUAL else (f"its calls were followed by {way}",)
                return attrs.evolve(found, notes=(*by, *found.notes))
            except _Refusal as refusal:
                path = next((path for path in refusal.paths if path not in kept), None)
                if refusal.closed:
                    closed.append(f"no module around it can stay: {refusal.closed}")
                if path is None:
                    where = refusal.paths[0] if refusal.paths else type(model).__name__
                    raise ArchError(error("E0811", f"`{where}` holds {refusal}", notes=tuple(closed[:1]))) from refusal
                kept[path] = str(refusal)
                told(f"keeping the module {path}, which holds {refusal}")


def _samples(x: Tensor) -> Tensor:
    """As many samples as are exported, like the first."""
    return x[:1].expand(_BATCH, *x.shape[1:]).contiguous()


class _Refusal(Exception):
    """What no op can express; `paths` are the modules around it that may stay, innermost first, and `closed`
    says why one within them may not."""

    def __init__(self, reason: str, paths: tuple[str, ...], closed: str = ""):
        super().__init__(reason)
        self.paths = paths
        self.closed = closed


class _Capture:
    """`kept` are the paths of modules that are not looked into."""

    def __init__(
        self,
        program: ExportedProgram,
        model: nn.Module,
        inputs: Sequence[Tensor],
        name: str,
        kept: Mapping[str, str],
    ):
        self._program = program
        self._kept = kept
        self._opaques = Opaques(program, model, inputs)
        self._inside: set[fx.Node] = set()  # the calls within modules that are kept
        self._lowerer = Lowerer(GraphBuilder(name), _BATCH)
        self._hierarchy = Hierarchy(name)
        self._values: dict[fx.Node, Any] = {}
        self._sources: dict[str, Tensor] = {}  # the parameters by name
        self._parts: dict[fx.Node, fx.GraphModule] = {}  # graphs within the graph
        self._states: set[int] = set()  # where the numbers of parameters and buffers are
        self._known: dict[int, Known] = {}

    def run(self) -> Captured:
        graph = self._program.graph
        self._place()
        self._follow(graph)
        results = self._outputs()
        unused = self._unused()
        names = [name for name, _, _ in results] if len(results) > 1 else [""]
        captured = self._lowerer.builder.captured(
            [(name, value) for name, (_, value, _) in zip(names, results, strict=True)]
        )
        used = {opaque.name for opaque in captured.opaque}
        modules = {name: module for name, module in self._opaques.modules.items() if name in used}
        return attrs.evolve(
            captured,
            outputs=tuple([name for name, _, _ in results]),
            batches=tuple([at for _, _, at in results]),
            modules=modules,
            unused=unused,
        )

    def _follow(self, graph: fx.Graph) -> None:
        """The values of all calls."""
        for node in graph.nodes:
            if node.op == "get_attr" and isinstance(part := getattr(graph.owning_module, node.target), fx.GraphModule):
                self._parts[node] = part
            if node.op == "call_function" and node not in self._inside:
                self._lowerer.at, self._lowerer.around = self._hierarchy.of(node)
                call = next(((key, path) for key, path in calls_of(node) if path in self._kept), None)
                if call is not None:
                    self._keep(node, *call)
                else:
                    part = next((self._parts[x] for x in node.all_input_nodes if x in self._parts), None)
                    self._values[node] = self._called(node) if part is None else self._within(node, part)

    def _within(self, node: fx.Node, part: fx.GraphModule) -> list[Any]:
        """The results of calls that are done in a context of their own, such as without gradients."""
        given = list(node.args[[x in self._parts for x in node.args].index(True) + 1 :])
        for inner, outer in zip(part.graph.find_nodes(op="placeholder"), given, strict=True):
            self._values[inner] = self._given(outer)
        self._follow(part.graph)
        (output,) = part.graph.find_nodes(op="output")
        found = self._given(output.args[0])
        return list(found) if isinstance(found, list | tuple) else [found]

    def _unused(self) -> int:
        """How many numbers of parameters no op has, nor a module that is kept; told in a note."""
        states = self._program.state_dict
        kept = tuple(f"{path}." for path in self._kept)
        specs = [spec for spec in self._program.graph_signature.input_specs if spec.kind == InputKind.PARAMETER]
        names: dict[object, list[str]] = {}  # a parameter may have several
        for name in [spec.target or "" for spec in specs]:
            names.setdefault((states[name].data_ptr(), states[name].numel()), []).append(name)
        found: dict[str, int] = {}
        for alike in names.values():
            name = alike[0]
            used = [self._lowerer.used.get(id(self._sources[one])) for one in alike]
            whole = torch.stack([x for x in used if x is not None] or [torch.zeros(states[name].numel())]).sum(0)
            missing = int((whole == 0).sum())
            if missing and not any(one.startswith(kept) for one in alike):
                found[name] = missing
        if found:
            named = _some([f"{count:,} of `{name}`" for name, count in found.items()])
            self._lowerer.builder.notes.append(f"the model has numbers that it does not use: {named}")
        if self._lowerer.merged:
            named = _some([f"`{place}`" for place in self._lowerer.merged])
            self._lowerer.builder.notes.append(f"weights are worked out of parameters with other numbers in {named}")
        return sum(found.values())

    def _keep(self, node: fx.Node, key: str, path: str) -> None:
        """A call of a module that is kept, as an op of its own."""
        lowerer = self._lowerer
        try:
            region = self._opaques.region(key, path, lambda given: isinstance(self._values.get(given), Data))
            values = [lowerer.plain(self._values[given]) for given in region.inputs]
            if region.output.meta["val"].shape[0] != _BATCH:
                raise Unsupported(f"`{path}`, whose result has no batch")
        except Unsupported as refusal:
            outer = [p for _, p in reversed(calls_of(node)) if path.startswith(f"{p}.")]
            raise _Refusal(self._kept[path], tuple(outer), str(refusal)) from refusal
        place = tuple(itertools.takewhile(lambda frame: frame.address != self._hierarchy.address(key), lowerer.at))
        made = self._opaques.apply(lowerer.builder, region, values, place, self._kept[path])
        self._inside |= set(region.nodes)
        self._values[region.output] = lowerer.data(made)

    def _place(self) -> None:
        """The values of the placeholders: inputs, parameters, constants."""
        builder = self._lowerer.builder
        states = {**self._program.state_dict, **self._program.constants}
        self._states = {x.untyped_storage().data_ptr() for x in states.values() if isinstance(x, Tensor)}
        specs = {spec.arg.name: spec for spec in self._program.graph_signature.input_specs}
        for node in self._program.graph.nodes:
            if node.op != "placeholder":
                continue
            spec = specs[node.name]
            if spec.kind == InputKind.USER_INPUT:
                tensor = node.meta.get("val")
                if isinstance(tensor, Tensor):
                    dtype = _NAMES[tensor.dtype]
                    self._values[node] = self._lowerer.data(builder.input(node.name, dtype, tensor.shape[1:]))
            else:
                assert spec.target is not None
                tensor = states[spec.target]
                if isinstance(tensor, Tensor):
                    tensor = tensor.detach()
                    trained = spec.kind == InputKind.PARAMETER
                    self._sources[spec.target] = tensor
                    known = Known(tensor, tensor, (), uses=len(node.users))
                    self._values[node] = known if trained else Known(tensor)

    def _called(self, node: fx.Node) -> Any:
        if node.target is operator.getitem:
            of, index = node.args
            found = self._values[of][index]  # type: ignore[index]
            if found is None and any(user.op != "output" for user in node.users):
                raise self._refused(node, f"a result of `{of.target}` that has no op")  # type: ignore[union-attr]
            return found
        name = node.target.overloadpacket.__name__  # type: ignore[union-attr]
        args, kwargs = self._given(node.args), self._given(node.kwargs)
        if name.startswith(("_assert", "sym_", "_local_scalar")):
            return None
        if name in _FRESH:
            args = (self._like(node.args[0]), *args[1:])
        if not any(isinstance(x, Data | Pending) for x in pytree.tree_leaves((args, kwargs), _is_value)):
            return self._computed(node, name, args, kwargs)
        changes = name.endswith("_") and not name.startswith("_")
        plain = name.removesuffix("_") if changes else name
        found = self._lowered(node, plain, args, kwargs)
        if changes and isinstance(node.args[0], fx.Node):
            self._values[node.args[0]] = found
        return found

    @staticmethod
    def _like(node: Any) -> Known:
        """A tensor of the same type and shape."""
        like = node.meta["val"]
        return Known(torch.zeros(like.shape, dtype=like.dtype))

    def _given(self, given: Any) -> Any:
        return fx.map_arg(given, lambda node: self._values[node])

    def _computed(self, node: fx.Node, name: str, args: Any, kwargs: Any) -> Any:
        """A call that no input decides, done."""
        known = [x for x in pytree.tree_leaves((args, kwargs), _is_value) if isinstance(x, Known)]
        sources = [x for x in known if x.source is not None]
        source = sources[0].source if sources else None

        def call(*tensors: Tensor) -> Any:
            given = iter(tensors)
            plain = pytree.tree_map(
                lambda x: next(given) if isinstance(x, Known) else x, (args, kwargs), is_leaf=_is_value
            )
            return node.target(*plain[0], **plain[1])  # type: ignore[operator]

        with torch.no_grad():
            changed = known[0] if name.endswith("_") and not name.startswith("_") and known else None
            if changed is not None and changed.tensor.untyped_storage().data_ptr() not in self._states:
                changed = None  # made here: what is a view of it changes with it
            tensors = [x.tensor.clone() if x is changed else x.tensor for x in known]
            found = call(*tensors)
        uses = max([len(node.users), *(x.uses for x in known)])
        moves = known[0].moves if sources and known[0] is sources[0] and len(sources) == 1 else None
        if moves is not None and name == "embedding":
            indices = known[1].tensor
            moves = (*moves, lambda table: table[indices])
            return Known(found, source, moves, uses=uses)
        if moves is not None and name in _MOVES:
            if isinstance(found, list | tuple):
                return [Known(one, source, (*moves, _part(call, tensors[1:], i))) for i, one in enumerate(found)]
            return Known(found, source, (*moves, lambda t: call(t, *tensors[1:])), uses=uses)
        if (
            moves is not None
            and name in ("to", "_to_copy", "type_as", "float")
            and found.dtype == known[0].tensor.dtype
        ):
            return Known(found, source, moves, uses=uses)
        made = (name, tuple(args), dict(kwargs)) if source is not None and isinstance(found, Tensor) else None
        same = _unchanged(name, args)
        if isinstance(same, Known) and same.source is not None and isinstance(found, Tensor):
            moves = None if same.moves is None else (*same.moves, lambda t: t.expand(found.shape))
            return Known(found, same.source, moves, same.made, uses)
        result = pytree.tree_map_only(Tensor, lambda t: Known(t, source, made=made, uses=uses), found)
        if name.endswith("_") and not name.startswith("_") and isinstance(node.args[0], fx.Node):
            self._values[node.args[0]] = result
        return result

    def _lowered(self, node: fx.Node, name: str, args: Any, kwargs: Any) -> Any:
        lowerer = self._lowerer
        tensor = node.meta.get("val")
        first = args[0] if args else None
        if name in ("to", "_to_copy", "type_as", "float") and isinstance(first, Data):
            dtype = lowerer.builder.type(first.value).dtype
            if isinstance(tensor, Tensor) and _NAMES.get(tensor.dtype) == dtype:
                return first
        given = [x for x in pytree.tree_leaves((args, kwargs), _is_value) if isinstance(x, Pending)]
        if name in PENDING or given:
            waiting = Pending((name, tuple(args)), node)
            whole = started(lowerer, waiting)
            if whole is not None:
                return whole
            if name in PENDING or name in ("to", "type_as", "add", "mul"):
                return waiting
            raise self._unexpressed(given[0])
        found = RULES.get(name)
        try:
            if found is None:
                raise Unsupported(f"`{name}`, for which there is no op")
            result = found(lowerer, *args, **kwargs)
        except Unsupported as refusal:
            raise self._refused(node, str(refusal)) from refusal
        except ArchError as refusal:
            raise self._refused(node, refusal.diagnostics[0].message) from refusal
        if name in _MOVES:
            result = pytree.tree_map_only(Data, lambda x: attrs.evolve(x, at=lowerer.around), result)
        if isinstance(result, Data) and isinstance(tensor, Tensor):
            assert result.shape == tuple(tensor.shape), (name, result.shape, tensor.shape)
            if name not in _MOVES:
                result = Data(result.value, result.layout, (name, tuple(args)))
                result = recognised(lowerer, result)
        return result

    def _unexpressed(self, pending: Pending) -> _Refusal:
        """The refusal of the call that a chain of calls without ops begins with."""
        inner = next((x for x in pending.made[1] if isinstance(x, Pending)), None)
        if inner is not None:
            return self._unexpressed(inner)
        return self._refused(pending.node, f"`{pending.made[0]}`, for which there is no op")

    def _refused(self, node: fx.Node, reason: str) -> _Refusal:
        return _Refusal(reason, tuple([path for _, path in reversed(calls_of(node))]))

    def _outputs(self) -> list[tuple[str, int, int]]:
        """The names of the results, their values, and where the model has their batch."""
        (output,) = [node for node in self._program.graph.nodes if node.op == "output"]
        spec = self._program.call_spec.out_spec
        assert spec is not None
        tree = pytree.tree_unflatten(list(output.args[0]), spec)
        found = []
        self._lowerer.at = self._lowerer.around = ()
        for path, node in pytree.tree_flatten_with_path(tree)[0]:
            value = self._values.get(node) if isinstance(node, fx.Node) else None
            if isinstance(value, Known):
                note = f"the result `{_name(path)}` is always the same, and left out"
                self._lowerer.builder.notes.append(note)
            if value is None and isinstance(node, fx.Node):
                self._lowerer.builder.notes.append(f"the result `{_name(path)}` has no op, and is left out")
            if isinstance(value, Pending):
                raise self._unexpressed(value)
            if isinstance(value, Data):
                try:
                    settled = self._lowerer.settle(value)
                    if settled.fold > 1 or settled.common:
                        raise Unsupported("a tensor whose batch is not a dimension of its own")
                    if settled.at > 0:
                        self._lowerer.builder.notes.append(f"the result `{_name(path)}` has the batch first")
                    found.append((_name(path), settled.value, settled.at))
                except Unsupported as refusal:
                    raise ArchError(error("E0811", f"the result `{_name(path)}` is {refusal}")) from refusal
        if not found:
            raise ArchError(error("E0811", "the module gives no tensor that its inputs decide"))
        return found


def outputs(model: nn.Module, inputs: Sequence[Tensor]) -> dict[str, Tensor]:
    """What a module gives in evaluation mode, by the path of each result."""
    with evaluating(model), torch.no_grad():
        found = pytree.tree_flatten_with_path(model(*inputs))[0]
    return {_name(path): x for path, x in found if isinstance(x, Tensor)}


def _unchanged(name: str, args: Sequence[Any]) -> Any:
    """Which argument a call gives back: that to which 0 is added, or the one that is chosen everywhere."""
    if name == "add" and len(args) == 2:
        numbers = [x.number() if isinstance(x, Known) else x for x in args]
        return next((args[1 - i] for i, number in enumerate(numbers) if number == 0), None)
    mask = args[1 if name == "masked_fill" else 0] if name in ("where", "masked_fill") else None
    chosen = mask.number() if isinstance(mask, Known) else None
    if chosen is None:
        return None
    return (args[0], args[2])[bool(chosen)] if name == "masked_fill" else (args[2], args[1])[bool(chosen)]


def _some(items: Sequence[str]) -> str:
    """The first few of many."""
    return ", ".join(items[:3]) + (f" and {len(items) - 3} others" if len(items) > 3 else "")


def _part(call: Callable[..., Any], others: Sequence[Tensor], index: int) -> Callable[[Tensor], Tensor]:
    """The move that takes one of the results of a call."""

    def move(tensor: Tensor) -> Tensor:
        found: Tensor = call(tensor, *others)[index]
        return found

    return move


def _is_value(x: Any) -> bool:
    return isinstance(x, Data | Known | Pending)


def _name(path: Sequence[Any]) -> str:
    """The path of a result: `logits`, `hidden[0]`."""
    return "".join(map(_step, path)).lstrip(".")


def _step(key: Any) -> str:
    if isinstance(key, pytree.SequenceKey):
        return f"[{key.idx}]"
    return f".{getattr(key, 'key', getattr(key, 'name', key))}"
