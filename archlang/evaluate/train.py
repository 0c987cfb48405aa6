"""An evaluator that trains the program's network on a data set."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from attrs.validators import and_, gt, lt

from archlang.backend import Progress, TrainingSettings, backend
from archlang.diagnostics import ArchError, did_you_mean, error
from archlang.evaluate.data import Data, Pair, Source, load_data
from archlang.evaluate.evaluator import Metrics, Report, costs
from archlang.evaluate.fitting import fit_data
from archlang.evaluate.inheritance import Inheritance
from archlang.settings import read_settings

if TYPE_CHECKING:
    from archlang.space import Program


@attrs.frozen(kw_only=True)
class TrainSettings:
    """What training takes besides `TrainingSettings`.

    `validation`: the share of the training samples that is set apart, drawn with `split_seed`, where a
    data set has no validation samples. `test`: measure each network on the test samples too, as
    `test_accuracy` (or `test_loss` for a regression). `ignore`: fields of a recipe that training does
    not use. `inherit`: a folder in which trained weights are kept, for the programs after to begin with
    (of the one whose decisions are nearest; function-preserving where that can be).
    """

    backend: str = "torch"
    validation: float = attrs.field(default=0.2, validator=and_(gt(0), lt(1)))
    split_seed: int = 0
    test: bool = False
    ignore: tuple[str, ...] = ()
    inherit: str = ""


TRAINING = tuple(field.name for field in attrs.fields(TrainingSettings))
OWN = tuple(field.name for field in attrs.fields(TrainSettings))
SYNONYMS = {"decay": "weight_decay", "learning_rate": "lr"}


@attrs.define(eq=False, slots=False)
class TrainEvaluator:
    """Builds the network with a backend, trains it and measures it on the validation samples.

    A program that is a recipe (a record with a model) sets the training by its fields: `lr`,
    `batch_size`, … go before the evaluator's own settings, and a fidelity before both. Metrics are
    what the backend measures (`accuracy`, `loss`) and the network's costs.
    """

    source: Source
    own: TrainSettings
    training: TrainingSettings

    @cached_property
    def data(self) -> Data:
        """The data set, read when first needed."""
        return load_data(self.source, self.own.validation, self.own.split_seed)

    def __call__(self, program: Program, fidelity: Mapping[str, Any], report: Report) -> Metrics:
        settings = self.settings_for(program, fidelity)
        data = fit_data(self.data, program.graph, settings.loss)
        engine = backend(self.own.backend)
        network = engine.build(program.graph, seed=settings.seed)
        inheritance = Inheritance(Path(self.own.inherit)) if self.own.inherit else None
        started = inheritance.start(program) if inheritance is not None else None
        if started is not None:
            engine.set_weights(program.graph, network, started)

        def on_epoch(progress: Progress) -> None:
            report({"epoch": progress.epoch, "train_loss": progress.train_loss, **progress.metrics})

        measured = engine.fit(network, data.train, data.validation, settings, on_epoch)
        metrics = {name: float(value) for name, value in measured.items() if name != "diverged"}
        _refuse_divergence(metrics, settings)
        if inheritance is not None:
            score = metrics.get("accuracy", -metrics["loss"])
            inheritance.keep(program, engine.weights(program.graph, network), score)
        if self.own.test and data.test is not None:
            metrics |= _tested(engine.run(network, data.test[0]), data.test, settings.loss)
        return metrics | costs(program)

    def settings_for(self, program: Program, fidelity: Mapping[str, Any]) -> TrainingSettings:
        """The settings under which a program is trained."""
        values = {name: getattr(self.training, name) for name in TRAINING}
        values |= _recipe(program, self.own.ignore)
        return read_settings(TrainingSettings, {**values, **fidelity}, "training", "E0706", "E0706")

    def at(self, share: float) -> Mapping[str, Any]:
        """So many of the epochs, at least one."""
        return {} if share >= 1 else {"epochs": max(1, round(share * self.training.epochs))}

    def check(self, program: Program, metrics: Sequence[str] = ()) -> None:
        """ArchError when the data cannot be read or does not fit, the backend is not there, or a metric
        is none that training gives (E0711)."""
        if not program.has_graph:
            raise ArchError(
                error(
                    "E0708",
                    "the space gives no network, so there is nothing to train",
                    hints=("search it with a function of your own: `archlang.search(space, function, …)`",),
                )
            )
        backend(self.own.backend)
        settings = self.settings_for(program, {})
        fit_data(self.data, program.graph, settings.loss)
        known = [*_measured(settings.loss, self.own.test and self.data.test is not None), *costs(program)]
        for metric in metrics:
            if metric not in known:
                hints = did_you_mean(metric, known) or (f"it gives {', '.join(f'`{name}`' for name in known)}",)
                raise ArchError(error("E0711", f"training gives no metric `{metric}`", hints=hints))

    def describe(self) -> dict[str, Any]:
        """The settings, and the data by its hash."""
        own = attrs.asdict(self.own)
        if not self.own.inherit:
            del own["inherit"]  # which studies of before do not have
        return {
            "kind": "train",
            "data": str(self.source) if isinstance(self.source, str | Path) else "arrays",
            "data_digest": self.data.digest,
            **own,
            **attrs.asdict(self.training),
        }

    def spec(self) -> dict[str, Any] | None:
        """The settings and where the data lies; None for data given as arrays."""
        if not isinstance(self.source, str | Path):
            return None
        source = str(self.source)
        if ".npz" in source:
            source = os.path.abspath(source)  # noqa: PTH100 (a `:NAME` may follow the path)
        return self.describe() | {"data": source}


def train(data: Source = "digits", **settings: Any) -> TrainEvaluator:
    """An evaluator that trains networks on a data set.

    `data` is what `load_data` takes. Settings are those of `TrainSettings` (`backend`, `validation`,
    `split_seed`, `test`, `ignore`) and of `TrainingSettings` (`epochs`, `batch_size`, `lr`, `optimizer`,
    `loss`, `seed`, …). ArchError (E0706) for settings that there are not or that do not fit; the data is
    read when a search begins.
    """
    known = (*OWN, *TRAINING)
    unknown = [name for name in settings if name not in known]
    if unknown:
        raise ArchError(
            [
                error(
                    "E0706",
                    f"training has no setting `{name}`",
                    hints=did_you_mean(name, known) or (f"it has {', '.join(f'`{other}`' for other in known)}",),
                )
                for name in unknown
            ]
        )
    own = {name: value for name, value in settings.items() if name in OWN}
    training = {name: value for name, value in settings.items() if name in TRAINING}
    return TrainEvaluator(
        data,
        read_settings(TrainSettings, own, "training", "E0706", "E0706"),
        read_settings(TrainingSettings, training, "training", "E0706", "E0706"),
    )


def train_from_spec(spec: Mapping[str, Any]) -> TrainEvaluator:
    """The evaluator that a `spec` describes; ArchError when its data is gone (E0701)."""
    return train(spec["data"], **{name: spec[name] for name in (*OWN, *TRAINING) if name in spec})


def _recipe(program: Program, ignore: tuple[str, ...]) -> dict[str, Any]:
    """Training settings from the program's static fields.

    A choice of labelled records names an alternative by its label: `optimizer: choose { sgd: { momentum: … } }`
    sets both `optimizer` and `momentum`.
    """
    found: dict[str, Any] = {}
    for name, value in program.values.items():
        if name in ignore:
            continue
        if isinstance(value, Mapping):
            if name in TRAINING:
                label = program.choices.get(name)
                if label is None:
                    raise _strange_field(name, f"`{name}` is a record, and no choice of labelled records")
                found[name] = label
            found |= {SYNONYMS.get(inner, inner): value[inner] for inner in map(str, value) if inner not in ignore}
        else:
            found[SYNONYMS.get(name, name)] = value
    for name in found:
        if name not in TRAINING:
            raise _strange_field(name, f"training has no setting `{name}`, which the program's recipe gives")
    return found


def _strange_field(name: str, message: str) -> ArchError:
    hints = did_you_mean(name, TRAINING) or (f"training has {', '.join(f'`{known}`' for known in TRAINING)}",)
    return ArchError(error("E0709", message, hints=(*hints, f'or leave it out with `ignore="{name}"`')))


def _measured(loss: str, tested: bool) -> list[str]:
    """The names of the metrics that training gives, besides the costs."""
    score = "accuracy" if loss == "cross_entropy" else "loss"
    first = ["accuracy", "loss"] if loss == "cross_entropy" else ["loss"]
    return [*first, "train_loss", "epochs", "seconds", *([f"test_{score}"] if tested else [])]


def _refuse_divergence(metrics: Metrics, settings: TrainingSettings) -> None:
    bad = [name for name, value in metrics.items() if not math.isfinite(value)]
    if bad:
        shown = ", ".join(f"`{name}` is {metrics[name]}" for name in bad)
        raise ArchError(
            error(
                "E0710",
                f"training diverged: {shown}",
                hints=(f"lower the learning rate (it is {settings.lr:g}) or clip gradients",),
            )
        )


def _tested(outputs: Any, pair: Pair, loss: str) -> Metrics:
    result = np.asarray(next(iter(outputs.values())) if isinstance(outputs, Mapping) else outputs)
    if loss == "cross_entropy":
        return {"test_accuracy": float((result.argmax(axis=-1) == pair[1]).mean())}
    return {"test_loss": float(((result - pair[1]) ** 2).mean())}
