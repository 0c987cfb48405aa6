"""Modules that stay what they are: calls of them as ops of their own."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import torch
from torch import Tensor, fx, nn
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind

from archlang.conversion.builder import GraphBuilder, identifier
from archlang.conversion.captured import Opaque
from archlang.conversion.data import Unsupported


def calls_of(node: fx.Node) -> tuple[tuple[str, str], ...]:
    """The calls of modules that a call is in, outermost first: a key for each, and the module's path."""
    stack: Mapping[str, tuple[str, Any]] = node.meta.get("nn_module_stack") or {}
    return tuple([(key, path) for key, (path, _) in stack.items() if path])


@attrs.frozen
class Region:
    """The calls within one call of a module that is to stay, what they are given from outside, and the one
    result that is used outside."""

    path: str
    nodes: tuple[fx.Node, ...]
    inputs: tuple[fx.Node, ...]
    output: fx.Node


class Opaques:
    """The modules of a model that stay, and the ops that stand for them."""

    def __init__(self, program: ExportedProgram, model: nn.Module, inputs: Sequence[Tensor]):
        self._program = program
        self._model = model
        self._inputs = inputs
        self._values: dict[fx.Node, Any] | None = None
        self._names: dict[tuple[str, tuple[Any, ...]], str] = {}
        self.modules: dict[str, nn.Module] = {}

    def region(self, key: str, path: str, is_data: Any) -> Region:
        """The region of a call; Unsupported when it is no function of tensors with one result."""
        nodes = tuple([n for n in self._program.graph.nodes if any(key == k for k, _ in calls_of(n))])
        inside = set(nodes)
        outside = [given for n in nodes for given in n.all_input_nodes if given not in inside]
        inputs = tuple([given for given in dict.fromkeys(outside) if is_data(given)])
        results = [n for n in nodes if any(user not in inside for user in n.users)]
        if len(results) != 1 or not isinstance(results[0].meta.get("val"), Tensor):
            raise Unsupported(f"`{path}`, which does not give one tensor")
        return Region(path, nodes, self._in_order(path, inputs, results[0]), results[0])

    def apply(self, builder: GraphBuilder, region: Region, values: Sequence[int], at: Any, reason: str) -> int:
        """The op of a region applied to values; the sizes of its result are those of the export."""
        module = self._model.get_submodule(region.path)
        result = region.output.meta["val"]
        types = [str(builder.type(value)) for value in values]
        sizes = ", ".join(map(str, result.shape[1:]))
        dtype = str(result.dtype).removeprefix("torch.").replace("float", "f").replace("int", "i")
        key = region.path, tuple(types)
        name = self._names.get(key)
        if name is None:
            name = base = identifier(type(module).__name__)
            count = 1
            while name in self.modules or name in builder.taken:
                count += 1
                name = f"{base}_{count}"
            self._names[key] = name
            self.modules[name] = module
        inputs = ", ".join(f"x{i}: {kind}" for i, kind in enumerate(types, 1))
        kind = f"{type(module).__module__}.{type(module).__qualname__}"
        declaration = (
            f"## The module `{region.path}` of the model, a {kind}.\n"
            f"op {name}({inputs}) -> {dtype}[{', '.join(filter(None, ['n', sizes]))}]\n  extern\n"
        )
        params = sum(weight.numel() for weight in module.parameters())
        opaque = Opaque(name, region.path, kind, reason, params, declaration)
        return builder.extern(opaque, *values, at=at)

    def _in_order(self, path: str, inputs: tuple[fx.Node, ...], output: fx.Node) -> tuple[fx.Node, ...]:
        """The inputs as the module takes them; Unsupported when it cannot be called with them alone."""
        found = self._recorded()
        module = self._model.get_submodule(path)
        given = [found[node] for node in inputs]
        names = [p.name for p in inspect.signature(module.forward).parameters.values()]
        calls: list[Any] = []
        hook = module.register_forward_pre_hook(lambda m, a, k: calls.append((a, k)), with_kwargs=True)
        try:
            with torch.no_grad():
                self._model(*self._inputs)
        finally:
            hook.remove()
        for args, named in calls:
            by_name = [(n, named[n]) for n in names if n in named]
            tensors = [x for x in (*args, *(x for _, x in by_name)) if isinstance(x, Tensor)]
            order = [next((i for i, y in enumerate(given) if _same(x, y)), None) for x in tensors]
            if sorted(order, key=str) != list(range(len(inputs))):
                continue
            with torch.no_grad():
                try:
                    again = module(*tensors)
                except Exception:
                    continue
            if isinstance(again, Tensor) and _same(again, found[output]):
                return tuple([inputs[i] for i in order if i is not None])
        raise Unsupported(f"`{path}`, which is not called with tensors alone")

    def _recorded(self) -> dict[fx.Node, Any]:
        """The values of all calls for the inputs of the export."""
        if self._values is None:
            states = {**self._program.state_dict, **self._program.constants}
            own = iter(self._inputs)
            given = [
                next(own) if spec.kind == InputKind.USER_INPUT else states[spec.target or ""]
                for spec in self._program.graph_signature.input_specs
            ]
            recorder = _Recorder(self._program.graph_module)
            with torch.no_grad():
                recorder.run(*given)
            self._values = recorder.values
        return self._values


class _Recorder(fx.Interpreter):
    """Keeps what each call gives."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.values: dict[fx.Node, Any] = {}

    def run_node(self, n: fx.Node) -> Any:
        found = super().run_node(n)
        self.values[n] = found.clone() if isinstance(found, Tensor) else found
        return found


def _same(a: Tensor, b: Any) -> bool:
    return isinstance(b, Tensor) and a.shape == b.shape and bool(torch.allclose(a, b, equal_nan=True))
