"""Moves between networks that carry their weights: wider, deeper, with more branches, and back.

Widening and deepening are those of Net2Net (Chen et al. 2016) and EAS (Cai et al. 2018), branches those of path-level
transformation (Cai et al. 2018b), narrowing is structured pruning (DepGraph, Fang et al. 2023). The program that a
move gives has its weights, and computes what the one before did wherever that can be: `Moved.difference` measures it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, cached_property
from typing import Any

import attrs
import numpy as np

from archlang.backend import backend
from archlang.diagnostics import ArchError, did_you_mean, error
from archlang.ir.correspondence import corresponding_weights
from archlang.ir.graph import Graph, Node
from archlang.lowering.initial import Drawing
from archlang.morphism.alignment import Fill
from archlang.morphism.carrying import Array, carry
from archlang.morphism.groups import Group, dimension_groups
from archlang.morphism.importance import Score
from archlang.morphism.rewriting import Rewriting, Step
from archlang.semantics.typed import declared_op
from archlang.space.loading import loads
from archlang.space.probing import drawn_inputs
from archlang.space.program import Program
from archlang.syntax import ast

FOLLOWING = frozenset(["batch_norm", "layer_norm", "rms_norm", "group_norm", "instance_norm", "dropout", "prelu"])
LINEAR = frozenset(
    ["conv1d", "conv2d", "conv2d_rect", "conv3d", "depthwise_conv2d", "conv_transpose1d", "conv_transpose2d", "linear"]
)


@attrs.frozen(eq=False, slots=False)
class Moved:
    """What a move made: a program with weights, why it may compute something else than the program before (nothing
    where it does not), and the addresses of nodes that were not there."""

    program: Program
    changes: tuple[str, ...]
    new: tuple[str, ...]
    _before: Program = attrs.field(alias="before", repr=False)

    @cached_property
    def difference(self) -> float:
        """The largest difference between the outputs before and after for random inputs, in evaluation mode by the
        numpy backend, as a part of the largest output."""
        return outputs_apart(self._before, self.program)


def carry_weights(
    trained: Program, program: Program, *, fill: Fill = "copy", score: Score = "l2", seed: int = 0
) -> Moved:
    """Another program, of the same space for example, with the weights of a trained one.

    Nodes correspond by address. Where there are more channels, further ones are copies that learn apart
    (`fill="copy"`) or new ones that are not read yet ("fresh"); where there are fewer, those stay that score most:
    "l2", "l1", "batch_norm", "random", or arrays by the address of weights whose magnitudes count. New layers are
    the identity, new branches zero, larger kernels zero around the old. A program without weights of its own has
    those that it would be built with.
    """
    made = carry(
        trained.graph, weights_of(trained), program.graph, _declared(program), fill=fill, score=score, seed=seed
    )
    return Moved(program.with_weights(made.weights), made.changes, made.new, before=trained)


def widen(program: Program, at: str, to: int, *, fill: Fill = "copy", seed: int = 0) -> Moved:
    """The program with more channels where the op at an address makes them, and wherever they are coupled with
    others; or, at an `attention`, with more heads. `fill` as in `carry_weights`. ArchError (E0419) where the size
    cannot change, or not to this one."""
    return _resized(program, at, to, 1, fill=fill, seed=seed)


def narrow(program: Program, at: str, to: int, *, score: Score = "l2", seed: int = 0) -> Moved:
    """The program with fewer channels, or heads, where the op at an address makes them: the inverse of `widen`, and
    structured pruning. `score` as in `carry_weights`; copies and what nothing reads go first. Errors as there."""
    return _resized(program, at, to, -1, score=score, seed=seed)


def prune(program: Program, share: float, *, score: Score = "l2", seed: int = 0) -> Moved:
    """The program with every group of coupled channels narrower by a share (0 to 1) of it, those that score least
    gone. What must divide a size still does; ArchError (E0419) where no size can change."""
    if not 0 < share < 1:
        raise _refused(f"a share of {share:g} cannot be pruned", "give one between 0 and 1")
    changes = Rewriting(program)
    smaller = False
    for group in _groups(program):
        size = max(1, round(group.size * (1 - share) / group.divisor)) * group.divisor
        smaller |= size < group.size
        _set(changes, group, size)
    if not smaller:
        raise _refused(f"`{program.space.name}` has no size that could be smaller", "")
    return _carried(program, changes, score=score, seed=seed)


def deepen(program: Program, at: str, *, seed: int = 0) -> Moved:
    """The program with one more of what is at an address, after it: a block, or a layer (a convolution or linear map)
    with the normalisation and activation after it. It begins as the identity; where it cannot, as zeros that are
    added to what goes by. ArchError (E0419) for what cannot be repeated."""
    moved = _deepened(program, at, seed, beside=False)
    return _deepened(program, at, seed, beside=True) if moved.changes else moved


def remove(program: Program, at: str, *, seed: int = 0) -> Moved:
    """The program without what is at an address, a block or a layer as for `deepen`: the inverse of it. ArchError
    (E0419) where what it takes and what it gives are of different types."""
    changes = Rewriting(program)
    unit = _unit(program, changes, at)
    if not unit.keeps_type:
        raise _refused(f"`{at}` gives another type than it takes", "remove what takes and gives one type")
    users = [step for step in changes.steps if unit.last in step.inputs]
    if len(users) == 1 and users[0].op == "add" and unit.entry in users[0].inputs and unit.last not in changes.outputs:
        (joined,) = users  # a branch beside what goes by
        joined.inputs.remove(unit.last)
        if len(joined.inputs) == 1:
            changes.replace(joined, joined.inputs[0])
    else:
        changes.replace(unit.last, unit.entry)
    return _carried(program, changes, seed=seed)


def branch(program: Program, at: str, *, ways: int = 2, join: str = "add", seed: int = 0) -> Moved:
    """The program with several ops instead of the one at an address, whose results are added, or (`join="concat"`)
    each make a part of the channels. Added ops share its weights in parts that differ, so that they learn apart.
    ArchError (E0419) for ops that are not linear in their weights, and sizes that do not fit."""
    changes = Rewriting(program)
    step = _step(program, changes, at)
    if step.op not in LINEAR or join not in ("add", "concat") or ways < 2:
        raise _refused(
            f"`{at}` cannot become {ways} branches to `{join}`",
            f"two or more can be made to `add` or `concat` of {', '.join(sorted(LINEAR))}",
        )
    graph = program.graph
    output = _node(graph, at).operation.output.shape
    axis = len(output) - 1 if step.op == "linear" else 1
    size = output[axis]
    assert isinstance(size, int)
    sizes = [size] * ways
    if join == "concat":
        if step.attributes.get("groups", 1) != 1 or "out" not in step.attributes or size < ways:
            raise _refused(f"the channels of `{at}` cannot be made by {ways} ops", "let them be added")
        sizes = [size * (way + 1) // ways - size * way // ways for way in range(ways)]
    if sum(each.weights_at == step.weights_at for each in changes.steps) > 1:
        raise _refused(f"the weights of `{at}` are shared with other ops", "branch an op with weights of its own")
    weights = weights_of(program)
    own = {name: array for name, array in weights.items() if name.rpartition(".")[0] == step.weights_at}
    for name in own:
        del weights[name]
    shares = np.random.default_rng(seed).uniform(0.5, 1.5, ways)
    parts: list[Step] = []
    start = 0
    for size, share in zip(sizes, shares / shares.sum(), strict=True):
        address = at if not parts else changes.free(at)
        attributes = {**step.attributes, **({"out": size} if join == "concat" else {})}
        parts.append(Step(address, step.op, attributes, list(step.inputs), address))
        changes.steps.append(parts[-1])
        for name, array in own.items():
            _, _, kind = name.rpartition(".")
            part = np.take(array, range(start, start + size), axis=_out_axis(step.op, kind))
            weights[f"{address}.{kind}"] = part if join == "concat" else array * array.dtype.type(share)
        start += size if join == "concat" else 0
    address = changes.free(f"{at}_{join}")
    joined = Step(address, join, {"axis": axis} if join == "concat" else {}, [*parts], address)
    changes.steps.append(joined)
    changes.replace(step, joined, but=[joined])
    made = changes.program(weights)
    return Moved(made, (), tuple([part.address for part in parts[1:]] + [address]), before=program)


def merge(program: Program, at: str) -> Moved:
    """The program with one op instead of the branches that the `add` or `concat` at an address joins: the inverse of
    `branch`. ArchError (E0419) where these are not alike."""
    changes = Rewriting(program)
    joined = _step(program, changes, at)
    parts = [given for given in joined.inputs if isinstance(given, Step)]
    first = parts[0] if parts else None
    graph = program.graph
    concat = joined.op == "concat"
    alike = (
        first is not None
        and joined.op in ("add", "concat")
        and len(parts) == len(joined.inputs) > 1
        and len({part.address for part in parts}) == len(parts)
        and first.op in LINEAR
        and all(part.op == first.op and part.inputs == first.inputs for part in parts)
        and all(_but_out(part, concat) == _but_out(first, concat) for part in parts)
        and all(sum(part in step.inputs for step in changes.steps) == 1 for part in parts)
        and all(sum(part.weights_at == step.weights_at for step in changes.steps) == 1 for part in parts)
    )
    if first is not None and concat:
        axis = joined.attributes["axis"] % len(_node(graph, at).operation.output.shape)
        alike = alike and axis == (-1 % len(_node(graph, at).operation.output.shape) if first.op == "linear" else 1)
        alike = alike and first.attributes.get("groups", 1) == 1 and first.op != "depthwise_conv2d"
    if first is None or not alike:
        raise _refused(
            f"`{at}` joins no branches that could be one op",
            "these are ops of one kind, of the same input, that nothing else takes",
        )
    weights = weights_of(program)
    for name in [weight.name for weight in _node(graph, first.address).operation.weights]:
        arrays = [weights.pop(f"{part.weights_at}.{name}") for part in parts]
        weights[f"{first.address}.{name}"] = (
            np.concatenate(arrays, axis=_out_axis(first.op, name)) if concat else np.sum(arrays, axis=0)
        )
    if concat:
        first.attributes["out"] = sum(part.attributes["out"] for part in parts)
    first.weights_at = first.address
    changes.replace(joined, first)
    return Moved(changes.program(weights), (), (), before=program)


# ------------------------------------------------------------------- programs


def weights_of(program: Program) -> dict[str, Array]:
    """The weights of a program, those that it would be built with where it has none of its own."""
    if program.weights:
        return dict(program.weights)
    drawing = Drawing(0)
    return {address: drawing.draw(address, spec) for address, spec in program.graph.weights.items()}


def written(program: Program) -> tuple[str, dict[str, Array]]:
    """The program as text (`Program.source`), and its weights by the addresses that this text gives them."""
    text = program.source()
    loaded = loads(text, externs=program.space.externs, check=False).program()
    weights = weights_of(program)
    return text, {theirs: weights[mine] for mine, theirs in corresponding_weights(program.graph, loaded.graph).items()}


def outputs_apart(one: Program, other: Program, samples: int = 2, seed: int = 0) -> float:
    """The largest difference between the outputs of two programs for random inputs, in evaluation mode by the numpy
    backend, as a part of the largest output."""
    numpy = backend("numpy")
    results = []
    for program in (one, other):
        network = numpy.build(program.graph)
        numpy.set_weights(program.graph, network, weights_of(program))
        given = drawn_inputs(program.graph, samples, seed)
        made = numpy.run(network, *given)
        results.append(made if isinstance(made, Mapping) else {"": made})
    worst = 0.0
    for name, expected in results[0].items():
        apart = float(np.abs(results[1][name] - expected).max(initial=0.0))
        worst = float(np.maximum(worst, apart / (float(np.abs(expected).max(initial=0.0)) or 1.0)))  # nan stays
    return worst


def _carried(program: Program, changes: Rewriting, **how: Any) -> Moved:
    graph = changes.graph()
    made = carry(program.graph, weights_of(program), graph, _declared(program), **how)
    return Moved(changes.program(made.weights, graph), made.changes, made.new, before=program)


def _declared(program: Program) -> Any:
    scope = program.space.scope

    @cache
    def found(name: str) -> ast.Op | None:
        declared = declared_op(scope, name)
        return None if declared is None else declared[0]

    return lambda node: found(node.operation.name)


# ---------------------------------------------------------------------- sizes


def _groups(program: Program, more_heads: int = 1) -> list[Group]:
    return dimension_groups(program.graph, program.space.module.library("std.nn"), more_heads)


def _resized(program: Program, at: str, to: int, way: int, **how: Any) -> Moved:
    changes = Rewriting(program)
    step = _step(program, changes, at)
    if step.op == "attention":
        now = step.attributes["heads"]
        groups = _head_groups(program, at)
        for group in groups:
            _set(changes, group, group.size // now * to)
        step.attributes["heads"] = step.attributes["kv_heads"] = to
    else:
        group = _group(program, at)
        now = group.size
        if to % group.divisor:
            raise _refused(f"{to} is no size for `{at}`", f"it is a multiple of {group.divisor}")
        _set(changes, group, to)
    if to < 1 or (to - now) * way <= 0:
        raise _refused(f"`{at}` has {now}, and is to have {to}", "narrow it" if to < now else "widen it")
    return _carried(program, changes, **how)


def _set(changes: Rewriting, group: Group, size: int) -> None:
    for node, names in group.sources:
        changes.step(node.address).attributes.update(dict.fromkeys(names, size))


def _group(program: Program, at: str) -> Group:
    """The coupled sizes that the op at an address makes, or has in its result."""
    groups = _groups(program)
    made = [group for group in groups if any(node.address == at for node, _ in group.sources)]
    position = [node.address for node in program.graph.nodes].index(at)
    made = made or [group for group in groups if position in group.members]
    if len(made) != 1:
        free = [node.address for group in groups for node, _ in group.sources]
        shown = ", ".join(f"`{address}`" for address in free[:3])
        raise _refused(
            f"the size that `{at}` makes cannot change",
            f"it hangs on the network's inputs or results; those of {shown} can" if free else "no size here can",
        )
    return made[0]


def _head_groups(program: Program, at: str) -> list[Group]:
    """The groups of queries and keys, and of values, of an attention."""
    graph = program.graph
    node = _node(graph, at)
    first = len(graph.inputs)
    inputs = [value - first for value in node.inputs]
    attributes = dict(node.operation.attributes)
    found = [group for group in _groups(program) if set(inputs) & group.members]
    if attributes["heads"] != attributes["kv_heads"] or not set(inputs) <= set().union(*(g.members for g in found)):
        raise _refused(f"the heads of `{at}` cannot change", "its queries, keys and values are to be maps of their own")
    return found


# ---------------------------------------------------------------------- units


@attrs.frozen(eq=False)
class _Unit:
    """Steps that belong together: what they take, and the one whose result others take."""

    steps: tuple[Step, ...]
    entry: Step | int
    last: Step
    block: bool
    keeps_type: bool


def _unit(program: Program, changes: Rewriting, at: str) -> _Unit:
    """The block at an address, or the layer with what follows it."""
    graph = program.graph
    types = {node.address: node.operation.output for node in graph.nodes}
    traits = {node.address: node.operation.traits for node in graph.nodes}
    steps = [step for step in changes.steps if step.address == at]
    block = not steps
    if block:
        steps = [step for step in changes.steps if step.address.startswith(f"{at}/")]
        if not steps:
            raise _nothing_at(graph, at)
    elif steps[0].op not in LINEAR:
        raise _refused(f"`{at}` is no layer", "name a block, a convolution or a linear map")
    while not block:
        users = [step for step in changes.steps if steps[-1] in step.inputs]
        follows = len(users) == 1 and len(users[0].inputs) == 1 and steps[-1] not in changes.outputs
        if not follows or not (users[0].op in FOLLOWING or "elementwise" in traits[users[0].address]):
            break
        steps.append(users[0])
    entries = {id(given): given for step in steps for given in step.inputs if given not in steps}
    lasts = [
        step
        for step in steps
        if step in changes.outputs or any(step in other.inputs for other in changes.steps if other not in steps)
    ]
    if len(entries) != 1 or len(lasts) != 1:
        raise _refused(f"`{at}` takes {len(entries)} values and gives {len(lasts)}", "name what takes and gives one")
    (entry,) = entries.values()
    taken = graph.inputs[entry].type if isinstance(entry, int) else types[entry.address]
    return _Unit(tuple(steps), entry, lasts[0], block, taken == types[lasts[0].address])


def _deepened(program: Program, at: str, seed: int, beside: bool) -> Moved:
    changes = Rewriting(program)
    unit = _unit(program, changes, at)
    if unit.block and not unit.keeps_type:
        raise _refused(f"`{at}` gives another type than it takes", "repeat what takes and gives one type")
    prefix = changes.free(at)
    copies: dict[int, Step] = {}
    for step in unit.steps:
        address = f"{prefix}{step.address.removeprefix(at)}" if unit.block else changes.free(step.address)
        given: list[Step | int] = [unit.last if value is unit.entry else copies[id(value)] for value in step.inputs]
        home = f"{prefix}{step.weights_at.removeprefix(at)}" if unit.block else address
        made = Step(address, step.op, dict(step.attributes), given, home)
        copies[id(step)] = made
        changes.steps.append(made)
    if unit.block:
        for place, name in list(changes.blocks.items()):
            if place == at or place.startswith((f"{at}/", f"{at}[")):
                changes.blocks[f"{prefix}{place.removeprefix(at)}"] = name
    else:
        _as_identity(copies[id(unit.steps[0])], program, unit)
    new = [copies[id(step)] for step in unit.steps]
    tail = copies[id(unit.last)]
    if beside:
        address = changes.free(f"{prefix}_add" if unit.block else f"{at}_add")
        tail = Step(address, "add", {}, [unit.last, tail], address)
        changes.steps.append(tail)
    changes.replace(unit.last, tail, but=[*new, tail])
    return _carried(program, changes, seed=seed)


def _as_identity(step: Step, program: Program, unit: _Unit) -> None:
    """Let a layer give the type that it now takes: that of the layer's result."""
    shape = _node(program.graph, unit.last.address).operation.output.shape
    attributes = step.attributes
    if step.op.startswith("conv_transpose") or step.op == "conv2d_rect":
        raise _refused(f"a `{step.op}` cannot be repeated", "repeat a convolution or a linear map")
    channels = shape[-1] if step.op == "linear" else shape[1]
    if "out" in attributes:
        attributes["out"] = channels
    attributes.update({name: 1 for name in ("stride", "groups", "multiplier") if name in attributes})
    if "kernel" in attributes:
        attributes["kernel"] |= 1
        attributes["padding"] = attributes["dilation"] * (attributes["kernel"] - 1) // 2


def _out_axis(op: str, weight: str) -> int:
    """The dimension of a weight that runs through the channels that an op makes."""
    return int(op.startswith("conv_transpose") and weight == "kernel")


def _but_out(step: Step, concat: bool) -> dict[str, Any]:
    return {name: value for name, value in step.attributes.items() if not (concat and name == "out")}


# --------------------------------------------------------------------- errors


def _node(graph: Graph, at: str) -> Node:
    found = next((node for node in graph.nodes if node.address == at), None)
    if found is None:
        raise _nothing_at(graph, at)
    return found


def _step(program: Program, changes: Rewriting, at: str) -> Step:
    _node(program.graph, at)
    return changes.step(at)


def _nothing_at(graph: Graph, at: str) -> ArchError:
    known = [*(node.address for node in graph.nodes), *graph.blocks]
    return ArchError(error("E0419", f"there is nothing at `{at}`", hints=did_you_mean(at, known) or ()))


def _refused(message: str, hint: str) -> ArchError:
    return ArchError(error("E0419", message, hints=(hint,) if hint else ()))
