"""Ops that act in training only."""

from keras import layers

from archlang_tensorflow.lowering import layer


@layer("dropout", init={})
def dropout(rate: float) -> layers.Dropout:
    return layers.Dropout(rate)


@layer("drop_path", init={})
def drop_path(rank: int, rate: float) -> layers.Dropout:
    return layers.Dropout(rate, noise_shape=(None,) + (1,) * (rank - 1))
