"""Spaces around models of timm and transformers: every program is valid, and those that are drawn build and run."""

from __future__ import annotations

from random import Random

import pytest
import torch

import archlang as al
from archlang.conversion.opening.opening import first_program
from tests.conversion.models import randomised
from tests.conversion.zoo import SMALL, WHOLE, Make


def check(make: Make, programs: int) -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model, example = make()
    found = al.convert(randomised(model), example)
    made = al.open_up(
        found.program.space,
        width=(0.5, 1.5),
        expand=(0.5, 1.5),
        kernel=True,
        depth=True,
        activation=True,
        attention_heads=True,
    )
    space = al.loads(made.text, made.name)
    assert space.unproved is None
    assert space.size > 1
    assert first_program(space).canonical_hash == found.program.canonical_hash
    random = Random(0)
    for _ in range(programs):
        network = space.program(space.draw(random)).build("torch").eval()
        with torch.no_grad():
            outputs = network(*example)
        for output in outputs.values() if isinstance(outputs, dict) else [outputs]:
            assert output.shape[0] == 1


@pytest.mark.parametrize("name", ["resnet18", "bert"])
def test_small_models(name: str) -> None:
    check(SMALL[name], 10)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", WHOLE)
def test_published_models(name: str) -> None:
    check(WHOLE[name], 100)
