"""From a fixed network to a space around it: `.arch` text that derives the space by `with`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import attrs

from archlang.conversion.opening import concerns
from archlang.conversion.opening.concerns import Bounds, Part
from archlang.diagnostics import ArchError, Source, error
from archlang.ir.graph import Graph
from archlang.morphism.groups import dimension_groups
from archlang.semantics.modules import Loader, ModuleScope
from archlang.semantics.names import check_names
from archlang.space.loading import space_of
from archlang.space.program import Program
from archlang.space.space import Space
from archlang.syntax.format import format_module
from archlang.syntax.parser import parse_text

if TYPE_CHECKING:
    from archlang.ir.weights import Array


@attrs.frozen
class Opening:
    """The text of an opened network, the name of the space in it, and what was left as it is because the
    network's own text fixes it."""

    text: str
    name: str
    left_out: tuple[str, ...]
    _networks: tuple[Graph, Graph] = attrs.field(alias="networks", repr=False)  # as given, as opened

    def weights(self, weights: Mapping[str, Array]) -> dict[str, Array]:
        """The network's weights by the addresses that they have in the first program of the opened space. ArchError
        (E0807) when they are not its."""
        from archlang.ir.correspondence import corresponding_weights  # late: most networks are opened without
        from archlang.ir.weights import check_weights

        given, opened = self._networks
        check_weights(given, weights)
        return {theirs: weights[mine] for mine, theirs in corresponding_weights(given, opened).items()}


def open_up(
    space: Space,
    *,
    width: Bounds | None = None,
    expand: Bounds | None = None,
    kernel: bool = False,
    depth: bool = False,
    activation: bool = False,
    attention_heads: bool = False,
    quantize: bool = False,
    folder: str | Path = ".",
) -> Opening:
    """A space around a network, whose first program is the network and of which every program is valid.

    `width` and `expand` bound sizes as multiples of the present ones, `expand` those inside residual branches (the
    hidden layers) and `width` all others; sizes that can only change together are one decision (DepGraph, Fang et
    al. 2023). `kernel` gives convolutions that keep the size other kernels, `depth` makes rows of like blocks
    shorter and longer, `activation` changes activations, `attention_heads` how many heads there are, and `quantize`
    the bits of convolutions and linear layers.

    The text uses the network's file where that is a file of the user (it is to be put into `folder`); another
    network, or one whose own text fixes most of something that is to be opened, is written out. ArchError where
    nothing can be opened, or where the space has no network.
    """
    wanted = Wanted(width, expand, kernel, depth, activation, attention_heads, quantize)
    asked = any(attrs.astuple(wanted))
    program = first_program(space)
    bases = [_base(space, program, Path(folder))]
    written = program.source(library=False)
    if bases[0][0] != written and space.size == 1:
        bases.append((written, space.name))  # where its own text fixes sizes
    ways = [(base, more) for base in bases for more in (True, False) if more or depth]
    found: tuple[Steps, list[str], tuple[str, str]] | None = None
    closed = True  # whether the text before leaves less of something open than not
    for base, more in ways:
        if base is not bases[0] and not closed:
            break
        graph = first_program(_space(base[0], None, folder, base[1])).graph
        steps = _steps(graph, space.module.library("std.nn"), wanted, more)
        fitting, left_out = _all_fitting(*base, steps, folder)
        kept = {step: len(parts) for step, parts in fitting}
        closed = closed and any(2 * kept.get(step, 0) < len(parts) for step, parts in steps)
        if found is None or (fitting and len(left_out) < len(found[1])):
            found = fitting, left_out, base
        if not left_out:
            break
    assert found is not None
    fitting, left_out, (text, current) = found
    if not fitting:
        raise ArchError(error("E0418", f"there is nothing to open in `{space.name}`", hints=[_advice(asked, left_out)]))
    for number, (step, parts) in enumerate(fitting, 1):
        target = f"{space.name}_open" if number == len(fitting) else f"{space.name}_{step}"
        text += _derived(target, current, parts)
        current = target
    opened = _space(text, current, folder)
    opened.check()
    first = first_program(opened)
    assert first.canonical_hash == program.canonical_hash
    return Opening(format_module(parse_text(text)), current, tuple(left_out), networks=(program.graph, first.graph))


@attrs.frozen
class Wanted:
    """What is to be opened; see `open_up`."""

    width: Bounds | None
    expand: Bounds | None
    kernel: bool
    depth: bool
    activation: bool
    attention_heads: bool
    quantize: bool


Steps = list[tuple[str, list[Part]]]  # by the name of each step, what it opens


def _steps(graph: Graph, library: ModuleScope, wanted: Wanted, more: bool) -> Steps:
    """What can be opened of a graph; `more` says whether there may be more blocks in a row too."""
    runs = concerns.runs(graph) if wanted.depth else []
    heads = concerns.head_choices(graph) if wanted.attention_heads else {}
    doubled = any(2 * count in others for count, others in heads.items())
    joined = [ends for run in runs for ends in run.ends]
    groups = dimension_groups(graph, library, 2 if doubled else 1, joined)
    hidden = [concerns.is_hidden(group, graph) for group in groups]
    outer = [group for group, inside in zip(groups, hidden, strict=True) if not inside]
    inner = [group for group, inside in zip(groups, hidden, strict=True) if inside]
    repeated = runs if more else []
    return [
        ("depth", concerns.depths(runs, more)),
        ("width", concerns.sizes(graph, outer, wanted.width, "width", repeated) if wanted.width else []),
        ("expand", concerns.sizes(graph, inner, wanted.expand, "hidden", repeated) if wanted.expand else []),
        ("kernel", concerns.kernels(graph) if wanted.kernel else []),
        ("activation", concerns.activations(graph) if wanted.activation else []),
        ("heads", concerns.attention_heads(heads)),
        ("bits", concerns.quantized(graph) if wanted.quantize else []),
    ]


def _all_fitting(base: str, name: str, steps: Steps, folder: str | Path) -> tuple[Steps, list[str]]:
    """The steps with what fits of each, after those before it; and the first lines of what does not."""
    fitting: Steps = []
    left_out: list[str] = []
    text, current = base, name
    for step, parts in steps:
        kept, dropped = _fitting(text, current, parts, folder)
        left_out += [part.lines[0] for part in dropped]
        if kept:
            fitting.append((step, kept))
            text, current = text + _derived(f"{name}_{step}", current, kept), f"{name}_{step}"
    return fitting, left_out


def first_program(space: Space) -> Program:
    """The program with the first pick of every decision."""
    resolved = space.analysis.resolver.resolve(lambda decision: decision.domain.pick(0))
    return space.program({decision.address: pick for decision, pick in resolved.decisions.values()})


def _advice(asked: bool, left_out: Sequence[str]) -> str:
    if left_out:
        return "its own text does not allow it: the result type of a block fixes a size, for example"
    if asked:
        return "it has nothing of the kind that was asked for"
    return "say what: width, expand, kernel, depth, activation, attention_heads, quantize"


def _base(space: Space, program: Program, folder: Path) -> tuple[str, str]:
    """The text that brings the network in, and its name there."""
    if space.module.is_library:
        return program.source(library=False), space.name
    if not Path(space.module.name).is_file():  # a text that is in no file
        return f"use std.nn\n{space.module.source.text}\n", space.name
    path = Path(os.path.relpath(space.module.name, folder)).as_posix()
    path = path if path.startswith("../") else f"./{path}"
    return f'use std.nn\nuse "{path}": {space.name}\n', space.name


def _derived(name: str, base: str, parts: Sequence[Part]) -> str:
    bindings = [line for part in parts for line in part.lines if " => " not in line]
    rules = [line for part in parts for line in part.lines if " => " in line]
    body = "".join(f"  {line}\n" for line in [*bindings, *([""] if bindings else []), *rules])
    return f"\nspace {name} = {base} with {{\n{body}}}\n"


def _fitting(text: str, base: str, parts: list[Part], folder: str | Path) -> tuple[list[Part], list[Part]]:
    """The parts with which every program is valid, and the others."""

    def fits(tried: Sequence[Part]) -> bool:
        try:
            _space(text + _derived("tried", base, tried), "tried", folder).check()
        except ArchError:
            return False
        return True

    if not parts or fits(parts):
        return parts, []
    kept = [part for part in parts if fits([part])]
    kept = kept if fits(kept) else []
    return kept, [part for part in parts if part not in kept]


def _space(text: str, name: str | None, folder: str | Path, used: str | None = None) -> Space:
    """A space of a text that stands in a folder, or one that the text uses."""
    loader = Loader()
    key = str(PurePosixPath(Path(folder).as_posix()) / "<opened>")
    module = loader.load_source(key, Source(key, text))
    loader.texts[key] = text
    for each in loader.user_modules:
        loader.found.extend(check_names(each))
    loader.found.raise_if_any()
    if used is not None and used in module.imports:
        module, name = module.imports[used], used
    return space_of(module, name or used, loader, {}, check=False)
