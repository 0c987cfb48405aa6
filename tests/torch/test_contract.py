"""PyTorch keeps to the contract of backends."""

from archlang_torch import backend

from archlang.testing.backend import BackendContract


class TestTorch(BackendContract):
    backend = backend
