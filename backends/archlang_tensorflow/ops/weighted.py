"""What the layers of our own have in common."""

from typing import Any

import keras
from keras import initializers, layers


class Weighted(layers.Layer):
    """A layer whose weights start as `<weight>_initializer` says, where that is given."""

    def __init__(self, **settings: Any) -> None:
        given = [name for name in settings if name.endswith("_initializer")]
        starts = {name: initializers.get(settings.pop(name)) for name in given}
        super().__init__(**settings)
        self.starts = starts

    def weight(self, name: str, shape: tuple[int, ...], start: Any, trained: bool = True) -> Any:
        """A new weight, which starts as told or else as `start`."""
        start = self.starts.get(f"{name}_initializer", start)
        return self.add_weight(shape, start, name=name, trainable=trained)

    def compute_output_spec(self, *given: Any) -> Any:
        # What Keras multiplies by a number it believes to be sparse, which it then cannot trace.
        dense = [keras.KerasTensor(x.shape, x.dtype) for x in given]
        return super().compute_output_spec(*dense)

    def get_config(self) -> dict[str, Any]:
        starts = {name: initializers.serialize(start) for name, start in self.starts.items()}
        return {**super().get_config(), **starts}
