"""What an ONNX file computes, by onnxruntime where it is installed and knows the operators, else by onnx itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from archlang.conversion.captured import Array
from archlang.diagnostics import ArchError, error
from archlang_torch.capture.onnx.file import OnnxFile

Run = Callable[[dict[str, Array]], list[Array]]


class Runner:
    """Runs a file, for any number of samples."""

    def __init__(self, file: OnnxFile):
        self._file = file

    @property
    def name(self) -> str:
        return self._found[0]

    def outputs(self, inputs: Sequence[Array]) -> dict[str, Array]:
        """The outputs by name. A file for a fixed number of samples is run as often as they need; ArchError
        (E0810) when it cannot be run."""
        file, (_, run) = self._file, self._found
        given = [x.astype(of.own) for of, x in zip(file.inputs, inputs, strict=True)]
        count = len(given[0])
        size = file.batch or count
        parts = []
        for start in range(0, count, size):
            samples = [_cut(x, start, size) for x in given]
            try:
                parts.append(run({of.name: x for of, x in zip(file.inputs, samples, strict=True)}))
            except Exception as failure:
                file.require_shapes()
                line = str(failure).strip().partition("\n")[0]
                raise ArchError(
                    error(
                        "E0810",
                        f"the file cannot be run for {size} sample{'s' * (size != 1)}: {line}",
                        notes=(f"{self.name} runs it",),
                        hints=("a file whose batch is free must not hold the number of samples it was made with",),
                    )
                ) from failure
        names = [output.name for output in file.model.graph.output]
        joined = [np.concatenate([np.atleast_1d(x) for x in found])[:count] for found in zip(*parts, strict=True)]
        return dict(zip(names, joined, strict=True))

    @cached_property
    def _found(self) -> tuple[str, Run]:
        return self._onnxruntime() or self._reference()

    def _onnxruntime(self) -> tuple[str, Run] | None:
        try:
            import onnxruntime
        except ModuleNotFoundError:
            return None
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        try:
            session: Any = onnxruntime.InferenceSession(
                str(self._file.path), options, providers=["CPUExecutionProvider"]
            )
        except Exception:  # operators or types that it does not have: onnx's own evaluator has them all
            return None
        return f"onnxruntime {onnxruntime.__version__}", lambda given: session.run(None, given)

    def _reference(self) -> tuple[str, Run]:
        import onnx
        from onnx.reference import ReferenceEvaluator

        evaluator: Any = ReferenceEvaluator(self._file.model)
        return f"the reference evaluator of onnx {onnx.__version__}", lambda given: evaluator.run(None, given)


def _cut(array: Array, start: int, size: int) -> Array:
    """So many samples from one on; the last is repeated where there are fewer."""
    part = array[start : start + size]
    return np.concatenate([part, np.repeat(part[-1:], size - len(part), 0)]) if len(part) < size else part
