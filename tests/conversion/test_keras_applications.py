"""The models of keras.applications at their sizes, converted."""

from __future__ import annotations

import keras
import pytest

import archlang as al
from tests.conversion.keras_models import images, randomised

# ------------------------------------------------------------------ published models

PUBLISHED = {
    **dict.fromkeys(
        [
            "ResNet50",
            "ResNet50V2",
            "VGG16",
            "MobileNet",
            "MobileNetV2",
            "MobileNetV3Small",
            "MobileNetV3Large",
            "EfficientNetB0",
            "EfficientNetV2B0",
            "DenseNet121",
            "NASNetMobile",
            "ConvNeXtTiny",
        ],
        224,
    ),
    **dict.fromkeys(["InceptionV3", "InceptionResNetV2", "Xception"], 299),
}
LINES = {"ResNet50": 60, "DenseNet121": 60, "VGG16": 30, "MobileNetV2": 60, "InceptionV3": 150}


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_models(name: str) -> None:
    size = PUBLISHED[name]
    model = randomised(getattr(keras.applications, name)(weights=None, classifier_activation=None))
    found = al.convert(model, images(1, size, size, 3))
    assert found.params == found.model_params
    assert not found.opaque
    assert found.relative <= 1e-4
    assert al.loads(found.text).program().canonical_hash == found.program.canonical_hash
    assert found.text.count("\n") <= LINES.get(name, 300)
    keras.backend.clear_session()
