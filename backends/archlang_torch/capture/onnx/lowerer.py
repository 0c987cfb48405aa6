"""What ONNX nodes are lowered with: ATen's rules, and the number of samples that a file is for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, TypeVar

import attrs
import numpy as np
import torch
from torch import Tensor

from archlang.conversion.builder import GraphBuilder
from archlang.conversion.data import Data, Unsupported
from archlang.diagnostics import ArchError
from archlang_torch.capture.lowerer import RULES, Lowerer
from archlang_torch.capture.onnx.file import content
from archlang_torch.capture.patterns import recognised, started
from archlang_torch.capture.values import Known, Pending

# Calls that may be part of a pattern though by themselves they cannot be done.
_PARTS = frozenset(["add", "sub", "mul", "div", "matmul", "softmax", "to"])

Rule = TypeVar("Rule", bound=Callable[..., Any])
NODES: dict[str, Callable[..., Any]] = {}


def node(*names: str) -> Callable[[Rule], Rule]:
    """What the nodes of these names are: a function of the lowerer, the node and its inputs, None for those
    left out, that gives the outputs or the only one."""

    def register(function: Rule) -> Rule:
        for name in names:
            NODES[name] = function
        return function

    return register


@attrs.frozen
class Call:
    """A node: its attributes by name, the version of its operators, and how many outputs are wanted."""

    op: str
    name: str
    attributes: dict[str, Any]
    opset: int
    outputs: int

    def get(self, name: str, default: Any = None) -> Any:
        return self.attributes.get(name, default)


class OnnxLowerer(Lowerer):
    """`told` is the number of samples that the file is for: where it is 1, the sizes in its constants are those
    for one sample, while the batch is followed with another number, so that it can be told from other ones."""

    def __init__(self, builder: GraphBuilder, batch: int, told: int, patterns: dict[str, list[Any]]):
        super().__init__(builder, batch)
        self.told = told
        self.node: Call | None = None
        self._patterns = patterns
        self._others: dict[int, Known] = {}  # parameters by their transposed ones

    # -------------------------------------------------------------- calls

    def call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """What a call of ATen is; what is recognised in it and the calls before it."""
        args = tuple([plain(x) for x in args])
        waiting = [x for x in args if isinstance(x, Pending)]
        try:
            if waiting:
                raise Unsupported(waiting[0].node)
            result = RULES[name](self, *args, **kwargs)
        except (Unsupported, ArchError) as refusal:
            reason = refusal.diagnostics[0].message if isinstance(refusal, ArchError) else str(refusal)
            if name not in _PARTS:
                raise Unsupported(reason) from refusal
            return self.pending(name, *args, reason=reason)
        if isinstance(result, Data):
            result = recognised(self, Data(result.value, result.layout, (name, args)))
            for find in self._patterns.get(name, ()):
                found = find(self, result)
                if found is not None:
                    return Data(found.value, found.layout, found.made or result.made)
        return result

    def pending(self, name: str, *args: Any, reason: str) -> Data | Pending:
        """A call that has no op, which is told with the reason unless it turns out to be part of one."""
        args = tuple([plain(x) for x in args])
        waiting = Pending((name, args), reason)
        found = started(self, waiting)
        for find in self._patterns.get(name, ()) if found is None else ():
            found = found or find(self, waiting)
        return found or waiting

    def view(self, name: str, x: Any, *args: Any) -> Data:
        """A call that only moves elements."""
        found: Data = RULES[name](self, data(x), *args)
        return attrs.evolve(found, at=self.around)

    # -------------------------------------------------------------- sizes

    def shape(self, x: Data | Known) -> tuple[int, ...]:
        """The shape that the file takes a tensor to have."""
        if isinstance(x, Known) or self.told == self.batch:
            return x.shape
        layout = x.layout
        return tuple([prod(1 if stride >= layout.sample else size for size, stride in dim) for dim in layout.dims])

    def batched(self, x: Data, target: Sequence[int]) -> tuple[int, ...]:
        """A shape in the file's terms that the data is to have, with the number of samples it is followed with."""
        if self.told == self.batch:
            return tuple(target)
        layout = x.layout
        atoms = [atom for dim in layout.dims for atom in dim]
        place = next((i for i, (_, stride) in enumerate(atoms) if stride >= layout.sample), None)
        if place is None:
            raise Unsupported("a tensor whose batch is not a dimension of its own")
        before = prod(size for size, _ in atoms[:place])
        starts = [i for i in range(len(target)) if prod(target[:i]) == before]
        if not starts:
            raise Unsupported("a view across the batch")
        at = next((i for i in starts if target[i] == 1), starts[0])
        return (*target[:at], target[at] * self.batch, *target[at + 1 :])

    def reshaped(self, x: Data, target: Sequence[int]) -> Data:
        """A view with a shape in the file's terms."""
        return self.view("reshape", x, self.batched(x, target))

    # -------------------------------------------------------------- weights

    def turned(self, known: Known) -> Known:
        """A matrix transposed. One of a parameter's is a parameter, the same each time."""
        if known.source is None or known.moves != ():
            return known.apply(lambda t: t.t())
        source = known.source
        found = self._others.get(id(source))
        if found is None:
            found = Known.parameter(source.t().contiguous())
            assert found.source is not None
            self.transposed(known, found)
        return found

    def transposed(self, a: Known, b: Known) -> None:
        """Tell that two parameters are each other's transposed ones."""
        self._others[id(a.source)], self._others[id(b.source)] = b, a

    def tied(self, parameters: dict[str, Known]) -> dict[str, Known]:
        """The parameters, those that are equal but not all of one number as one; matrices that are equal but
        transposed are known to be."""
        first: dict[tuple[Any, ...], Known] = {}
        found = {}
        for name, known in parameters.items():
            array = known.tensor.numpy()
            if bool((array == array.reshape(-1)[0]).all()):
                found[name] = known
                continue
            found[name] = first.setdefault(content(array), known)
            if array.ndim == 2 and found[name] is known:
                other = first.get(content(array.T))
                if other is not None and other is not known:
                    self.transposed(known, other)
        return found


# ---------------------------------------------------------------- inputs of nodes


def data(x: Any) -> Data:
    """An input that is decided by the model's inputs."""
    if isinstance(x, Pending):
        raise Unsupported(x.node)
    if not isinstance(x, Data):
        raise Unsupported("an operation on what is constant")
    return x


def known(x: Any, what: str) -> Known:
    """An input that must be constant; `what` it is, if it is not."""
    if not isinstance(x, Known):
        raise Unsupported(f"{what} that is computed")
    return x


def numbers(x: Any, what: str) -> list[int]:
    """Whole numbers that must be constant."""
    return [int(number) for number in known(x, what).tensor.reshape(-1).tolist()]


def number(x: Any, what: str) -> float:
    """A number that must be constant."""
    tensor = known(x, what).tensor
    if tensor.numel() != 1:
        raise Unsupported(f"{what} that is several")
    return _exact(tensor)


def plain(x: Any) -> Any:
    """A constant of one element as a number."""
    if isinstance(x, Known) and x.source is None and x.tensor.numel() == 1 and x.tensor.dtype != torch.bool:
        return _exact(x.tensor)
    return x


def _exact(tensor: Tensor) -> float | int:
    value = tensor.reshape(-1)[0]
    return shortest(value.item()) if value.dtype == torch.float32 else value.item()


def shortest(value: float) -> float:
    """The decimal number of fewest digits that is this one among single floats: what was meant."""
    return float(str(np.float32(value)))
