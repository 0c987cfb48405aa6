"""The published networks of `reference_networks.json`, rebuilt in `.arch`: one function a network."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import archlang as al

Entry = Mapping[str, Any]
Rebuild = Callable[[Entry], al.Program]

REFERENCE = Path(__file__).parent / "reference"
NB201_LABELS = {
    "none": "none",
    "skip_connect": "skip",
    "nor_conv_1x1": "conv1",
    "nor_conv_3x3": "conv3",
    "avg_pool_3x3": "pool3",
}


def fixed(target: str, **config: Any) -> al.Program:
    """The only program of a space without choices; a name without a dot is a file beside this one."""
    path = target if target.startswith("std.") else str(REFERENCE / f"{target}.arch")
    return al.load(path, config).program({})


def darts(entry: Entry) -> al.Program:
    """A network derived from a genotype: its operations, in pairs of a name and a state."""
    description = entry["description"]
    genotype = description["genotype"]
    return fixed(
        "std.models.darts:darts_cifar",
        normal=[tuple(gene) for gene in genotype["normal"]],
        reduce=[tuple(gene) for gene in genotype["reduce"]],
        normal_joined=genotype["normal_concat"],
        reduce_joined=genotype["reduce_concat"],
        channels=description["C"],
        layers=description["layers"],
    )


def darts_choices(genotype: Mapping[str, Any]) -> dict[str, Any]:
    """The choices of `std.spaces.darts` that stand for a genotype whose nodes have two different inputs."""
    choices: dict[str, Any] = {}
    for cell in ("normal", "reduce"):
        genes = genotype[cell]
        for node in range(len(genes) // 2):
            pair = genes[2 * node : 2 * node + 2]
            choices[f"{cell}.inputs[{node}]"] = sorted(state for _, state in pair)
            for name, state in pair:
                choices[f"{cell}/candidate[{node}][{state}]"] = name
    return choices


def nasbench101(entry: Entry) -> al.Program:
    """The program of the space that a matrix stands for; vertices that it lacks have no edges."""
    matrix, operations = entry["description"]["matrix"], entry["description"]["ops"]
    last = len(operations) - 1
    vertex = [*range(last), 6]
    space = al.load("std.spaces.nasbench101", classes=entry["num_classes"])
    picks = {decision.address: decision.domain.pick(0) for decision in space.all_decisions()}
    for i, row in enumerate(matrix):
        picks |= {f"edge[{vertex[i]}][{vertex[j]}]": row[j] for j in range(i + 1, len(row))}
    picks |= {f"operation[{i}]": operations[i] for i in range(1, last)}
    return space.program(space.repair(picks))


def nasbench201_choices(operations: list[str]) -> dict[str, str]:
    """The choices of a cell by the operations of its edges 1<-0, 2<-0, 2<-1, 3<-0, 3<-1, 3<-2."""
    return {f"shared/edge#{place}": NB201_LABELS[name] for place, name in enumerate(operations, 1)}


def nasbench201(entry: Entry) -> al.Program:
    """A network by its architecture string."""
    operations = re.findall(r"\|?(\w+)~\d", entry["description"]["arch_str"])
    return al.load("std.spaces.nasbench201").program(nasbench201_choices(operations))


def ofa(entry: Entry) -> al.Program:
    """A network of the Once-for-All space, by one kernel, expansion and depth or by lists of them."""
    description = entry["description"]
    kernels = description["ks"] if isinstance(description["ks"], list) else 20 * [description["ks"]]
    expands = description["e"] if isinstance(description["e"], list) else 20 * [description["e"]]
    depths = description["d"] if isinstance(description["d"], list) else 5 * [description["d"]]
    choices: dict[str, int] = {}
    for stage, depth in enumerate(depths):
        choices[f"stage[{stage}].depth"] = depth
        for layer in range(depth):
            choices[f"stage[{stage}]/layer[{layer}].kernel"] = kernels[4 * stage + layer]
            choices[f"stage[{stage}]/layer[{layer}].expand"] = expands[4 * stage + layer]
    return al.load("std.spaces.ofa_mobilenetv3", size=entry["input"][-1]).program(choices)


def attentive_nas(entry: Entry) -> al.Program:
    """A network of the AttentiveNAS space by its widths, depths, kernels and expansions."""
    description = entry["description"]
    return fixed(
        "attentive_nas",
        widths=description["width"],
        depths=description["depth"],
        kernels=description["kernel_size"],
        expands=description["expand_ratio"],
        size=description["resolution"],
    )


def fbnet(entry: Entry) -> al.Program:
    """An FBNet by its list of blocks."""
    blocks = []
    for stage in entry["description"]["blocks"]:
        for name, out, stride, _repeats, *options in stage:
            expansion = next((option["expansion"] for option in options if "expansion" in option), 1)
            blocks.append((name, out, stride, expansion))
    return fixed("fbnet", blocks=blocks)


def nasbench_macro_choices(arch: str) -> dict[str, str]:
    """The choices of a network by its eight digits."""
    labels = ("identity", "mb3_k3", "mb6_k5")
    return {f"layer[{place}]": labels[int(digit)] for place, digit in enumerate(arch)}


def nasbench_macro(entry: Entry) -> al.Program:
    """A network of NAS-Bench-Macro by its eight digits."""
    return al.load("std.spaces.nasbench_macro").program(nasbench_macro_choices(entry["description"]["arch"]))


def nats_sss(entry: Entry) -> al.Program:
    """A network of the NATS-Bench size space by its five widths."""
    widths = entry["description"]["channels"]
    return al.load("std.spaces.nats_sss").program({f"width[{i}]": width for i, width in enumerate(widths)})


def autoformer(entry: Entry) -> al.Program:
    """A network of the AutoFormer space by its width and the heads and ratios of its layers."""
    description = entry["description"]
    depth = description["layer_num"]
    return fixed(
        "autoformer",
        width=description["embed_dim"][0],
        heads=description["num_heads"][:depth],
        ratios=description["mlp_ratio"][:depth],
    )


def hat(entry: Entry) -> al.Program:
    """A transformer of the HAT space."""
    description = entry["description"]
    depth = description["decoder-layer-num-subtransformer"]
    return fixed(
        "hat",
        encoder_width=description["encoder-embed-dim-subtransformer"],
        decoder_width=description["decoder-embed-dim-subtransformer"],
        encoder_heads=description["encoder-self-attention-heads-all-subtransformer"],
        encoder_hidden=description["encoder-ffn-embed-dim-all-subtransformer"],
        decoder_heads=description["decoder-self-attention-heads-all-subtransformer"][:depth],
        cross_heads=description["decoder-ende-attention-heads-all-subtransformer"][:depth],
        decoder_hidden=description["decoder-ffn-embed-dim-all-subtransformer"][:depth],
        attends=description["decoder-arbitrary-ende-attn-all-subtransformer"][:depth],
    )


def darts_rnn(entry: Entry) -> al.Program:
    """The recurrent network of a genotype, unrolled over three tokens."""
    description = entry["description"]
    return fixed(
        "darts_rnn",
        genotype=[tuple(gene) for gene in description["genotype"]],
        words=description["ntoken"],
        width=description["ninp=nhid=nhidlast"],
    )


def model(target: str, **config: Any) -> Rebuild:
    """A network without anything to be read from its entry."""
    return lambda entry: fixed(target, **config)


NETWORKS: dict[str, Rebuild] = {
    "DARTS_V2-cifar-C36-L20-aux0": darts,
    "DARTS_V2-cifar-C4-L4-aux0": darts,
    "DARTS_V1-cifar-C8-L5-aux0": darts,
    "PC_DARTS_cifar-cifar-C36-L20-aux0": darts,
    "NASNet-cifar-C8-L5-aux0": darts,
    "nb101-resnet-like": nasbench101,
    "nb101-random00": nasbench101,
    "nb101-random03": nasbench101,
    "nb201-resnet-like-cifar10": nasbench201,
    "nb201-rand00-cifar10": nasbench201,
    "nb201-rand07-cifar10": nasbench201,
    "proxyless_mobile": model("std.models.proxyless_mobile"),
    "ofa_mbv3_w1.0-max-r224": ofa,
    "ofa_mbv3_w1.0-min-r224": ofa,
    "ofa_mbv3_w1.0-rand0-r192": ofa,
    "torchvision/resnet18": model("std.models.resnet:resnet18"),
    "torchvision/resnet50": model("std.models.resnet:resnet50"),
    "torchvision/mobilenet_v2": model("std.models.mobilenet_v2"),
    "torchvision/vgg16": model("std.models.vgg16"),
    "timm/vit_base_patch16_224": model("std.models.vit:vit_b_16"),
    "timm/mobilenetv2_100": model("std.models.mobilenet_v2"),
    "bert-mini (encoder+pooler)": model("std.models.bert:bert_mini"),
    "AttentiveNAS-a0": attentive_nas,
    "mobile-vision/fbnet_a": fbnet,
    "nasbench-macro-12121212": nasbench_macro,
    "darts-search-supernet-C4-L4": model("darts_supernet", channels=4, layers=4),
    "AutoFormer-T-min": autoformer,
    "HAT_wmt14ende_titanxp@208.1ms_bleu@28.5": hat,
    "nats-sss-24:40:56:32:48-cifar10": nats_sss,
    "darts-rnn-DARTS_V2-tiny": darts_rnn,
}
