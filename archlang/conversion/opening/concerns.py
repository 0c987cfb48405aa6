"""What of a network can be opened: for each concern the rules of `with` that do so."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from math import lcm

import attrs

from archlang.ir.graph import Graph, Node
from archlang.morphism.groups import Group
from archlang.semantics import globs

Bounds = tuple[float, float]

KERNELS = (3, 5, 7)
ACTIVATIONS = ("relu", "gelu", "silu")  # what others may become, besides themselves
ALIKE = (*ACTIVATIONS, "relu6", "hswish", "elu", "mish", "leaky_relu")
CONVOLUTIONS = ("conv1d", "conv2d", "depthwise_conv2d", "conv3d")
STEPS = 4  # of a range of widths
MANY = 12  # groups in one concatenation


@attrs.frozen
class Part:
    """Lines of a `with` block that belong together: left out together where they do not fit."""

    lines: tuple[str, ...]


# ---------------------------------------------------------------------- sizes


def is_hidden(group: Group, graph: Graph) -> bool:
    """Whether a group lies inside one residual branch: a block around all of it adds what it has no part in."""
    addresses = [graph.nodes[member].address for member in group.members]
    sums = {position for position, node in enumerate(graph.nodes) if node.operation.name == "add"}
    around = _common(addresses)
    while around:
        if any(graph.nodes[at].address.startswith(f"{around}/add") for at in sums - group.members):
            return True
        around = around.rpartition("/")[0]
    return False


def _common(addresses: Sequence[str]) -> str:
    """The innermost address that is around all of some."""
    steps = [address.split("/")[:-1] for address in addresses]
    shared = [same[0] for same in zip(*steps, strict=False) if len(set(same)) == 1]
    for length in range(len(shared), 0, -1):
        if all(step[:length] == shared[:length] for step in steps):
            return "/".join(shared[:length])
    return ""


def sizes(graph: Graph, groups: Iterable[Group], bounds: Bounds, name: str, repeated: Sequence[Run] = ()) -> list[Part]:
    """A decision for the size of each group, the present one first; each within bounds of the present one. Where
    one call makes the size of a group, its decision stands in a rule for all such calls; but where very many groups
    are concatenated these calls have one decision together, or the space could not be worked out as a whole. There
    may be more blocks in the `repeated` rows."""
    parts: list[Part] = []
    single: dict[tuple[str, str, str, bool], list[str]] = {}
    for group in groups:
        low, high = bounds
        unit = lcm(group.divisor, 8 if group.size % 8 == 0 and group.size > 32 else 1)
        wanted = [group.size * (low + (high - low) * step / STEPS) for step in range(STEPS + 1)]
        found = sorted({max(unit, round(size / unit) * unit) for size in wanted} - {group.size})
        if not found:
            continue
        if len(group.sources) == 1 and len(group.sources[0][1]) == 1:
            node, (size,) = group.sources[0]
            key = node.operation.name, size, f"choose {[group.size, *found]}", group.beside > MANY
            single.setdefault(key, []).append(node.address)
            continue
        decision = f"{name}_{len(parts) + 1}"
        lines = [f"{decision} = choose {[group.size, *found]}"]
        written: dict[tuple[str, tuple[str, ...]], list[str]] = {}
        for node, names in group.sources:
            written.setdefault((node.operation.name, names), []).append(node.address)
        for (op, names), addresses in written.items():
            given = ", ".join(f"{each}={decision}" for each in names)
            lines += [
                f'{op} at "{pattern}" => {op}({given}, ...)' for pattern in patterns(graph, op, addresses, repeated)
            ]
        parts.append(Part(tuple(lines)))
    for (op, size, choice, together), addresses in single.items():
        decision = f"{name}_{len(parts) + 1}"
        rule = f"{op}({size}={decision if together else choice}, ...)"
        lines = [f'{op} at "{pattern}" => {rule}' for pattern in patterns(graph, op, addresses, repeated)]
        parts.append(Part((f"{decision} = {choice}", *lines) if together else tuple(lines)))
    return parts


def patterns(graph: Graph, op: str, addresses: Sequence[str], repeated: Sequence[Run] = ()) -> list[str]:
    """Patterns that stand for the calls of an op at some addresses, and for none at others; and for those in the
    last blocks of `repeated` rows, where `depths` puts more of them."""
    wanted, left, found = set(addresses), list(addresses), []
    others = [node.address for node in graph.nodes if node.operation.name == op and node.address not in wanted]
    while left:
        for pattern in _generalised(left[0]):
            if not any(globs.matches(pattern, other) for other in others):
                found.append(pattern)
                left = [address for address in left if not globs.matches(pattern, address)]
                break
    for run in repeated:
        last = f"{run.path}[{run.count - 1}]/"
        found += [f"{last}more#*/{each.removeprefix(last)}" for each in addresses if each.startswith(last)]
    return found


def _generalised(address: str) -> list[str]:
    """An address with `*` for its indices, the most general first."""
    indices = list(re.finditer(r"\[\d+\]", address))
    found = [re.sub(r"\[\d+\]", "[*]", address)]
    found += [f"{address[: index.start()]}[*]{address[index.end() :]}" for index in reversed(indices)]
    return [*dict.fromkeys(found), *([address] if indices else [])]


# ------------------------------------------------------------- single calls


def kernels(graph: Graph) -> list[Part]:
    """Other kernels for convolutions that keep the size for any odd kernel."""
    met = dict.fromkeys(_kernel(node) for node in graph.nodes if node.operation.name in CONVOLUTIONS)
    parts = []
    for op, kernel, padding, dilation in met:
        if kernel < 2 or kernel % 2 == 0 or 2 * padding != dilation * (kernel - 1):
            continue
        others = [size for size in KERNELS if size != kernel]
        dilated = f", dilation={dilation}" if dilation > 1 else ""
        alike = any(other[:3] == (op, kernel, padding) and other[3] != dilation for other in met)
        pattern = f"kernel={kernel}, padding={padding}{dilated or (', dilation=1' if alike else '')}"
        parts.append(Part((f"{op}({pattern}, ...) => {op}(kernel=choose {[kernel, *others]}{dilated}, ...)",)))
    return parts


def _kernel(node: Node) -> tuple[str, int, int, int]:
    operation = node.operation
    kernel, padding, dilation = (int(operation.attribute(name)) for name in ("kernel", "padding", "dilation"))
    return operation.name, kernel, padding, dilation


def activations(graph: Graph) -> list[Part]:
    """Other activations."""
    used = dict.fromkeys(node.operation.name for node in graph.nodes if node.operation.name in ALIKE)
    parts = []
    for op in used:
        others = ", ".join(f"{other}: {other}" for other in ACTIVATIONS if other != op)
        parts.append(Part((f"{op} as original => choose {{ {op}: original, {others} }}",)))
    return parts


def quantized(graph: Graph) -> list[Part]:
    """Fewer bits for the kernels and inputs of convolutions and linear layers."""
    used = {node.operation.name for node in graph.nodes}
    return [
        Part(
            (
                f"{op}(...) => choose {{ full: {op}(...), int8: quantized_{op}(...),"
                f" int4: quantized_{op}(weight_bits=4, ...) }}",
            )
        )
        for op in ("conv2d", "linear")
        if op in used
    ]


def head_choices(graph: Graph) -> dict[int, list[int]]:
    """How many heads attention may have instead of each number that it has; none where other ops count them too."""
    if any(node.operation.name == "rotary" for node in graph.nodes):
        return {}
    found: dict[int, list[int]] = {}
    for node in graph.nodes:
        if node.operation.name != "attention":
            continue
        heads = node.operation.attribute("heads")
        if node.operation.attribute("kv_heads") != heads:
            return {}
        widths = [kind.shape[-1] for kind in node.operation.inputs]
        fitting = [count for count in (heads // 2, 2 * heads) if count and all(width % count == 0 for width in widths)]
        known = found.setdefault(heads, fitting)
        found[heads] = [count for count in known if count in fitting]
    return {heads: counts for heads, counts in found.items() if counts}


def attention_heads(choices: dict[int, list[int]]) -> list[Part]:
    """Other numbers of heads."""
    return [
        Part((f"attention(heads={heads}, ...) => attention(heads=choose {[heads, *counts]}, ...)",))
        for heads, counts in choices.items()
    ]


# ---------------------------------------------------------------------- depth


@attrs.frozen
class Run:
    """Blocks applied one after the other at `path[0]`, …; each from `first` on has one input and one output of
    one type, the values of `ends`."""

    path: str
    count: int
    first: int
    ends: tuple[tuple[int, int], ...]


def runs(graph: Graph) -> list[Run]:
    """The rows of blocks in a graph of which the last may be left out."""
    indexed = [match for path in graph.blocks if (match := re.fullmatch(r"(.*)\[(\d+)\]", path))]
    indexed.sort(key=lambda match: (match[1], int(match[2])))
    found = []
    for path, members in groupby(indexed, key=lambda match: match[1]):
        count = len(list(members))
        ends: list[tuple[int, int]] = []
        for index in reversed(range(count)):
            around = _ends(graph, f"{path}[{index}]")
            if around is None or graph.type_of(around[0]) != graph.type_of(around[1]):
                break
            ends.insert(0, around)
        if ends and count > 1:
            found.append(Run(path, count, max(1, count - len(ends), (count + 1) // 2), tuple(ends)))
    return found


def _ends(graph: Graph, path: str) -> tuple[int, int] | None:
    """The one value that goes into the block at an address, and the one that comes out; None where there are more."""
    count = len(graph.inputs)
    inside = {
        at + count for at, node in enumerate(graph.nodes) if re.match(rf"{re.escape(path)}(?:[/:\[]|$)", node.address)
    }
    if not inside:
        return None
    given = {value for at in inside for value in graph.nodes[at - count].inputs} - inside
    used = {value for at, node in enumerate(graph.nodes) if at + count not in inside for value in node.inputs}
    used |= {output.value for output in graph.outputs}
    left = inside & used
    return (*given, *left) if len(given) == len(left) == 1 else None  # type: ignore[return-value]


def depths(found: Sequence[Run], gain: bool) -> list[Part]:
    """Fewer blocks in a row, or, where that is asked for, more of the last."""
    parts = []
    for number, run in enumerate(found, 1):
        name = f"depth_{number}"
        last = run.count + run.count // 2 if gain else run.count
        counts = [*range(run.count, run.first - 1, -1), *range(run.count + 1, last + 1)]
        lines = [f"{name} = choose {counts}"]
        if last > run.count:
            path, further = f"{run.path}[{run.count - 1}]", f"repeat({name} - {run.count}, more)"
            lines.append(f'_ as more at "{path}" if {name} > {run.count} => more >> {further}')
        for index in range(run.first, run.count):
            lines.append(f'_ at "{run.path}[{index}]" if {name} <= {index} => identity')
        parts.append(Part(tuple(lines)))
    return parts
