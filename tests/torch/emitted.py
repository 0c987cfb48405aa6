"""Emitted source as a module."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from archlang_torch import backend
from torch import nn

from archlang.ir.graph import Graph


def namespace_of(source: str) -> dict[str, Any]:
    """What the source defines. Runs as a module of its own, so that its classes can be pickled."""
    module = ModuleType("emitted_network")
    sys.modules[module.__name__] = module
    exec(compile(source, "emitted_network.py", "exec"), module.__dict__)
    return module.__dict__


def module_of(graph: Graph) -> nn.Module:
    network: nn.Module = namespace_of(backend.emit(graph))["build"]()
    return network
