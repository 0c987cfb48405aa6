"""How a backend is found by its name, and what is said when it is not there."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint, version

import archlang_torch
import pytest

import archlang.backend
from archlang.backend import Backend, backend, backends, require_version
from archlang.diagnostics import ArchError

POINTS = {
    name: EntryPoint(name, value, "archlang.backends")
    for name, value in {
        "torch": "archlang_torch:backend",
        "ghost": "a_framework_that_is_not_there:backend",
        "broken": "archlang.no_such_part:backend",
        "wrong": "math:pi",
    }.items()
}


@pytest.fixture(autouse=True)
def points(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(archlang.backend, "known_backends", lambda: POINTS)
    backend.cache_clear()
    yield
    backend.cache_clear()


def test_the_torch_backend_is_found() -> None:
    assert "torch" in backends()
    assert backend("torch") is archlang_torch.backend
    assert isinstance(backend("torch"), Backend)


def test_an_entry_point_may_name_the_class(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("torch", "archlang_torch:TorchBackend", "archlang.backends")
    monkeypatch.setattr(archlang.backend, "known_backends", lambda: {"torch": point})
    assert isinstance(backend("torch"), archlang_torch.TorchBackend)
    assert backend("torch") is backend("torch")


def test_an_unknown_backend_is_suggested() -> None:
    with pytest.raises(ArchError) as caught:
        backend("troch")
    assert str(caught.value) == ("error[E0802]: there is no backend `troch`\n  = help: did you mean `torch`?")
    with pytest.raises(ArchError, match="known backends: broken, ghost, torch, wrong"):
        backend("onnxruntime")


def test_a_missing_framework_names_the_extra() -> None:
    with pytest.raises(ArchError) as caught:
        backend("ghost")
    (found,) = caught.value.diagnostics
    assert found.code == "E0801"
    assert found.message == "the ghost backend needs `a_framework_that_is_not_there`, which is not installed"
    assert found.hints == ("install it with `pip install archlang[ghost]`",)


def test_a_bug_of_a_backend_is_no_diagnostic() -> None:
    with pytest.raises(ModuleNotFoundError):
        backend("broken")
    with pytest.raises(TypeError, match="math:pi is not a backend"):
        backend("wrong")


def test_a_framework_that_is_too_old_is_told() -> None:
    require_version("torch", "torch", (2, 4))
    require_version("torch", "a-package-that-is-not-there", (99, 0))
    with pytest.raises(ArchError) as caught:
        require_version("torch", "torch", (99, 1))
    (found,) = caught.value.diagnostics
    assert (found.code, found.message) == (
        "E0801",
        f"the torch backend needs torch 99.1 or newer, and {version('torch')} is installed",
    )
    assert found.hints == ("install a newer one with `pip install --upgrade archlang[torch]`",)
