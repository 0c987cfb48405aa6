"""Conversion of models of a framework: from a model to `.arch` text, weights, and the proof that they agree."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from archlang.backend import Capturer, capturer, capturer_of, onnx_file
from archlang.backend import backend as backend_named
from archlang.conversion.captured import Array, Captured, Opaque
from archlang.conversion.text import captured_text, moved_weights
from archlang.diagnostics import ArchError, error
from archlang.ir.weights import write_weights
from archlang.space.loading import loads
from archlang.space.probing import drawn_inputs
from archlang.space.program import Program

TOLERANCE = 1e-4
SAMPLES = 3  # of the second trial: another batch than the example's


@attrs.frozen
class Trial:
    """What the model and the program made of one batch: the largest difference of two numbers, and the
    largest part that it is of the largest number of that output."""

    samples: int
    absolute: float
    relative: float


@attrs.frozen(eq=False)
class Conversion:
    """A converted model.

    `text` is a space without choices and `program` what it evaluates to, with the model's weights and
    the modules of its opaque parts. `params` counts the trained weights of the program, `model_params`
    the model's own parameters, of which `unused` decide no result; `macs` and `model_macs` (None where
    its framework counts none) are the multiply-adds of both for one sample, opaque parts left out of the first.
    """

    text: str
    program: Program
    trials: tuple[Trial, ...]
    params: int
    model_params: int
    unused: int
    macs: int
    model_macs: int | None
    opaque: tuple[Opaque, ...]
    notes: tuple[str, ...]

    @property
    def relative(self) -> float:
        """The largest difference of all trials, as a part of the largest number of the output."""
        return max(trial.relative for trial in self.trials)

    def save(self, path: Path | str, weights: Path | str | None = None) -> None:
        """Write the text, and the weights beside it where they are wanted."""
        Path(path).write_text(self.text, encoding="utf-8")
        if weights is not None:
            write_weights(weights, self.program.weights)

    def require_agreement(self) -> None:
        """ArchError (E0812) when the program computes something else than the model."""
        if not self.relative <= TOLERANCE:
            worst = max(self.trials, key=lambda trial: np.nan_to_num(trial.relative, nan=np.inf))
            raise ArchError(
                error(
                    "E0812",
                    f"the program differs from the model by {worst.absolute:.1e}, {worst.relative:.1e} of the largest "
                    "number",
                    notes=(f"for {worst.samples} samples in evaluation mode",),
                    hints=("the text is not the model: please report which module this is",),
                )
            )


def convert(
    model: Any,
    example_inputs: Any = None,
    *,
    name: str | None = None,
    backend: str | None = None,
    told: Callable[[str], None] | None = None,
) -> Conversion:
    """A model of a framework (a `torch.nn.Module`, a `keras.Model`, the path of an `.onnx` file) as a program, in
    evaluation mode.

    `example_inputs` is a tensor or array, or several; the first dimension is the batch. A file needs none where
    it gives the shapes itself. The text is
    loaded again, built with the weights, and run beside the model on the example and on a second
    batch: `Conversion.trials` says how they differ. `told` hears of each step. `backend` is the one of
    the model's framework unless it is given.

    ArchError: E0809 for what is no model, E0810 when the model does not take the inputs or its calls cannot
    be followed, E0811 for what has no op and cannot stay a module of its own, E0812 when the program computes
    something else.
    """
    told = told or (lambda step: None)
    backend, frontend = _frontend(model, backend)
    inputs = frontend.arrays(example_inputs)
    captured = frontend.capture(model, inputs, name or _name(model), told)
    told("writing the text")
    text = captured_text(captured)
    program = loads(text, externs=captured.modules).program()
    try:
        weights = moved_weights(captured.weights, captured.graph, program.graph)
    except ValueError as failure:
        hints = ("the text is not the model: please report which module this is",)
        raise ArchError(
            error("E0812", f"the text of the model is another network: {failure}", hints=hints)
        ) from failure
    program = program.with_weights(weights)
    told("comparing the program with the model")
    trials = _trials(frontend, model, captured, program, inputs, backend)
    cost = program.cost()
    macs, model_macs = cost.macs + cost.matmul_macs, frontend.macs(model, inputs)
    found = Conversion(
        text,
        program,
        trials,
        cost.params + sum(opaque.params for opaque in captured.opaque),
        frontend.parameter_count(model),
        captured.unused,
        macs,
        model_macs,
        captured.opaque,
        (*captured.notes, *_other_macs(macs, model_macs, bool(captured.opaque))),
    )
    found.require_agreement()
    return found


def _frontend(model: Any, backend: str | None) -> tuple[str, Capturer]:
    """What converts the model, and the backend that the program is compared with it on."""
    if is_onnx(model):
        return backend or "torch", onnx_file(Path(model))
    if backend is not None:
        return backend, capturer(backend)
    found = capturer_of(model)
    if found is None:
        hints = ("what is converted is a `torch.nn.Module` or a `keras.Model`",)
        raise ArchError(error("E0809", f"this is a {type(model).__name__}, which is no model", hints=hints))
    return found


def _name(model: Any) -> str:
    """What a model is called: as it calls itself, or as its class is called."""
    if is_onnx(model):
        return Path(model).stem
    own = getattr(model, "name", None)
    return re.sub(r"_\d+$", "", own) if isinstance(own, str) and own else type(model).__name__


def is_onnx(model: Any) -> bool:
    """Whether what is to be converted is named as an ONNX file."""
    return isinstance(model, str | Path) and Path(model).suffix.lower() == ".onnx"


def _other_macs(macs: int, model_macs: int | None, opaque: bool) -> tuple[str, ...]:
    """What is to be said where the framework counts other multiply-adds than archlang."""
    if model_macs is None or macs == model_macs:
        return ()
    why = "; opaque parts have none" if opaque else ""
    return (f"its framework counts {model_macs:,} MACs in the model, and archlang {macs:,}{why}",)


def _trials(
    frontend: Any, model: Any, captured: Captured, program: Program, inputs: Sequence[Array], backend: str
) -> tuple[Trial, ...]:
    network = program.build(backend)
    found = []
    for arrays in (inputs, drawn_inputs(captured.graph, SAMPLES, like=inputs)):
        expected = frontend.outputs(model, arrays)
        made = backend_named(backend).run(network, *arrays)
        outputs = made if isinstance(made, Mapping) else {"": made}
        batches = captured.batches or (0,) * len(captured.outputs)
        named = zip(captured.graph.outputs, captured.outputs, batches, strict=True)
        pairs = [(outputs[o.name], np.moveaxis(expected[of], at, 0)) for o, of, at in named]
        found.append(Trial(len(arrays[0]), *_difference(pairs)))
    return tuple(found)


def _difference(pairs: Sequence[tuple[Array, Array]]) -> tuple[float, float]:
    """The largest difference, and the largest as a part of the largest number of its output."""
    absolute = relative = 0.0
    for ours, theirs in pairs:
        if not np.isfinite(theirs).all():
            raise ArchError(
                error(
                    "E0812",
                    "the model gives numbers that are not finite, so that nothing can be compared with it",
                    hints=("give the model weights, or weights of another size",),
                )
            )
        if ours.shape != theirs.shape:
            return float("inf"), float("inf")
        apart = float(np.abs(ours.astype(np.float64) - theirs).max(initial=0.0))
        largest = float(np.abs(theirs).max(initial=0.0))
        absolute = max(absolute, apart) if apart == apart else float("inf")
        relative = max(relative, apart / largest if largest else apart) if apart == apart else float("inf")
    return absolute, relative
