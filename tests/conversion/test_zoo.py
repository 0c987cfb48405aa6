"""Models of timm and transformers converted: small ones, and behind `exhaustive` those of published size."""

from __future__ import annotations

import pytest
import torch

import archlang as al
from tests.conversion.models import randomised
from tests.conversion.zoo import SMALL, WHOLE, Make


def check(make: Make) -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model, example = make()
    found = al.convert(randomised(model), example)
    assert found.params + found.unused == found.model_params
    assert not found.opaque
    assert found.relative <= 1e-4


@pytest.mark.parametrize("name", SMALL)
def test_small_models(name: str) -> None:
    check(SMALL[name])


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", WHOLE)
def test_published_models(name: str) -> None:
    check(WHOLE[name])
