"""ONNX files converted: what exporters write, what is asked for, and what is wrong."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

import archlang as al
from tests.conversion.models import Mobile, Recurrent, ResNet, Results, Twice, UNet, ViT, Windows, randomised
from tests.conversion.test_onnx_nodes import CASES, IMAGE, Case, W, one, ops, saved, weight, whole, written
from tests.conversion.zoo import SMALL, WHOLE, Make


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)


# ---------------------------------------------------------------- what exporters write


def exported(model: nn.Module, x: torch.Tensor, path: Path, kind: str) -> Path:
    """The file that PyTorch's newer or older exporter makes, `free` for any number of samples, or `whole` without
    norms put into convolutions."""
    free = "free" in kind
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = logging.root.manager.disable
        logging.disable(logging.WARNING)
        try:
            if kind.startswith("new"):
                torch.onnx.export(
                    model,
                    (x,),
                    path,
                    dynamo=True,
                    verbose=False,
                    optimize="whole" not in kind,
                    dynamic_shapes=({0: torch.export.Dim.DYNAMIC},) if free else None,
                )
            else:
                whole = "whole" in kind
                torch.onnx.export(
                    model,
                    (x,),
                    path,
                    dynamo=False,
                    input_names=["x"],
                    do_constant_folding=not whole,
                    training=torch.onnx.TrainingMode.PRESERVE if whole else torch.onnx.TrainingMode.EVAL,
                    dynamic_axes={"x": {0: "batch"}} if free else None,
                )
        finally:
            logging.disable(before)
    return path


EXHAUSTIVE = pytest.mark.exhaustive
SAMPLE = ["new-free", "old", "old-whole"]
KINDS = ["new", "new-free", "new-whole", "old", "old-free", "old-whole"]
FAMILIES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], Sequence[str]]] = {
    # what the exporters keep as it was: all, or what they write without putting norms into convolutions
    "resnet": (ResNet, (3, 32, 32), ["new-whole", "old-whole"]),
    "mobile": (Mobile, (3, 16, 16), KINDS),
    "unet": (UNet, (3, 16, 16), KINDS),
    "vit": (ViT, (3, 16, 16), ["new-whole", "old", "old-whole"]),  # others make equal weights one
    "vit-written-out": (lambda: ViT(fused=False), (3, 16, 16), ["new-whole", "old", "old-whole"]),
    "swin": (Windows, (8, 4, 4), KINDS),
    "recurrent": (Recurrent, (7, 4), []),  # fewer ops: nothing is stacked that is taken apart again
}
# What they write that is no model: values that are given twice, and a number of samples in a file for any.
WRONG = {("swin", "new-whole"): "not valid", ("vit", "old-free"): "run for", ("vit-written-out", "old-free"): "run for"}


@pytest.mark.parametrize("kind", [kind if kind in SAMPLE else pytest.param(kind, marks=EXHAUSTIVE) for kind in KINDS])
@pytest.mark.parametrize("family", FAMILIES)
def test_families(family: str, kind: str, tmp_path: Path) -> None:
    make, shape, same = FAMILIES[family]
    model = randomised(make())
    x = torch.randn(2 if "free" in kind else 1, *shape)
    path = exported(model, x, tmp_path / "net.onnx", kind)
    if (family, kind) in WRONG:
        with pytest.raises(al.ArchError, match=WRONG[family, kind]):
            al.convert(path)
        return
    found, expected = al.convert(path), al.convert(model, x)
    assert found.relative <= 1e-5
    assert len(ops(found)) <= len(ops(expected))
    assert (found.program.canonical_hash == expected.program.canonical_hash) == (kind in same)
    again = torch.randn(3, *shape)
    with torch.no_grad():
        made, wanted = found.program.build("torch").eval()(again), model(again)
    for ours, theirs in zip(made.values(), wanted, strict=True) if isinstance(made, dict) else [(made, wanted)]:
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def bare(model: nn.Module) -> nn.Module:
    """The model with its first result alone, as a file has it, and without the caches that generation uses."""
    config: Any = getattr(model, "config", None)
    if not hasattr(config, "use_cache") and not hasattr(config, "vocab_size"):
        return model
    config.use_cache = False
    kind = type(model)

    def forward(self: nn.Module, tokens: torch.Tensor) -> torch.Tensor:
        found = kind.forward(self, input_ids=tokens)
        return next(iter(found.values()))

    model.__class__ = type(kind.__name__, (kind,), {"forward": forward, "__module__": kind.__module__})
    return model


# Ops that PyTorch's older exporter does not know are in the last two.
SMALLER = [("resnet18", "old-whole"), ("roberta", "old"), ("gpt2", "new-free"), ("llama", "new-free")]
MODELS = [
    "resnet18",
    "resnet50",
    "vgg11_bn",
    "mobilenetv2_100",
    "mobilenetv3_small_100",
    "mobilenetv3_large_100",
    "efficientnet_b0",
    "regnety_004",
    "densenet121",
    "convnext_tiny",
    "vit_tiny_patch16_224",
    "swin_tiny_patch4_window7_224",
    "mixer_s32_224",
    "inception_v3",
    "bert-base",
    "distilbert-base",
    "gpt2",
    "llama-160m",
]
OLDER = [(name, kind) for name in MODELS if name not in ("gpt2", "llama-160m") for kind in ("old", "old-whole")]
PUBLISHED = [*OLDER, *((name, kind) for name in MODELS for kind in ("new", "new-free"))]


@pytest.mark.parametrize(("name", "kind"), SMALLER)
def test_small_models(name: str, kind: str, tmp_path: Path) -> None:
    check(SMALL[name], kind, tmp_path / "net.onnx")


@pytest.mark.exhaustive
@pytest.mark.parametrize(("name", "kind"), PUBLISHED)
def test_published_models(name: str, kind: str, tmp_path: Path) -> None:
    check(WHOLE[name], kind, tmp_path / "net.onnx")


def check(make: Make, kind: str, path: Path) -> None:
    """A file of a model is the program that the model is."""
    made, (x,) = make()
    model = bare(randomised(made))
    exported(model, x.expand(2, *x.shape[1:]) if "free" in kind else x, path, kind)
    found, expected = al.convert(path), al.convert(model, x)
    assert found.relative <= 1e-4
    norms = ops(expected).count("batch_norm") - ops(found).count("batch_norm")
    assert len(ops(found)) <= len(ops(expected)) - norms
    # Norms that are put into convolutions are other ops; scales of one number are no parameters; what is worked out
    # with more digits than a file's floats have is another attribute; and what is joined twice may be joined once.
    odd = ("ConvNeXt",) if not kind.endswith("whole") else ()
    if not norms and type(model).__name__ not in (*odd, "SwinTransformer", "InceptionV3"):
        assert found.program.canonical_hash == expected.program.canonical_hash
    if type(model).__name__ == "ResNet":
        assert found.text.count("\n") < 30


@pytest.mark.parametrize("kind", KINDS)
def test_tied_weights(kind: str, tmp_path: Path) -> None:
    model = Twice()
    found = al.convert(exported(model, torch.zeros(2, 7, dtype=torch.int64), tmp_path / "net.onnx", kind))
    assert found.params == found.model_params == 11 * 6 + 42
    assert ops(found) == ["embedding", "linear", "tanh", "linear", "unembedding"]


def test_several_outputs(tmp_path: Path) -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Results()

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            found = self.inner(x[:, :4], x[:, 4:])
            return found["first"], found["others"][1]

    model = Both()
    path = exported(model, torch.randn(1, 10), tmp_path / "net.onnx", "old")
    found = al.convert(path)
    made = found.program.build("torch")(torch.ones(2, 10))
    names = [output.name for output in onnx.load(path).graph.output]
    assert names[0].isdigit()  # which no name of a program is
    assert next(iter(made)) == f"output_{names[0]}"
    for ours, theirs in zip(made.values(), model(torch.ones(2, 10)), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_the_text_has_the_modules(tmp_path: Path) -> None:
    texts = {}
    for kind in ("new-whole", "old-whole"):
        texts[kind] = al.convert(
            exported(randomised(ResNet()), torch.randn(1, 3, 32, 32), tmp_path / "n.onnx", kind)
        ).text
    for text in texts.values():
        assert "use std.blocks: basic_block, conv_bn" in text
        assert "space n(x: f32[n, 3, 32, 32]) -> [n, 5] {" in text
    folded = al.convert(exported(randomised(ResNet()), torch.randn(1, 3, 32, 32), tmp_path / "n.onnx", "new")).text
    assert "block residual(x: [n, c, h, w])" in folded


def test_a_program_comes_back(tmp_path: Path) -> None:
    program = al.loads("""
        use std.nn
        use std.blocks: transformer_encoder, basic_block

        space s(x: f32[n, 3, 16, 16]) -> [n, 5] {
          x |> conv2d(8) |> batch_norm |> relu |> channel_shuffle(2) |> max_pool2d(stride=2)
            |> repeat(2, basic_block(8)) |> flatten(start=2) |> permute([0, 2, 1])
            |> repeat(2, transformer_encoder(2)) |> mean(1) |> linear(5)
        }
    """).program()
    network = program.build("torch", seed=3)
    program.export_onnx(network, tmp_path / "net.onnx")
    found = al.convert(tmp_path / "net.onnx", name="s")
    assert found.program.canonical_hash == program.canonical_hash
    assert "repeat(2, transformer_encoder(2))" in found.text
    assert found.params == found.model_params == program.cost().params
    x = torch.randn(3, 3, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(found.program.build("torch").eval()(x), network.eval()(x))


# ---------------------------------------------------------------- what is asked for, and what is wrong


def test_sizes_that_a_file_leaves_free(tmp_path: Path) -> None:
    path = written(Case([("MatMul", ["_", "w"], {})], ("n", "tokens", 5), [], {"w": weight(5, 3)}), tmp_path / "t.onnx")
    with pytest.raises(al.ArchError, match=r"leaves free: f32\[n, tokens, 5\](.|\n)*1,128,5"):
        al.convert(path)
    found = al.convert(path, np.zeros((1, 9, 5), np.float32))
    assert found.program.graph.inputs[0].type.shape[1:] == (9, 5)
    with pytest.raises(al.ArchError, match="E0810"):
        al.convert(path, np.zeros((1, 9, 4), np.float32))


def test_files_for_several_samples(tmp_path: Path) -> None:
    case = Case([("Reshape", ["_", "s"], {}), ("Softmax", ["_"], {})], (4, 6), [], {"s": whole(4, 2, 3)})
    found = al.convert(written(case, tmp_path / "four.onnx"))
    assert ops(found) == ["reshape", "softmax"]
    assert [trial.samples for trial in found.trials] == [4, 3]


def test_what_the_file_holds_is_counted(tmp_path: Path) -> None:
    case = Case(
        [("MatMul", ["_", "w"], {}), ("Add", ["_", "w2"], {}), ("Mul", ["_", "factor"], {})],
        ("n", 4),
        [],
        {"w": weight(4, 3), "w2": weight(3), "unused": weight(7), "factor": np.array(2, np.float32)},
    )
    found = al.convert(written(case, tmp_path / "net.onnx"))
    assert found.params == found.model_params == 15
    assert ops(found) == ["linear", "scale"]
    assert any("onnxruntime" in note for note in found.notes)


def test_a_branch_that_nothing_decides(tmp_path: Path) -> None:
    branches = {}
    for name, op in (("then_branch", "Relu"), ("else_branch", "Tanh")):
        made = helper.make_tensor_value_info(f"{name}_y", TensorProto.FLOAT, None)
        branches[name] = helper.make_graph([helper.make_node(op, ["x"], [f"{name}_y"])], name, [], [made])
    nodes = [helper.make_node("If", ["no"], ["y"], name="branch", **branches)]
    found = al.convert(saved(nodes, ("n", 4), {"no": np.array(False)}, tmp_path / "if.onnx"))
    assert ops(found) == ["tanh"]
    decided = [helper.make_node("Cast", ["x"], ["no"], to=TensorProto.BOOL), *nodes]
    with pytest.raises(al.ArchError, match="E0811") as refused:
        al.convert(saved(decided, ("n", 4), {}, tmp_path / "decided.onnx"))
    assert "made another type" in str(refused.value)


def test_all_that_has_no_op_is_told(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Sin", ["x"], ["a"], name="wave"),
        helper.make_node("Sin", ["a"], ["b"], name="of what is not there"),
        helper.make_node("Sin", ["x"], ["c"], name="wave again"),
        helper.make_node("Erf", ["x"], ["d"], name="curve"),
        helper.make_node("NonZero", ["x"], ["e"], name="places"),
        helper.make_node("Gelu", ["x"], ["f"], name="another", domain="com.microsoft"),
        helper.make_node("Concat", ["b", "c", "d"], ["g"], axis=1),
        helper.make_node("Relu", ["d"], ["y"], name="last"),
    ]
    path = saved(nodes, ("n", 4), {}, tmp_path / "odd.onnx")
    model = onnx.load(path)
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    onnx.save(model, path)
    with pytest.raises(al.ArchError) as refused:
        al.convert(path)
    text = str(refused.value)
    assert {found.code for found in refused.value.diagnostics} == {"E0811"}
    assert [found.message for found in refused.value.diagnostics] == [
        "the file holds `Sin`, for which there is no op",
        "the file holds `NonZero`, for which there is no op",
        "the file holds `Gelu` of the domain `com.microsoft`, whose meaning ONNX does not define",
        "the file holds `Erf`, for which there is no op",
    ]
    assert "`wave`, `wave again`" in text
    assert "not there" not in text


def test_loops_are_refused(tmp_path: Path) -> None:
    body = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["c2"]), helper.make_node("Relu", ["v"], ["v2"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("c", TensorProto.BOOL, []),
            helper.make_tensor_value_info("v", TensorProto.FLOAT, ["n", 4]),
        ],
        [
            helper.make_tensor_value_info("c2", TensorProto.BOOL, []),
            helper.make_tensor_value_info("v2", TensorProto.FLOAT, ["n", 4]),
        ],
    )
    nodes = [helper.make_node("Loop", ["three", "yes", "x"], ["y"], name="around", body=body)]
    consts = {"three": np.array(3), "yes": np.array(True)}
    with pytest.raises(al.ArchError, match=r"`Loop`, which repeats(.|\n)*`around`"):
        al.convert(saved(nodes, ("n", 4), consts, tmp_path / "loop.onnx"))


REFUSED: dict[str, tuple[Case, str]] = {
    "a sample of the batch": (Case(one("Gather", ["_", "i"]), (1, 4, 5), [], {"i": np.array(0)}), "along the batch"),
    "the batch taken away": (Case(one("Squeeze", ["_", "i"]), (1, 4), [], {"i": whole(0)}), "takes the batch away"),
    "the batch joined": (Case(one("Reshape", ["_", "s"]), (1, 4), [], {"s": whole(4)}), "the output `y`"),
    "over the batch": (Case(one("ReduceMean", keepdims=1), ("n", 4), []), "over all dimensions"),
    "a rounded size": (
        Case(one("Resize", ["_", "", "f"]), IMAGE, [], {"f": np.array([1, 1, 1.5, 1.5], np.float32)}),
        "a whole factor",
    ),
    "another reset": (
        Case(one("GRU", ["_", "w", "r"], hidden_size=3), (2, 7, 5), [], {"w": weight(1, 9, 5), "r": weight(1, 9, 3)}),
        "a reset before",
    ),
    "a mask of training": (
        Case([("Dropout", ["_"], {"more": ["m"]}), ("Cast", ["m"], {"to": TensorProto.FLOAT})], ("n", 4), []),
        "mask is used",
    ),
    "a kernel that is computed": (Case(one("Conv", ["x", "x"]), (1, 1, 3, 3), []), "a kernel that is computed"),
    "random numbers": (Case([("RandomNormalLike", ["_"], {}), ("Add", ["x", "_"], {})], ("n", 4), []), "random"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str, tmp_path: Path) -> None:
    case, message = REFUSED[name]
    with pytest.raises(al.ArchError, match=message) as refused:
        al.convert(written(case, tmp_path / "case.onnx"))
    assert {found.code for found in refused.value.diagnostics} == {"E0811"}


def test_files_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    with pytest.raises(al.ArchError, match=r"E0809.*there is no file"):
        al.convert(path)
    for content in (b"", b"PK\x03\x04 is another kind", b"version https://git-lfs.github.com/spec/v1\n"):
        path.write_bytes(content)
        with pytest.raises(al.ArchError, match=r"E0809.*is no ONNX file"):
            al.convert(path)
    written(CASES["conv"], path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(al.ArchError, match="E0809"):
        al.convert(path)
    saved([helper.make_node("Relu", ["nothing"], ["y"])], ("n", 4), {}, path)
    with pytest.raises(al.ArchError, match=r"E0809.*is not valid ONNX"):
        al.convert(path)


INVALID: dict[str, Case] = {
    "a kernel of other channels": Case(one("Conv", ["_", "w"]), ("n", 3, 9, 9), [], W),
    "an axis that is not there": Case(one("Gather", ["_", "i"], axis=7), ("n", 4), [], {"i": whole(0)}),
    "a matrix of another size": Case(one("MatMul", ["_", "w"]), ("n", 4), [], {"w": weight(5, 3)}),
    "an order of other dimensions": Case(one("Transpose", perm=[0, 1, 2]), ("n", 4), []),
    "a bias of another size": Case(one("Conv", ["_", "w", "b"]), IMAGE, [], {"w": W["w"], "b": weight(5)}),
    "a norm of other channels": Case(
        one("BatchNormalization", ["_", "s", "s", "s", "s"]), IMAGE, [], {"s": weight(3, positive=True)}
    ),
}


@pytest.mark.parametrize("name", INVALID)
def test_shapes_that_do_not_fit(name: str, tmp_path: Path) -> None:
    with pytest.raises(al.ArchError, match=r"E0809.*is not valid ONNX"):
        al.convert(written(INVALID[name], tmp_path / "net.onnx"))


def test_weights_beside_a_file(tmp_path: Path) -> None:
    path = written(CASES["gemm"], tmp_path / "net.onnx")
    model = onnx.load(path)
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert al.convert(path).params == 18
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(al.ArchError, match=r"E0809.*cannot be read"):
        al.convert(path)


def test_without_onnxruntime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    found = al.convert(written(CASES["gemm"], tmp_path / "net.onnx"))
    assert any("reference evaluator" in note for note in found.notes)


def test_without_onnx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(al.ArchError, match=r"E0801.*reading ONNX files needs `onnx`(.|\n)*archlang\[onnx\]"):
        al.convert(tmp_path / "net.onnx")
