"""A network's fingerprint by what it gives for random inputs, whatever its graph looks like."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from archlang.backend import backend
from archlang.ir.canonical import in_canonical_order
from archlang.ir.functional import ZERO, functional_form
from archlang.ir.graph import Graph, Input, WeightSpec
from archlang.ir.passes import rewired, without_duplicates
from archlang.ir.types import Dim

Array = NDArray[Any]

SAMPLES = 2  # the size of symbolic dimensions
DIRECTIONS = 4
DIGITS = 9  # float64 keeps about 14 of a deep network's


def output_hash(graph: Graph, seed: int = 0) -> str:
    """The fingerprint, 32 hexadecimal digits, of the outputs at inference for random inputs, in float64 by the
    numpy backend.

    Weights are drawn by what they are for, not by address: all nodes of one op with equal attributes, weights and
    output shape have the same values, but for nodes with the same inputs, which are numbered, and for weights that
    are tied, which differ by how many nodes have them. So networks with equal `functional_hash` agree; so do
    copies of computations without weights and one that is used twice, and whatever else is the same arithmetic
    (`relu` twice, a product of factors). Two networks that differ only where such drawn weights make it cancel are
    taken for equal.

    Compared are the norm of each output and its cosines with some random directions, to 9 digits: few numbers, so
    that rounding seldom falls to different sides of an edge. Where it does, equal networks are told apart.
    ArchError (E0803) for an op that numpy cannot do; ValueError when an output is not finite.
    """
    form, zeros = _with_zeros_given(in_canonical_order(without_duplicates(functional_form(graph))))
    network = backend("numpy").build(form)
    network.weights = _weights(form, seed)
    given = [
        _probe(given, _random(seed, "input", position)) for position, given in enumerate(form.inputs[: -zeros or None])
    ]
    given += [np.zeros(_shape(zero.type.shape)) for zero in form.inputs[len(given) :]]
    with np.errstate(all="ignore"):
        results = network(*given)
    outputs = results if isinstance(results, dict) else {"": results}
    seen = {name: _features(np.asarray(outputs[name]), seed) for name in sorted(outputs)}
    return blake2b(repr(seen).encode(), digest_size=16).hexdigest()


def drawn_inputs(graph: Graph, samples: int, seed: int = 0, like: Sequence[Array] | None = None) -> list[Array]:
    """Random inputs of a graph, so many samples: normal numbers, and whole numbers below the sizes of the tables that
    they look up (else 0 and 1). With examples, they are of their types and sizes, and whole numbers go up to theirs."""
    random = np.random.default_rng(seed)
    found: list[Array] = []
    for position, given in enumerate(graph.inputs):
        shape = tuple([dim if isinstance(dim, int) else samples * dim.factor for dim in given.type.shape])
        dtype = np.dtype(np.float32 if given.type.dtype.startswith(("f", "bf")) else np.int64)
        top = 2
        if like is not None:
            shape, dtype = (samples, *like[position].shape[1:]), like[position].dtype
            top = int(like[position].max(initial=0)) + 1
        tables = [
            node.operation.attribute("vocabulary")
            for node in graph.nodes
            if node.operation.name == "embedding" and node.inputs == (position,)
        ]
        drawn = np.issubdtype(dtype, np.floating)
        array = random.standard_normal(shape) if drawn else random.integers(0, min(tables, default=top), shape)
        found.append(array.astype(dtype))
    return found


def _with_zeros_given(graph: Graph) -> tuple[Graph, int]:
    """The graph with its zeros as further inputs, and how many these are: no backend has an op for them."""
    first = len(graph.inputs)
    zeros = [place for place, node in enumerate(graph.nodes) if node.operation.name == ZERO]
    rest = [place for place, node in enumerate(graph.nodes) if node.operation.name != ZERO]
    number = dict(enumerate(range(first)))
    number.update((first + place, new) for new, place in enumerate([*zeros, *rest], first))
    nodes = tuple(
        [rewired(node, tuple([number[value] for value in node.inputs])) for node in map(graph.nodes.__getitem__, rest)]
    )
    inputs = graph.inputs + tuple([Input(f"0#{place}", graph.nodes[place].operation.output) for place in zeros])
    outputs = tuple([attrs.evolve(output, value=number[output.value]) for output in graph.outputs])
    return attrs.evolve(graph, inputs=inputs, nodes=nodes, outputs=outputs), len(zeros)


def _weights(graph: Graph, seed: int) -> dict[str, Array]:
    users = Counter(f"{node.weights_at}.{spec.name}" for node in graph.nodes for spec in node.operation.weights)
    twins: Counter[object] = Counter()
    found: dict[str, Array] = {}
    for node in graph.nodes:
        if node.operation.weights:
            signature = node.operation.signature
            twin = twins[signature, node.inputs]
            twins[signature, node.inputs] += 1
            for spec in node.operation.weights:
                address = f"{node.weights_at}.{spec.name}"
                if address not in found:
                    found[address] = _drawn(spec, _random(seed, signature, spec.name, twin, users[address]))
    return found


def _drawn(spec: WeightSpec, random: np.random.Generator) -> Array:
    """Values that keep the size of signals about as it is; those that begin as a constant lie around it, so that no
    shift is zero and no factor one."""
    around = {"zeros": 0.0, "ones": 1.0, "constant": spec.init[-1]}.get(spec.init[0])
    if around is not None:
        return random.uniform(around - 0.25, around + 0.25, spec.shape)
    return random.standard_normal(spec.shape) * math.sqrt(2 / max(math.prod(spec.shape[1:]), 1))


def _probe(given: Input, random: np.random.Generator) -> Array:
    shape = _shape(given.type.shape)
    if given.type.dtype.startswith(("f", "bf")):
        return random.standard_normal(shape)
    return random.integers(0, 2, shape)


def _features(output: Array, seed: int) -> list[str]:
    """What is compared of an output."""
    values = output.astype(np.float64).ravel()
    if not np.isfinite(values).all():
        raise ValueError("an output of the network is not finite")
    norm = float(np.linalg.norm(values))
    if norm == 0.0:
        return [str(output.shape)]
    directions = _random(seed, "directions", values.size).standard_normal((DIRECTIONS, values.size))
    # Adding 0.0 makes -0.0 one with 0.0.
    cosines = [f"{float(cosine):.{DIGITS}f}" for cosine in np.round(directions @ (values / norm), DIGITS) + 0.0]
    return [str(output.shape), f"{math.log(norm):.{DIGITS}f}", *cosines]


def _shape(dims: tuple[Dim, ...]) -> tuple[int, ...]:
    return tuple([dim if isinstance(dim, int) else SAMPLES * dim.factor for dim in dims])


def _random(*parts: object) -> np.random.Generator:
    digest = blake2b(repr(parts).encode(), digest_size=8).digest()
    return np.random.default_rng(int.from_bytes(digest, "little"))
