"""Models of timm and transformers, without pretrained weights."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn


def _without_its_kernels() -> list[torch.library.Library]:
    """What timm imports of torchvision needs these ops, which a build for another torch does not bring."""
    spec = find_spec("torchvision")
    assert spec is not None
    assert spec.origin is not None
    try:
        torch.ops.load_library(str(Path(spec.origin).with_name("_C.so")))
    except OSError:
        found = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            found.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        return [found]
    return []


_LIBRARIES = _without_its_kernels()
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import timm
    import transformers

logging.getLogger("transformers").setLevel(logging.ERROR)

Make = Callable[[], tuple[nn.Module, Tensor]]


def image_model(name: str, size: int) -> Make:
    """A model of timm and an image."""

    def make() -> tuple[nn.Module, Tensor]:
        return timm.create_model(name), torch.randn(1, 3, size, size)

    return make


def text_model(name: str, tokens: int, **settings: Any) -> Make:
    """A model of transformers and tokens; without settings it is of its published size."""

    def make() -> tuple[nn.Module, Tensor]:
        kind = getattr(transformers, name)
        config = kind.config_class(**settings)
        return kind(config), torch.randint(3, config.vocab_size, (1, tokens))

    return make


_WIDE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
_GPT = {"n_embd": 32, "n_layer": 2, "n_head": 4, "vocab_size": 99, "bos_token_id": 1, "eos_token_id": 2}
_DISTIL = {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64, "vocab_size": 99}

SMALL: dict[str, Make] = {
    "resnet18": image_model("resnet18", 64),
    "mobilenetv3_small_050": image_model("mobilenetv3_small_050", 64),
    "convnext_atto": image_model("convnext_atto", 64),
    "bert": text_model("BertForSequenceClassification", 16, vocab_size=99, **_WIDE),
    "gpt2": text_model("GPT2LMHeadModel", 16, **_GPT),
    "llama": text_model("LlamaForCausalLM", 16, vocab_size=99, num_key_value_heads=2, **_WIDE),
    "distilbert": text_model("DistilBertModel", 16, **_DISTIL),
    "roberta": text_model("RobertaModel", 16, vocab_size=99, **_WIDE),
}

WHOLE: dict[str, Make] = {
    **{
        name: image_model(name, 224)
        for name in (
            "resnet18",
            "resnet50",
            "vgg11_bn",
            "vgg16",
            "mobilenetv2_100",
            "mobilenetv3_small_100",
            "mobilenetv3_large_100",
            "efficientnet_b0",
            "regnetx_004",
            "regnety_004",
            "densenet121",
            "convnext_tiny",
            "vit_tiny_patch16_224",
            "deit_tiny_patch16_224",
            "deit_tiny_distilled_patch16_224",
            "swin_tiny_patch4_window7_224",
            "mixer_s32_224",
        )
    },
    "inception_v3": image_model("inception_v3", 299),
    "bert-base": text_model("BertModel", 128),
    "roberta-base": text_model("RobertaModel", 128),
    "distilbert-base": text_model("DistilBertModel", 128),
    "gpt2": text_model("GPT2LMHeadModel", 128),
    "llama-160m": text_model(
        "LlamaForCausalLM",
        64,
        vocab_size=32000,
        hidden_size=768,
        num_hidden_layers=12,
        num_attention_heads=12,
        num_key_value_heads=4,
        intermediate_size=3072,
    ),
}
