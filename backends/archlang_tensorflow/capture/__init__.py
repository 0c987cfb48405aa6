"""Capturing Keras models.

    keras.Model ── following ──▶ calls of layers and operations ── rules ──▶ Captured

`following` gets the calls of a model, or of a layer that is looked into, `capture` goes through them,
`rules/` says what each of them is in archlang.
"""

from archlang_tensorflow.capture.calling import outputs
from archlang_tensorflow.capture.capture import capture

__all__ = ["capture", "outputs"]
