"""What a report says of a study, worked out once for text and page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import attrs

from archlang.report.numbers import pick_text
from archlang.searchers import Objective, violation
from archlang.study import Study, Trial


@attrs.frozen
class DecisionEffect:
    """How the first objective goes with one decision's picks, over the trials (of the greatest fidelity)
    that made it.

    `effect` is the share of the objective's variance among these trials that the picks explain, 0 to 1:
    the correlation ratio (for floats the squared correlation), adjusted for the number of picks, which
    explain something by chance. `values` are pairs of a pick and the objective.
    """

    address: str
    values: tuple[tuple[Any, float], ...]
    effect: float
    is_number: bool


def decision_effects(study: Study) -> list[DecisionEffect]:
    """The decisions that were made in more than one way by enough trials to tell, those with the largest
    effect first, weighed by the share of the trials that made them."""
    objective = study.objectives[0].metric
    seen: dict[str, list[tuple[Any, float]]] = {}
    for trial in study.comparable:
        for address, pick in trial.choices.items():
            value = trial.metrics[objective]
            seen.setdefault(address, []).append((tuple(pick) if isinstance(pick, list) else pick, value))
    effects = []
    for address, values in seen.items():
        picks = {pick_text(pick) for pick, _ in values}
        is_number = all(isinstance(pick, float) for pick, _ in values)
        freedom = len(values) - (2 if is_number else len(picks))
        if len(picks) < 2 or freedom < 2:
            continue
        explained = _correlation(values) if is_number else _correlation_ratio(values)
        adjusted = max(0.0, 1 - (1 - explained) * (len(values) - 1) / freedom)
        effects.append(DecisionEffect(address, tuple(values), adjusted, is_number))
    return sorted(effects, key=lambda effect: (-effect.effect * len(effect.values), effect.address))


def _correlation(values: Sequence[tuple[Any, float]]) -> float:
    mean_x, mean_y = fmean(pick for pick, _ in values), fmean(value for _, value in values)
    spread_x = sum((pick - mean_x) ** 2 for pick, _ in values)
    spread_y = sum((value - mean_y) ** 2 for _, value in values)
    together = sum((pick - mean_x) * (value - mean_y) for pick, value in values)
    return together**2 / (spread_x * spread_y) if spread_x > 0 and spread_y > 0 else 0.0


def _correlation_ratio(values: Sequence[tuple[Any, float]]) -> float:
    mean = fmean(value for _, value in values)
    total = sum((value - mean) ** 2 for _, value in values)
    groups: dict[str, list[float]] = {}
    for pick, value in values:
        groups.setdefault(pick_text(pick), []).append(value)
    between = sum(len(group) * (fmean(group) - mean) ** 2 for group in groups.values())
    return min(between / total, 1.0) if total > 0 else 0.0


def best_so_far(study: Study, objective: Objective) -> list[tuple[Trial, float]]:
    """The measured trials of the greatest fidelity in the order in which they were told, each with the best
    value until then."""
    best: float | None = None
    found = []
    for trial in sorted(study.comparable, key=lambda trial: trial.told or 0):
        value = trial.metrics[objective.metric]
        if best is None or objective.score(value) > objective.score(best):
            best = value
        found.append((trial, best))
    return found


def extra_metrics(study: Study, trials: Sequence[Trial]) -> list[str]:
    """Metrics worth a column beside the objectives: those that all the trials have, the costs people ask for."""
    objectives = {objective.metric for objective in study.objectives}
    wanted = ("accuracy", "test_accuracy", "loss", "params", "macs")
    return [name for name in wanted if name not in objectives and all(name in trial.metrics for trial in trials)]


def states(study: Study) -> Mapping[str, int]:
    """How many trials are in each state."""
    return Counter(trial.state for trial in study.trials)


def state_line(study: Study) -> str:
    """The trials in a sentence: `40 of 40 trials: 36 measured, 3 measured before, 1 failed`; and by
    fidelity, where there are several: `27 at 0.333, 9 at 1`."""
    counted = states(study)
    names = {
        "complete": "measured",
        "cached": "measured before",
        "failed": "failed",
        "interrupted": "interrupted",
        "running": "running",
    }
    parts = [f"{counted[state]} {name}" for state, name in names.items() if counted.get(state)]
    line = f"{len(study.finished)} of {study.record.trials} trials" + (f": {', '.join(parts)}" if parts else "")
    rungs = Counter(trial.fidelity for trial in study.trials)
    if has_fidelities(study.trials):
        line += f"; by fidelity: {', '.join(f'{rungs[fidelity]} at {fidelity:.3g}' for fidelity in sorted(rungs))}"
    return line


def has_fidelities(trials: Sequence[Trial]) -> bool:
    """Whether some trials are no full evaluations."""
    return any(trial.fidelity != 1 for trial in trials)


def saved_line(study: Study) -> str:
    """What reuse of results saved: `12 of 200 evaluations saved: 7 repeats, 5 equal in function`, or nothing."""
    repeats, equals = len(study.repeats), len(study.equals)
    parts = [f"{repeats} repeat{'s' if repeats > 1 else ''}"] if repeats else []
    parts += [f"{equals} equal in {study.record.reuse}"] if equals else []
    return f"{repeats + equals} of {len(study.finished)} evaluations saved: {', '.join(parts)}" if parts else ""


def limits_line(study: Study) -> str:
    """How many trials keep the constraints on metrics, or nothing where there are none."""
    limits = study.record.constraints.limits
    if not limits:
        return ""
    kept = sum(violation(trial.metrics, limits) == 0 for trial in study.comparable)
    shown = " and ".join(map(str, limits))
    none = "; the best programs violate it least" if study.comparable and not kept else ""
    return f"{shown}: kept by {kept} of {len(study.comparable)} trials{none}"


def failure_line(trial: Trial) -> str:
    """The line of a failed trial's error that says most."""
    lines = trial.error.strip().splitlines() or ["unknown"]
    return lines[-1] if lines[0].startswith("Traceback") else lines[0]
