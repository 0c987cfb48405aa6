"""Networks opened up: the network is the first program, every program is valid, and sizes move together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import archlang as al
from archlang.conversion.opening.opening import first_program
from archlang.diagnostics import ArchError
from archlang.morphism.groups import Group, dimension_groups
from archlang.syntax.format import format_module
from archlang.syntax.parser import parse_text

ALL: dict[str, Any] = {"width": (0.5, 1.5), "expand": (0.5, 1.5), "kernel": True, "depth": True, "activation": True}
ALL |= {"attention_heads": True}

# The models, at a size that a test can run.
MODELS: dict[str, dict[str, int]] = {
    "resnet:resnet18": {"size": 64},
    "mobilenet_v2:mobilenet_v2": {"size": 64},
    "vit:vit_ti_16": {"size": 32},
    "bert:bert_mini": {"length": 8},
    "shufflenet_v2:shufflenet_v2_x0_5": {"size": 64},
}
MORE: dict[str, dict[str, int]] = {
    "mobilenet_v3:mobilenet_v3_small": {"size": 64},
    "mobilenet_v3:mobilenet_v3_large": {"size": 64},
    "convnext:convnext_tiny": {"size": 64},
    "densenet:densenet121": {"size": 64},
    "efficientnet:efficientnet_b0": {"size": 64},
    "resnet:resnet50": {"size": 64},
    "squeezenet:squeezenet1_1": {},
    "googlenet:googlenet": {},
    "inception_v3:inception_v3": {},
    "proxyless_mobile:proxyless_mobile": {},
    "alexnet:alexnet": {},
}
HEAD = "use std.nn\nuse std.blocks: conv_bn\n"


def groups_of(body: str, given: str = "f32[n, 8, 8, 8]") -> tuple[list[Group], al.Space]:
    space = al.loads(f"{HEAD}space s(x: {given}) {{\n{body}\n}}\n")
    return dimension_groups(space.program().graph, space.module.library("std.nn")), space


def sources(groups: list[Group]) -> list[list[str]]:
    return [[node.address for node, _ in group.sources] for group in groups]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("x |> conv2d(16) |> relu |> conv2d(8)", [["conv2d#1"]]),
        (
            "y = x |> conv2d(16)\nz = y + (y |> conv2d(16)) |> batch_norm\nz |> conv2d(8)",
            [["conv2d#1", "conv2d#2"]],
        ),
        ("x |> conv2d(16) |> depthwise_conv2d |> conv2d(8)", [["conv2d#1"]]),
        ("x |> conv2d(16) |> conv2d(16, groups=16) |> conv2d(8)", [["conv2d#1", "conv2d#2"]]),
        ("x |> conv2d(16) |> conv2d(24, groups=4) |> conv2d(8)", [["conv2d#1"], ["conv2d#2"]]),
        ("a = x |> conv2d(16)\nb = x |> conv2d(4)\nconcat([a, b]) |> conv2d(8)", [["conv2d#1"], ["conv2d#2"]]),
        ("a = x |> conv2d(4)\nx + (concat([a, a]) |> relu)", []),
        ("x |> conv2d(16) |> flatten |> linear(32) |> linear(10)", [["conv2d"], ["linear#1"]]),
        ("x |> conv2d(16) |> reshape([32, 32]) |> linear(10)", []),
        ("x |> conv2d(16) |> pixel_shuffle(2) |> conv2d(8)", []),
        (
            "y = x |> conv2d(16)\ny * (y |> adaptive_avg_pool2d(1) |> conv2d(16)) |> conv2d(8)",
            [["conv2d#1", "conv2d#2"]],
        ),
        (
            "x |> conv2d(16) |> permute([0, 2, 3, 1]) |> linear(16) |> permute([0, 3, 1, 2]) |> conv2d(8)",
            [["conv2d#1"], ["linear"]],
        ),
        ("x |> conv2d(16) |> slice(1, 0, 8) |> conv2d(8)", []),
        ("x |> conv2d(16) |> mean(1)", [["conv2d"]]),
    ],
)
def test_sizes_that_change_together(body: str, expected: list[list[str]]) -> None:
    assert sources(groups_of(body)[0]) == expected


def test_attention_couples_queries_with_keys_and_values_with_the_result() -> None:
    body = "[x |> linear(16), x |> linear(16), x |> linear(24)] |> attention(heads=4) |> linear(8)"
    found, _ = groups_of(body, "f32[n, 5, 8]")
    assert sources(found) == [["linear#1", "linear#2"], ["linear#3"]]
    assert [group.divisor for group in found] == [4, 4]


def test_groups_divide_both_channel_counts() -> None:
    found, _ = groups_of("x |> conv2d(16) |> conv2d(24, groups=4) |> group_norm(8) |> conv2d(8)")
    assert [group.divisor for group in found] == [4, 8]
    beside, _ = groups_of("concat([x |> conv2d(16), x |> conv2d(8)]) |> channel_shuffle(4) |> conv2d(8)")
    assert [group.divisor for group in beside] == [4, 4]


@pytest.mark.parametrize("model", ["resnet:resnet18", "vit:vit_ti_16", "shufflenet_v2:shufflenet_v2_x0_5"])
def test_no_member_of_a_group_can_change_alone(model: str) -> None:
    program = al.load(f"std.models.{model}", **MODELS[model]).program()
    text = program.source(flat=True)
    graph = al.loads(text).program().graph
    found = dimension_groups(graph, al.loads(text).module.library("std.nn"))
    for group in [group for group in found if len(group.sources) > 1][:3]:
        for node, (name, *_) in group.sources[:2]:
            op, size = node.operation.name, 2 * group.size
            rule = f'space t = {program.space.name} with {{ {op} at "{node.address}" => {op}({name}={size}, ...) }}\n'
            with pytest.raises(ArchError):
                al.loads(text + rule, "t")


def built(space: al.Space, count: int) -> None:
    """Build and run programs drawn from a space."""
    import torch

    torch.set_num_threads(1)
    for seed in range(count):
        program = space.sample(seed)
        given = [
            torch.zeros(1, *value.type.shape[1:], dtype=torch.long if value.type.dtype == "i64" else torch.float32)
            for value in program.graph.inputs
        ]
        with torch.no_grad():
            found = program.build("torch").eval()(*given)
        shapes = [list(each.shape[1:]) for each in (found.values() if isinstance(found, dict) else [found])]
        assert shapes == [list(program.graph.type_of(out.value).shape[1:]) for out in program.graph.outputs]


def opened_model(model: str, config: dict[str, int], **more: Any) -> tuple[al.Space, al.Space]:
    """A model, and the space that it is opened to."""
    network = al.load(f"std.models.{model}", **config)
    opened = al.open_up(network, **ALL, **more)
    assert format_module(parse_text(opened.text)) == opened.text
    assert opened.left_out == ()
    return network, al.loads(opened.text, opened.name)


@pytest.mark.parametrize("model", MODELS)
def test_models_are_opened(model: str) -> None:
    network, space = opened_model(model, MODELS[model])
    assert space.unproved is None
    assert space.size > 10**10
    assert first_program(space).canonical_hash == network.program().canonical_hash
    built(space, 2)


@pytest.mark.exhaustive
@pytest.mark.parametrize("model", MODELS | MORE)
def test_all_models_are_opened(model: str) -> None:
    network, space = opened_model(model, (MODELS | MORE)[model], quantize=True)
    assert space.unproved is None
    assert first_program(space).canonical_hash == network.program().canonical_hash
    built(space, 100)


NET = (
    HEAD
    + """
block unit(out: int)(x: [n, c, h, w]) { x + (x |> conv2d(2 * out) |> relu |> conv2d(out)) }
block typed(out: int)(x: [n, c, h, w]) -> [n, out, h, w] { x |> conv2d(out, bias=true) }
space net(x: f32[n, 8, 8, 8]) {
  x |> conv2d(16) |> repeat(4, unit(16)) |> typed(32) |> global_avg_pool >> linear(4)
}
"""
)


def test_a_network_of_the_user_is_used_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "net.arch").write_text(NET)
    network = al.load(str(tmp_path / "nets" / "net.arch"))
    opened = al.open_up(network, **ALL, quantize=True, folder=tmp_path)
    assert 'use "./nets/net.arch": net' in opened.text
    assert opened.left_out == ('conv2d at "typed/conv2d" => conv2d(out=choose [32, 16, 24, 40, 48], ...)',)
    (tmp_path / "open.arch").write_text(opened.text)
    space = al.load(f"{tmp_path / 'open.arch'}:{opened.name}")
    assert first_program(space).canonical_hash == network.program().canonical_hash
    assert {sum(n.operation.name == "add" for n in space.sample(seed).graph.nodes) for seed in range(40)} == {
        2,
        3,
        4,
        5,
        6,
    }
    built(space, 3)


@pytest.mark.parametrize(
    ("wanted", "size"),
    [
        ({"width": (0.5, 1.5)}, 5),  # one size for all that is added up; that of `typed` is fixed by its type
        ({"expand": (0.5, 1.5)}, 5**4),
        ({"depth": True}, 5),  # 2 to 6 units
        ({"activation": True}, 3**4),
        ({"kernel": True}, 3**10),
        ({"quantize": True}, 3**11),
        ({"depth": True, "activation": True}, 3**2 + 3**3 + 3**4 + 3**5 + 3**6),
        ({"depth": True, "expand": (0.5, 1.5)}, 5**2 + 5**3 + 5**4 + 5**5 + 5**6),
    ],
)
def test_each_concern_by_itself(wanted: dict[str, Any], size: int) -> None:
    opened = al.open_up(al.loads(NET), **wanted)
    space = al.loads(opened.text, opened.name)
    assert space.size == size
    assert first_program(space).canonical_hash == al.loads(NET).program().canonical_hash


def test_a_network_of_library_blocks_is_written_out() -> None:
    """Those blocks have shortcuts only where the width stays, so that no op in them can change alone."""
    blocks = "basic_block(16) >> basic_block(32, stride=2) >> global_avg_pool >> linear(4)"
    network = al.loads(f"use std.blocks: basic_block\n{HEAD}space net(x: f32[n, 16, 8, 8]) {{ x |> {blocks} }}")
    opened = al.open_up(network, width=(0.5, 1.5), expand=(0.5, 1.5))
    assert opened.left_out == ()
    space = al.loads(opened.text, opened.name)
    assert space.size == 5**3
    assert first_program(space).canonical_hash == network.program().canonical_hash
    built(space, 3)


def test_convolutions_that_change_the_size_keep_their_kernels() -> None:
    body = "x |> conv2d(4, padding=0) |> conv2d(4, kernel=2) |> conv2d(4, dilation=2) |> conv2d(4, kernel=5, stride=2)"
    opened = al.open_up(al.loads(f"{HEAD}space s(x: f32[n, 3, 16, 16]) {{ {body} }}"), kernel=True)
    assert [line.strip() for line in opened.text.splitlines() if "=> " in line] == [
        "conv2d(kernel=3, padding=2, dilation=2, ...) => conv2d(kernel=choose [3, 5, 7], dilation=2, ...)",
        "conv2d(kernel=5, padding=2, ...) => conv2d(kernel=choose [5, 3, 7], ...)",
    ]


def test_heads_divide_all_widths_that_may_be_chosen() -> None:
    body = "[x |> linear(16), x |> linear(16), x |> linear(24)] |> attention(heads=4) |> linear(8)"
    network = al.loads(f"{HEAD}space s(x: f32[n, 5, 8]) {{ {body} }}")
    opened = al.open_up(network, width=(0.5, 2.0), attention_heads=True)
    assert "heads=choose [4, 2, 8]" in opened.text
    assert al.loads(opened.text, opened.name).unproved is None


def test_what_cannot_be_opened_is_an_error() -> None:
    for wanted, hint in (({}, "say what"), ({"attention_heads": True}, "nothing of the kind")):
        with pytest.raises(ArchError, match="E0418") as caught:
            al.open_up(al.loads(NET), **wanted)
        assert hint in caught.value.diagnostics[0].hints[0]
