"""An ONNX file as what `archlang.conversion.converting` converts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from archlang.conversion.captured import Array, Captured
from archlang_torch.capture.onnx.file import OnnxFile
from archlang_torch.capture.onnx.running import Runner
from archlang_torch.capture.onnx.walking import captured


class OnnxFrontend:
    """The frontend of one file: see `archlang.backend.Capturer` for what the methods do."""

    def __init__(self, path: Path):
        self._file = OnnxFile.read(path)
        self._runner = Runner(self._file)

    def is_model(self, thing: Any) -> bool:
        return isinstance(thing, str | Path)

    def arrays(self, inputs: Any) -> list[Array]:
        """Without any, of the shapes that the file gives."""
        if inputs is None:
            return self._file.examples()
        given = inputs if isinstance(inputs, list | tuple) else [inputs]
        return self._file.taken([np.asarray(x) for x in given])

    def capture(self, model: Any, inputs: Sequence[Array], name: str, told: Callable[[str], None]) -> Captured:
        told("writing the nodes as ops")
        found = captured(self._file, [x.shape[1:] for x in inputs], name)
        return attrs.evolve(found, notes=(*found.notes, f"compared with the file as {self._runner.name} runs it"))

    def outputs(self, model: Any, inputs: Sequence[Array]) -> Mapping[str, Array]:
        return self._runner.outputs(inputs)

    def parameter_count(self, model: Any) -> int:
        return self._file.parameter_count()

    def macs(self, model: Any, inputs: Sequence[Array]) -> int | None:
        return None
