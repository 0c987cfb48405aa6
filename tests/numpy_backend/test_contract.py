"""numpy keeps to the contract of backends."""

from archlang_numpy import backend

from archlang.testing.backend import BackendContract


class TestNumpy(BackendContract):
    backend = backend
    trains = False
