"""TensorFlow keeps to the contract of backends."""

from archlang_tensorflow import backend

from archlang.testing.backend import BackendContract


class TestTensorFlow(BackendContract):
    backend = backend
