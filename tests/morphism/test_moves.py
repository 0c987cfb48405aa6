"""Moves between networks: what they compute before and after, and back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

import archlang as al
from archlang.morphism import Moved, branch, deepen, merge, narrow, outputs_apart, prune, remove, widen
from archlang.morphism.alignment import Fill
from archlang.morphism.groups import Group, dimension_groups
from archlang.morphism.moves import LINEAR, written
from tests.morphism.networks import TEXTS, network

SAME = 2e-6
QUERIES = ("layer[0]/attend/linear#1", "layer[1]/attend/linear#1")
MEANS = ("layer_norm", "rms_norm")  # which see how many channels there are


def groups(program: al.Program) -> list[Group]:
    return dimension_groups(program.graph, program.space.module.library("std.nn"))


def torch_outputs(program: al.Program, inputs: list[np.ndarray]) -> torch.Tensor:
    network = program.build("torch").eval()
    with torch.no_grad():
        return network.double()(
            *[torch.from_numpy(x).double() if x.dtype.kind == "f" else torch.from_numpy(x) for x in inputs]
        )


@pytest.mark.parametrize("fill", ["copy", "fresh"])
@pytest.mark.parametrize("name", TEXTS)
def test_every_size_grows_and_shrinks_back(name: str, fill: Fill) -> None:
    program = network(name)
    sizes = groups(program)
    assert sizes
    for group in sizes:
        at = group.sources[0][0].address
        # Whole multiples go through means over all channels.
        meant = any(node.operation.name in MEANS for p, node in enumerate(program.graph.nodes) if p in group.members)
        if meant and fill == "fresh":
            continue
        to = 2 * group.size if meant else group.size + group.divisor
        made = widen(program, at, to, fill=fill)
        if at in QUERIES:  # each head wider: its scores are others
            assert "have another width" in made.changes[0]
            continue
        assert made.changes == ()
        assert made.program.cost().params > program.cost().params
        assert made.difference < SAME
        back = narrow(made.program, at, group.size)
        assert back.program.graph == program.graph
        assert outputs_apart(program, back.program) < SAME


@pytest.mark.parametrize("name", TEXTS)
def test_other_numbers_than_a_mean_allows_are_told(name: str) -> None:
    program = network(name)
    for group in groups(program):
        members = [program.graph.nodes[place].operation.name for place in group.members]
        if any(each in MEANS for each in members):
            made = widen(program, group.sources[0][0].address, group.size + group.divisor)
            assert any("works on all channels together" in change for change in made.changes)
            assert made.difference > SAME


def test_the_same_by_torch_in_float64() -> None:
    program = network("residual")
    random = np.random.default_rng(0)
    inputs = [random.standard_normal((4, 3, 8, 8))]
    expected = torch_outputs(program, inputs)
    for moved in (
        widen(program, "conv2d#1", 11),
        widen(program, "unit[0]/conv2d#1", 20, fill="fresh"),
        deepen(program, "unit[1]"),
        deepen(program, "conv2d#1"),
        deepen(program, "linear#1"),
        branch(program, "unit[1]/conv2d#2", ways=3),
        branch(program, "conv2d#2", join="concat"),
    ):
        assert (
            len(moved.program.graph.nodes) > len(program.graph.nodes)
            or moved.program.cost().params > program.cost().params
        )
        torch.testing.assert_close(torch_outputs(moved.program, inputs), expected, rtol=1e-5, atol=1e-5)


def test_copies_are_read_apart() -> None:
    program = network("residual")
    made = widen(program, "linear#1", 32)
    weights = made.program.weights
    np.testing.assert_array_equal(weights["linear#1.kernel"][16:], weights["linear#1.kernel"][:16])
    first, second = weights["linear#2.kernel"][:, :16], weights["linear#2.kernel"][:, 16:]
    np.testing.assert_allclose(first + second, program.weights["linear#2.kernel"], rtol=1e-6)
    assert (np.abs(first - second) > 1e-4).mean() > 0.9


@pytest.mark.parametrize("score", ["l1", "l2"])
def test_what_scores_least_is_narrowed_away(score: str) -> None:
    program = network("residual")
    at, size = "unit[0]/conv2d#1", 10
    made = narrow(program, at, size, score=score)
    assert made.changes == ("6 channels are gone",)
    before = program.weights
    power = 1 if score == "l1" else 2
    parts = [
        (before["unit[0]/conv2d#1.kernel"], 0),
        (before["unit[0]/batch_norm#1.scale"], 0),
        (before["unit[0]/batch_norm#1.bias"], 0),
        (before["unit[0]/conv2d#2.kernel"], 1),
    ]
    total = sum((np.abs(np.moveaxis(a, axis, 0).reshape(16, -1)) ** power).sum(axis=1) for a, axis in parts)
    kept = np.sort(np.argsort(-np.asarray(total))[:size])
    np.testing.assert_array_equal(
        made.program.weights["unit[0]/conv2d#1.kernel"], before["unit[0]/conv2d#1.kernel"][kept]
    )
    # The narrower network is the one before with what reads the others zero.
    masked = dict(before)
    kernel = before["unit[0]/conv2d#2.kernel"].copy()
    kernel[:, np.setdiff1d(np.arange(16), kept)] = 0
    masked["unit[0]/conv2d#2.kernel"] = kernel
    assert outputs_apart(program.with_weights(masked), made.program) < SAME


@pytest.mark.parametrize("score", ["batch_norm", "random"])
def test_what_has_no_score_is_told_to_be_gone_too(score: str) -> None:
    made = narrow(network("residual"), "linear#1", 10, score=score)
    assert made.changes == ("6 channels are gone",)


def test_scores_of_one_s_own() -> None:
    program = network("residual")
    score = {"linear#1.bias": np.arange(16, dtype=np.float32)}
    made = narrow(program, "linear#1", 4, score=score)
    np.testing.assert_array_equal(made.program.weights["linear#1.kernel"], program.weights["linear#1.kernel"][12:])


@pytest.mark.parametrize("name", TEXTS)
def test_pruning_takes_a_share_of_every_size(name: str) -> None:
    program = network(name)
    made = prune(program, 0.5)
    for before, after in zip(groups(program), groups(made.program), strict=True):
        assert after.size == max(1, round(before.size / 2 / before.divisor)) * before.divisor
    assert np.isfinite(made.difference)


def test_heads_come_and_go_as_wholes() -> None:
    program = network("tokens")
    at = "layer[0]/attend/attention"
    for fill in ("copy", "fresh"):
        more = widen(program, at, 3, fill=fill)
        assert more.changes == ()
        assert more.difference < SAME
        assert outputs_apart(program, narrow(more.program, at, 2).program) < SAME
    one = narrow(program, at, 1)
    kernel = one.program.weights["layer[0]/attend/linear#1.kernel"]
    halves = program.weights["layer[0]/attend/linear#1.kernel"].reshape(2, 4, 8)
    assert any(np.array_equal(kernel, half) for half in halves)


DEEPER = {
    "residual": ["conv2d#1", "conv2d#2", "linear#1", "unit[1]", "unit[0]/conv2d#2"],
    "gated": ["conv2d#1", "conv2d#2", "depthwise_conv2d", "conv2d#3", "gated/linear#1"],
    "dense": ["conv2d", "layer#1[0]/conv2d"],
    "grouped": ["conv2d#1", "conv2d#2", "conv2d#3", "conv2d#4"],
    "tokens": ["layer[1]", "layer[0]/attend", "layer[0]/linear#1"],
    "queries": ["layer[0]", "layer[1]/rotary_attention", "layer[0]/linear#3"],
    "recurrent": ["conv1d"],
}


@pytest.mark.parametrize("name", TEXTS)
def test_layers_and_blocks_are_deepened_and_removed_again(name: str) -> None:
    program = network(name)
    for at in DEEPER[name]:
        made = deepen(program, at)
        assert made.changes == ()
        assert made.difference < SAME
        new, rest = made.new[0][: len(at)], made.new[0][len(at) :]
        back = remove(made.program, new + rest.partition("/")[0])
        assert outputs_apart(program, back.program) < SAME
        assert back.program.canonical_hash == program.canonical_hash


@pytest.mark.parametrize("name", TEXTS)
def test_branches_are_made_and_merged(name: str) -> None:
    program = network(name)
    for node in program.graph.nodes:
        operation = node.operation
        if operation.name not in LINEAR:
            continue
        whole = operation.name != "depthwise_conv2d" and dict(operation.attributes).get("groups", 1) == 1
        for join in ("add", "concat") if whole else ("add",):
            found = branch(program, node.address, ways=2, join=join)
            assert found.difference < SAME
            back = merge(found.program, found.new[-1])
            assert back.program.canonical_hash == program.canonical_hash
            assert outputs_apart(program, back.program) < SAME


def test_a_moved_program_is_text_and_weights() -> None:
    program = widen(deepen(network("residual"), "unit[0]").program, "conv2d#2", 20).program
    text, weights = written(program)
    again = al.loads(text).program().with_weights(weights)
    assert again.canonical_hash == program.canonical_hash
    assert outputs_apart(program, again) < SAME


REFUSED: list[tuple[str, str, Callable[[al.Program], Moved]]] = [
    ("cannot change", "inputs or results", lambda p: widen(p, "linear#2", 8)),
    ("nothing at", "did you mean `conv2d#1`", lambda p: widen(p, "conv2d1", 8)),
    ("is to have 4", "narrow it", lambda p: widen(p, "conv2d#1", 4)),
    ("is to have 20", "widen it", lambda p: narrow(p, "conv2d#1", 20)),
    ("cannot be pruned", "between 0 and 1", lambda p: prune(p, 1.5)),
    ("is no layer", "name a block", lambda p: deepen(p, "relu#1")),
    ("gives another type", "one type", lambda p: remove(p, "conv2d#2")),
    ("cannot become", "of", lambda p: branch(p, "relu#1")),
    ("joins no branches", "of one kind", lambda p: merge(p, "unit[0]/add")),
    ("is no size", "multiple of 4", lambda p: widen(network("grouped"), "conv2d#1", 9)),
]


@pytest.mark.parametrize(("message", "hint", "move"), REFUSED)
def test_what_cannot_be_done_is_told(message: str, hint: str, move: Callable[[al.Program], Moved]) -> None:
    with pytest.raises(al.ArchError) as found:
        move(network("residual"))
    assert message in str(found.value)
    assert hint in str(found.value)
    assert found.value.diagnostics[0].code == "E0419"


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "name", ["resnet:resnet50", "mobilenet_v3:mobilenet_v3_large", "densenet:densenet121", "shufflenet_v2", "googlenet"]
)
def test_published_networks(name: str) -> None:
    from tests.morphism.networks import with_weights

    program = with_weights(al.load(f"std.models.{name}").program())
    for group in groups(program)[::7]:
        at = group.sources[0][0].address
        made = widen(program, at, group.size + group.divisor)
        assert made.changes == ()
        assert made.difference < 1e-5
