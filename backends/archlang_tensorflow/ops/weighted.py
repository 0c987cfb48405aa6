"""What the layers of our own have in common."""

from typing import Any

from keras import initializers, layers


class Weighted(layers.Layer):
    """A layer whose weights start as `<weight>_initializer` says, where that is given."""

    def __init__(self, **settings: Any) -> None:
        given = [name for name in settings if name.endswith("_initializer")]
        starts = {name: initializers.get(settings.pop(name)) for name in given}
        super().__init__(**settings)
        self.starts = starts

    def weight(self, name: str, shape: tuple[int, ...], start: Any) -> Any:
        """A new weight, which starts as told or else as `start`."""
        return self.add_weight(shape, self.starts.get(f"{name}_initializer", start), name=name)

    def get_config(self) -> dict[str, Any]:
        starts = {name: initializers.serialize(start) for name, start in self.starts.items()}
        return {**super().get_config(), **starts}
