"""Backends: what a framework does for a program, and how a backend is found by its name.

A backend is a class without parameters, or an object, in the entry-point group `archlang.backends`.
It is imported when it is first asked for, so that nothing here needs a framework.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

import attrs

from archlang.diagnostics import ArchError, did_you_mean, error
from archlang.ir.graph import Graph

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint
    from pathlib import Path

    from numpy.typing import NDArray

GROUP = "archlang.backends"

Array: TypeAlias = "NDArray[Any]"


@attrs.frozen(kw_only=True)
class TrainingSettings:
    """How a network is trained.

    `loss` is "cross_entropy" (integer labels) or "mse" (float targets). `weight_decay` is the
    optimizer's own: L2 for `sgd` and `adam`, decoupled for `adamw`. `schedule` is "cosine" (to
    zero, per step) or "none". `momentum` is for `sgd`; `clip` bounds the global gradient norm.
    `threads` are those of the CPU: small networks are much slower on several, as are several trials
    at once; 0 leaves it to the framework.
    """

    epochs: int = attrs.field(default=10, validator=attrs.validators.ge(0))
    batch_size: int = attrs.field(default=64, validator=attrs.validators.ge(1))
    loss: str = attrs.field(default="cross_entropy", validator=attrs.validators.in_(("cross_entropy", "mse")))
    optimizer: str = attrs.field(default="sgd", validator=attrs.validators.in_(("sgd", "adam", "adamw")))
    lr: float = attrs.field(default=0.05, converter=float, validator=attrs.validators.ge(0))
    momentum: float = attrs.field(default=0.9, converter=float, validator=attrs.validators.ge(0))
    nesterov: bool = False
    weight_decay: float = attrs.field(default=5e-4, converter=float, validator=attrs.validators.ge(0))
    schedule: str = attrs.field(default="cosine", validator=attrs.validators.in_(("cosine", "none")))
    label_smoothing: float = attrs.field(default=0.0, converter=float, validator=attrs.validators.ge(0))
    clip: float | None = None
    seed: int = 0
    device: str = "cpu"
    threads: int = attrs.field(default=1, validator=attrs.validators.ge(0))


@attrs.frozen
class Progress:
    """What one epoch gave: the mean training loss and the validation metrics after it."""

    epoch: int
    epochs: int
    train_loss: float
    metrics: Mapping[str, float]
    seconds: float


@runtime_checkable
class Backend(Protocol):
    """What every backend does. `network` is the framework's own kind of module."""

    name: str

    def build(self, graph: Graph, seed: int = 0) -> Any:
        """The graph as a network of the framework, weights drawn from `seed` and their addresses."""

    def emit(self, graph: Graph, header: Sequence[str] = ()) -> str:
        """The graph as source code that needs the framework alone; `header` lines are comments."""
        ...

    @property
    def matrix(self) -> Mapping[str, str]:
        """What becomes of every op of the standard library: "lowered", "decomposed" into others, or
        "unsupported: " and the reason."""
        ...

    def unsupported(self, graph: Graph) -> tuple[str, ...]:
        """The names of the graph's ops that the backend cannot do, each once."""
        ...

    def weights(self, graph: Graph, network: Any) -> dict[str, Array]:
        """The network's weights and states by address."""
        ...

    def set_weights(self, graph: Graph, network: Any, weights: Mapping[str, Array]) -> None:
        """Give the network weights by address; those that are missing or do not fit are errors."""

    def fit(
        self,
        network: Any,
        train: tuple[Array, Array],
        validation: tuple[Array, Array],
        settings: TrainingSettings,
        on_epoch: Callable[[Progress], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> dict[str, Any]:
        """Train the network and evaluate it on the validation pair; the metrics."""
        ...

    def gradients(
        self, graph: Graph, network: Any, inputs: Sequence[Array], cotangents: Mapping[str, Array]
    ) -> tuple[Sequence[Array | None], dict[str, Array]]:
        """The gradients of the outputs' sum, each multiplied by its cotangent, in evaluation mode: for
        each input (None where it holds no floats), and for each trained weight by address."""
        ...

    def run(self, network: Any, *inputs: Array) -> Any:
        """The network's outputs in evaluation mode, as arrays."""


@runtime_checkable
class OnnxExporter(Protocol):
    """What a backend may do besides."""

    def export_onnx(self, graph: Graph, network: Any, path: Path | str) -> None:
        """Write the network for inference as an ONNX model that has the program's names."""


@runtime_checkable
class Supernets(Protocol):
    """What a backend does, besides, that puts all programs of a space in one network."""

    def supernet(
        self, space: Any, seed: int = 0, apart: bool | Sequence[str] = False, kernel_transform: bool = False
    ) -> Any:
        """The network: see `Space.supernet`."""


@runtime_checkable
class Engines(Supernets, Protocol):
    """What a backend does, besides, that trains them."""

    def engine(
        self,
        supernet: Any,
        parameters: Mapping[str, Array],
        weights: Any,
        architecture: Any,
        loss: str,
        seed: int,
        device: str,
    ) -> Any:
        """The training of a network on a device: an `archlang.relax.engine.Engine`, for `WeightSettings` and
        `ArchitectureSettings` of `archlang.relax.settings`. ArchError (E0805) when there is no such device."""


@runtime_checkable
class Capturer(Protocol):
    """What a backend does, besides, that converts models of its framework.

    `archlang.conversion` has what a frontend builds with: `builder.GraphBuilder` for the graph, `lowering.Lowering`
    for views of tensors. It is asked for models only when its framework is imported: see `capturer_of`.
    """

    def is_model(self, thing: Any) -> bool:
        """Whether something is a model of the framework, rather than what makes one."""
        ...

    def arrays(self, inputs: Any) -> list[Array]:
        """Example inputs, one or several, as arrays."""
        ...

    def capture(self, model: Any, inputs: Sequence[Array], name: str, told: Callable[[str], None]) -> Any:
        """The model in evaluation mode as an `archlang.conversion.captured.Captured`; see
        `archlang.conversion.converting.convert` for the errors."""
        ...

    def outputs(self, model: Any, inputs: Sequence[Array]) -> Mapping[str, Array]:
        """What the model gives for inputs in evaluation mode, by the path of each result, "" for a bare one."""
        ...

    def parameter_count(self, model: Any) -> int:
        """How many trained numbers the model has."""
        ...

    def macs(self, model: Any, inputs: Sequence[Array]) -> int | None:
        """The multiply-adds of the model in evaluation mode for one sample, as the framework counts them; None
        where it does not."""
        ...


@runtime_checkable
class OnnxReader(Protocol):
    """What a backend does, besides, that converts ONNX files."""

    def onnx_file(self, path: Path) -> Capturer:
        """What converts this file, which it has read: its `arrays(None)` are of the shapes in the file. ArchError:
        E0801 without onnx, E0809 when there is no such file or it is no valid ONNX."""
        ...


class Meter(Protocol):
    """Times graphs on one device, with one batch size."""

    info: Mapping[str, str]  # what the figures hang on: versions, the device, the clock

    def prepare(self, graph: Graph) -> Callable[[], int]:
        """A function that runs the graph once, in evaluation mode on inputs made for it, and gives the
        nanoseconds that this took."""
        ...


@runtime_checkable
class Profiler(Protocol):
    """What a backend does, besides, that can time graphs."""

    def meter(self, device: str, threads: int, batch: int) -> AbstractContextManager[Meter]:
        """A meter for a device; ArchError (E0805) when it is not there. Settings of the framework are
        as before when the context ends."""
        ...


def profiler(name: str) -> Profiler:
    """The backend of that name, which can time graphs; ArchError (E0802) when it cannot."""
    found = backend(name)
    if not isinstance(found, Profiler):
        raise ArchError(
            error("E0802", f"there is no backend `{name}` that times networks", hints=("measure with `torch`",))
        )
    return found


def capturer(name: str) -> Capturer:
    """The backend of that name, which converts models; ArchError (E0802) when it does not."""
    found = backend(name)
    if not isinstance(found, Capturer):
        raise ArchError(
            error(
                "E0802",
                f"there is no backend `{name}` that converts models",
                hints=("convert with `torch` or `tensorflow`",),
            )
        )
    return found


def capturer_of(model: Any) -> tuple[str, Capturer] | None:
    """The backend that converts a model, and its name; None where something is a model of none.

    No framework is imported for it: whoever has a model of one has imported it.
    """
    ours = {kind.__module__.partition(".")[0] for kind in type(model).__mro__}
    points = known_backends()
    imported = [name for name, point in points.items() if {name, point.module} & sys.modules.keys()]
    failure: ArchError | None = None
    for name in sorted(imported, key=lambda name: (name not in ours, name)):
        try:
            found = backend(name)
        except ArchError as refused:
            failure = failure or (refused if name in ours else None)
            continue
        if isinstance(found, Capturer) and found.is_model(model):
            return name, found
    if failure is not None:
        raise failure
    return None


def onnx_file(path: Path) -> Capturer:
    """What converts an ONNX file; see `OnnxReader` for the errors."""
    found = backend("torch")
    assert isinstance(found, OnnxReader)
    return found.onnx_file(path)


def known_backends() -> dict[str, EntryPoint]:
    """The entry points of all installed backends by name."""
    from importlib.metadata import entry_points  # slow to import, and seldom needed

    return {point.name: point for point in entry_points(group=GROUP)}


def backends() -> tuple[str, ...]:
    """The names of all installed backends, whether or not their frameworks are."""
    return tuple(sorted(known_backends()))


@cache
def backend(name: str) -> Backend:
    """The backend of that name; ArchError when it is not known or its framework not installed."""
    points = known_backends()
    point = points.get(name)
    if point is None:
        hints = did_you_mean(name, points) or (f"known backends: {', '.join(sorted(points)) or 'none'}",)
        raise ArchError(error("E0802", f"there is no backend `{name}`", hints=hints))
    try:
        found = point.load()
    except ModuleNotFoundError as missing:
        package = (missing.name or "").partition(".")[0]
        if package.startswith("archlang"):
            raise
        raise ArchError(
            error(
                "E0801",
                f"the {name} backend needs `{package}`, which is not installed",
                hints=(f"install it with `pip install archlang[{name}]`",),
            )
        ) from missing
    made = found() if isinstance(found, type) else found
    if not isinstance(made, Backend):
        raise TypeError(f"{point.value} is not a backend")
    return made


def onnx_exporter(name: str) -> OnnxExporter:
    """The backend of that name; ArchError when it does not export."""
    found = backend(name)
    if isinstance(found, OnnxExporter):
        return found
    hint = "save its weights, and load them into a network of the torch backend, which does"
    raise ArchError(error("E0803", f"the {name} backend does not export to ONNX", hints=(hint,)))


def supernets(name: str) -> Supernets:
    """The backend of that name, which makes supernets; ArchError (E0802) when it does not."""
    found = backend(name)
    if not isinstance(found, Supernets):
        raise ArchError(
            error(
                "E0802",
                f"there is no backend `{name}` that makes supernets",
                hints=("make it with `torch` or `tensorflow`",),
            )
        )
    return found


def engines(name: str) -> Engines:
    """The backend of that name, which trains supernets; ArchError (E0802) when it does not."""
    found = backend(name)
    if not isinstance(found, Engines):
        hint = "train it with `torch` or `tensorflow`"
        raise ArchError(error("E0802", f"there is no backend `{name}` that trains supernets", hints=(hint,)))
    return found


def require_version(name: str, package: str, least: tuple[int, int]) -> None:
    """ArchError (E0801) when a backend's framework is older than it needs; packages that are not
    installed are for the import to tell."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        found = version(package)
    except PackageNotFoundError:
        return
    parts = [int(part) for part in found.split(".")[:2] if part.isdigit()]
    if tuple(parts) < least:
        wanted = ".".join(map(str, least))
        raise ArchError(
            error(
                "E0801",
                f"the {name} backend needs {package} {wanted} or newer, and {found} is installed",
                hints=(f"install a newer one with `pip install --upgrade archlang[{name}]`",),
            )
        )


def unsupported_error(name: str, reasons: Mapping[str, tuple[str, Sequence[str]]]) -> ArchError:
    """The error for ops that a backend cannot do: op name → what is missing, and the addresses."""
    diagnostics = []
    for op, (reason, addresses) in reasons.items():
        more = f" and {len(addresses) - 3} more places" if len(addresses) > 3 else ""
        places = ", ".join(f"`{address}`" for address in addresses[:3])
        diagnostics.append(
            error(
                "E0803",
                f"the {name} backend {reason}, which `{addresses[0]}` needs",
                notes=(f"op `{op}` is applied at {places}{more}",),
                hints=("use another op or backend, or lower it yourself: see docs/backends.md",),
            )
        )
    return ArchError(diagnostics)
