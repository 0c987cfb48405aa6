"""What each decision of an opened network does to what a trained network gives, before anything is trained anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
import numpy as np

from archlang.backend import Progress, TrainingSettings, backend
from archlang.conversion.opening.opening import first_program
from archlang.diagnostics import ArchError
from archlang.evaluate.data import Source, load_data
from archlang.evaluate.fitting import fit_data
from archlang.ir.weights import Array, check_weights
from archlang.morphism import carry_weights
from archlang.semantics.decision import Domain, Pick, Reals
from archlang.space.choices import show_pick
from archlang.space.program import Program
from archlang.space.space import Space

PICKS = 4  # of a decision that are tried, at most


@attrs.frozen
class Change:
    """What another pick of one decision makes of the network: the rise of its loss, the accuracy that it loses, and
    its multiply-adds as a part of those before."""

    pick: str
    loss: float
    accuracy: float
    macs: float


@attrs.frozen
class Sensitivity:
    """The changes that the other picks of a decision make, each with all other decisions as they are."""

    address: str
    pick: str
    changes: tuple[Change, ...]

    @property
    def worst(self) -> Change:
        return max(self.changes, key=lambda change: change.loss)


@attrs.frozen
class Sensitivities:
    """The loss and accuracy of the network on samples, and what its decisions do to them, the largest first."""

    loss: float
    accuracy: float
    samples: int
    decisions: tuple[Sensitivity, ...]


def sensitivities(
    space: Space,
    data: Source,
    weights: Mapping[str, Array] | None = None,
    *,
    epochs: int = 3,
    samples: int = 1000,
    engine: str = "torch",
    seed: int = 0,
    told: Callable[[str], None] = lambda step: None,
) -> Sensitivities:
    """How much each decision of a space matters to its first program, trained, on validation samples of a data set
    for classification.

    Decisions are changed one at a time, and the weights carried over (`archlang.morphism.carry_weights`): a width
    that can be smaller without loss of accuracy has channels to spare, and what only grows changes nothing yet.
    Without `weights`, the network is trained for some epochs. ArchError where data or weights do not fit (E0704,
    E0705, E0807).
    """
    program = first_program(space)
    found = fit_data(load_data(data, seed=seed), program.graph, "cross_entropy")
    tool = backend(engine)
    if weights is None:
        network = tool.build(program.graph, seed=seed)
        told(f"training `{space.name}`")

        def on_epoch(progress: Progress) -> None:
            told(f"epoch {progress.epoch} of {progress.epochs}: accuracy {progress.metrics['accuracy']:.3f}")

        settings = TrainingSettings(epochs=epochs, seed=seed)
        tool.fit(network, found.train, found.validation, settings, on_epoch)
        weights = tool.weights(program.graph, network)
    check_weights(program.graph, weights)
    trained = program.with_weights(weights)
    chosen = np.random.default_rng(seed).permutation(len(found.validation[1]))[:samples]
    pair = found.validation[0][chosen], found.validation[1][chosen]
    loss, accuracy = _measured(trained, pair, engine)
    macs = max(program.cost().macs + program.cost().matmul_macs, 1)
    rows = []
    for place, (address, domain, now) in enumerate(_decisions(space)):
        told(f"{place + 1}: {address}")
        changes = []
        for pick in _others(domain, now):
            try:
                other = _changed(space, address, pick)
                rise, score = _measured(carry_weights(trained, other, seed=seed).program, pair, engine)
            except ArchError:  # a choice that a requirement excludes
                continue
            cost = other.cost().macs + other.cost().matmul_macs
            changes.append(Change(show_pick(pick), rise - loss, accuracy - score, cost / macs))
        if changes:
            rows.append(Sensitivity(address, show_pick(now), tuple(changes)))
    rows.sort(key=lambda each: -each.worst.loss)
    return Sensitivities(loss, accuracy, len(chosen), tuple(rows))


def _decisions(space: Space) -> Sequence[tuple[str, Domain, Pick]]:
    """The decisions of the first program, with its picks."""
    resolved = space.analysis.resolver.resolve(lambda decision: decision.domain.pick(0))
    return [(decision.address, decision.domain, pick) for decision, pick in resolved.decisions.values()]


def _others(domain: Domain, now: Pick) -> list[Pick]:
    """A few other picks of a domain, spread over it."""
    if isinstance(domain, Reals):
        found: list[Pick] = [domain.at(share) for share in np.linspace(0, 1, PICKS).tolist()]
    else:
        count = int(min(domain.size, PICKS + 1))
        found = [domain.pick(round(place * (int(domain.size) - 1) / max(count - 1, 1))) for place in range(count)]
    return [pick for pick in found if pick != now]


def _changed(space: Space, address: str, pick: Pick) -> Program:
    """The first program but for one decision."""
    resolved = space.analysis.resolver.resolve(
        lambda decision: pick if decision.address == address else decision.domain.pick(0)
    )
    return space.program({decision.address: own for decision, own in resolved.decisions.values()})


def _measured(program: Program, pair: tuple[Any, Any], engine: str) -> tuple[float, float]:
    """Cross-entropy and accuracy."""
    outputs = backend(engine).run(program.build(engine), pair[0])
    scores = np.asarray(next(iter(outputs.values())) if isinstance(outputs, Mapping) else outputs, dtype=np.float64)
    labels = np.asarray(pair[1])
    shifted = scores - scores.max(axis=-1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return float(-logs[np.arange(len(labels)), labels].mean()), float((scores.argmax(axis=-1) == labels).mean())
