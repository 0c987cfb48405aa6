"""Models that others wrote, without pretrained weights: of timm, transformers and torchvision.

A model is made by a function that gives it and what it takes, of the sizes that were published.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tests.conversion.unet import UNet


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
    import torchvision.models
    import transformers
    from torchvision.models import segmentation

logging.getLogger("transformers").setLevel(logging.ERROR)

Make = Callable[[], tuple[nn.Module, tuple[Tensor, ...]]]


def image_model(name: str, size: int = 224) -> Make:
    """A model of timm and an image."""
    return lambda: (timm.create_model(name), (torch.randn(1, 3, size, size),))


def vision_model(name: str, size: int = 224, **settings: Any) -> Make:
    """A model of torchvision and an image."""
    kinds = {**vars(torchvision.models), **vars(segmentation)}
    return lambda: (kinds[name](weights=None, **settings), (torch.randn(1, 3, size, size),))


def text_model(name: str, tokens: int, **settings: Any) -> Make:
    """A model of transformers and tokens; without settings it is of its published size."""

    def make() -> tuple[nn.Module, tuple[Tensor, ...]]:
        kind = getattr(transformers, name)
        config = kind.config_class(**settings)
        return kind(config), (torch.randint(3, config.vocab_size, (1, tokens)),)

    return make


def signal_model(name: str, *shape: int, **settings: Any) -> Make:
    """A model of transformers and what it takes, numbers of this shape: images, spectra, sounds."""

    def make() -> tuple[nn.Module, tuple[Tensor, ...]]:
        kind = getattr(transformers, name)
        return kind(kind.config_class(**settings)), (torch.randn(1, *shape),)

    return make


def translation_model(name: str, tokens: int, **settings: Any) -> Make:
    """A model of transformers with an encoder and a decoder, and tokens for both."""

    def make() -> tuple[nn.Module, tuple[Tensor, ...]]:
        kind = getattr(transformers, name)
        config = kind.config_class(**settings)
        given = [torch.randint(3, config.vocab_size, (1, tokens)) for _ in range(2)]
        return _Translating(kind(config)), tuple(given)

    return make


class _Translating(nn.Module):
    """The model with the decoder's tokens second, where it takes a mask."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: Tensor, written: Tensor) -> Tensor:
        found: Tensor = self.model(input_ids=tokens, decoder_input_ids=written, use_cache=False).last_hidden_state
        return found


def part_of(make: Make, path: str) -> Make:
    """A module of a model, for the same inputs."""

    def part() -> tuple[nn.Module, tuple[Tensor, ...]]:
        model, given = make()
        return model.get_submodule(path), given

    return part


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

LLAMA = {
    "vocab_size": 32000,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "num_key_value_heads": 4,
    "intermediate_size": 3072,
}
_PYTHIA = {
    "vocab_size": 50304,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "max_position_embeddings": 2048,
}
_PHI = {**_PYTHIA, "vocab_size": 51200}
_BLOOM = {"vocab_size": 50304, "hidden_size": 1024, "n_layer": 8, "n_head": 16}
_GPTJ = {"vocab_size": 50400, "n_embd": 1024, "n_layer": 6, "n_head": 16, "rotary_dim": 32}
_FALCON = {"vocab_size": 50304, "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12}
_WHISPER = {"d_model": 384, "encoder_layers": 4, "decoder_layers": 4, "encoder_attention_heads": 6}

WHOLE: dict[str, Make] = {
    # timm
    **{
        name: image_model(name)
        for name in (
            "beit_base_patch16_224",
            "coatnet_0_rw_224",
            "convnext_tiny",
            "convnextv2_atto",
            "cspdarknet53",
            "cspresnet50",
            "darknet53",
            "deit_tiny_distilled_patch16_224",
            "deit_tiny_patch16_224",
            "densenet121",
            "dla34",
            "efficientformer_l1",
            "efficientnet_b0",
            "efficientnetv2_rw_t",
            "ese_vovnet19b_dw",
            "ghostnet_100",
            "gmlp_s16_224",
            "hrnet_w18_small",
            "levit_128s",
            "mixer_s32_224",
            "mobilenetv2_100",
            "mobilenetv3_large_100",
            "mobilenetv3_small_100",
            "nfnet_l0",
            "poolformer_s12",
            "pvt_v2_b0",
            "regnetx_004",
            "regnety_004",
            "res2net50_26w_4s",
            "resmlp_12_224",
            "resnet18",
            "resnet50",
            "resnetv2_50",
            "resnext50_32x4d",
            "rexnet_100",
            "seresnet50",
            "swin_tiny_patch4_window7_224",
            "tf_efficientnetv2_s",
            "tnt_s_patch16_224",
            "vgg11_bn",
            "vgg16",
            "vit_tiny_patch16_224",
            "xcit_nano_12_p16_224",
        )
    },
    "inception_v3": image_model("inception_v3", 299),
    "maxvit_nano_rw_256": image_model("maxvit_nano_rw_256", 256),
    # torchvision
    "alexnet": vision_model("alexnet"),
    "deeplabv3_resnet50": vision_model("deeplabv3_resnet50", weights_backbone=None),
    "fcn_resnet50": vision_model("fcn_resnet50", weights_backbone=None),
    "googlenet": vision_model("googlenet", aux_logits=False, init_weights=True),
    "lraspp_mobilenet_v3_large": vision_model("lraspp_mobilenet_v3_large", weights_backbone=None),
    "mnasnet1_0": vision_model("mnasnet1_0"),
    "shufflenet_v2_x1_0": vision_model("shufflenet_v2_x1_0"),
    "squeezenet1_0": vision_model("squeezenet1_0"),
    "swin_t": vision_model("swin_t"),
    "vit_b_16": vision_model("vit_b_16"),
    "wide_resnet50_2": vision_model("wide_resnet50_2"),
    # transformers
    "albert-base": text_model("AlbertModel", 128, hidden_size=768, num_attention_heads=12, intermediate_size=3072),
    "bert-base": text_model("BertModel", 128),
    "bloom": text_model("BloomModel", 64, **_BLOOM),
    "clip-vit-b32": signal_model("CLIPVisionModel", 3, 224, 224),
    "distilbert-base": text_model("DistilBertModel", 128),
    "electra-small": text_model("ElectraModel", 128),
    "falcon-rotary": text_model("FalconModel", 64, **_FALCON),
    "falcon-alibi": text_model("FalconModel", 64, alibi=True, **_FALCON),
    "gemma": text_model("GemmaModel", 64, **LLAMA, head_dim=64),
    "gpt2": text_model("GPT2LMHeadModel", 128),
    "gpt-j": text_model("GPTJModel", 64, **_GPTJ),
    "llama-160m": text_model("LlamaForCausalLM", 64, **LLAMA),
    "mistral": text_model("MistralModel", 64, **LLAMA, sliding_window=16),
    "mobilebert": text_model("MobileBertModel", 128),
    "opt-125m": text_model("OPTModel", 64),
    "phi": text_model("PhiModel", 64, **_PHI),
    "pythia-160m": text_model("GPTNeoXForCausalLM", 64, **_PYTHIA),
    "qwen2": text_model("Qwen2Model", 64, **LLAMA),
    "roberta-base": text_model("RobertaModel", 128),
    "t5-small": translation_model("T5Model", 64),
    "t5-small-encoder": text_model("T5EncoderModel", 64),
    "vit-base": signal_model("ViTModel", 3, 224, 224),
    "whisper-tiny-encoder": part_of(signal_model("WhisperModel", 80, 3000, **_WHISPER), "encoder"),
    # written as many write it
    "unet": lambda: (UNet(), (torch.randn(1, 3, 160, 240),)),
}
