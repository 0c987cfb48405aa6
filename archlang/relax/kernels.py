"""Transformed kernels (Cai et al. 2020, Once-for-All): a smaller kernel is the centre of the next larger one,
times a matrix that is trained and that all channels share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import attrs

from archlang.ir.graph import Operation, WeightSpec


@attrs.frozen
class Step:
    """From one size of a kernel to the next smaller one: the matrix's name, where the centre is along
    height and width, and how large it is."""

    matrix: str
    centre: slice
    size: int


@attrs.frozen
class Chain:
    """The sizes of the square kernel `weight`, the largest first."""

    weight: str
    sizes: tuple[int, ...]

    def steps(self, size: int) -> tuple[Step, ...]:
        """What leads from the largest kernel to one of a size."""
        found = []
        for larger, smaller in zip(self.sizes, self.sizes[1:], strict=False):
            if size <= smaller:
                start = (larger - smaller) // 2
                found.append(Step(_name(smaller), slice(start, start + smaller), smaller))
        return tuple(found)

    @property
    def matrices(self) -> dict[str, WeightSpec]:
        """The matrices by name: `transform_5` makes kernels of five by five. They begin as identities."""
        return {
            _name(size): WeightSpec(_name(size), (size**2, size**2), ("identity",), fan_in=size**2)
            for size in self.sizes[1:]
        }


def _name(size: int) -> str:
    return f"transform_{size}"


def chain(operations: Iterable[Operation]) -> Chain | None:
    """The chain of an op's first kernel of two equal dimensions that has several sizes in its forms; None
    without any. Whether smaller kernels are centres is what the op's declaration says."""
    forms: dict[str, list[WeightSpec]] = {}
    for work in operations:
        for spec in work.weights:
            forms.setdefault(spec.name, []).append(spec)
    for name, specs in forms.items():
        sizes = {spec.shape[-1] for spec in specs if _is_square(spec)}
        if len(sizes) > 1 and all(map(_is_square, specs)):
            return Chain(name, tuple(sorted(sizes, reverse=True)))
    return None


def _is_square(spec: WeightSpec) -> bool:
    """Whether a weight ends with two equal dimensions, which alone have centred slices."""
    is_centred = spec.centred[-2:] == (True, True) and sum(spec.centred) == 2
    return is_centred and spec.shape[-2] == spec.shape[-1]


def transformed(kernel: Any, steps: Iterable[Step], matrix: Callable[[str], Any]) -> Any:
    """The smaller kernel of a large one: arrays, or tensors of PyTorch."""
    for step in steps:
        centre = kernel[..., step.centre, step.centre]
        flat = centre.reshape(-1, step.size**2) @ matrix(step.matrix).T
        kernel = flat.reshape(centre.shape)
    return kernel
