"""An evaluator that calls the user's function."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Container, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import attrs

from archlang.diagnostics import ArchError, error
from archlang.evaluate.evaluator import Metrics, Report, costs

if TYPE_CHECKING:
    from archlang.space import Program


@attrs.frozen(slots=False)
class FunctionEvaluator:
    """Calls `function(program)`, which gives a number or a dictionary of numbers; of a space that is a Python
    function with what that returned.

    A function with a parameter `fidelity` is given the share of a full evaluation that is asked for, at
    most 1; others evaluate in full each time. One with a parameter `choices` is given these.
    A bare number is the metric `metric`. The costs of the program's network are added under their names
    (`params`, `macs`, …) where the function gives none of these names itself.
    """

    function: Callable[..., Any]
    metric: str = "value"

    @cached_property
    def _parameters(self) -> Container[str]:
        try:
            return inspect.signature(self.function).parameters
        except (TypeError, ValueError):  # some built-in callables have no signature
            return ()

    def __call__(self, program: Program, fidelity: Mapping[str, Any], report: Report) -> Metrics:
        offered = {"fidelity": float(fidelity.get("share", 1.0)), "choices": program.choices}
        given = {name: value for name, value in offered.items() if name in self._parameters}
        metrics = checked_metrics(self.function(program.subject, **given), self.metric)
        return metrics | {name: cost for name, cost in costs(program).items() if name not in metrics}

    def at(self, share: float) -> Mapping[str, Any]:
        """`{"share": share}`, for functions that take it as `fidelity`."""
        return {} if share >= 1 else {"share": share}

    def check(self, program: Program, metrics: Sequence[str]) -> None:
        """A function may be anything, so there is nothing to check."""

    def spec(self) -> None:
        """None: a function cannot be stored."""
        return None

    def describe(self) -> dict[str, Any]:
        """That it is a function; two functions are not told apart."""
        return {"kind": "function", "metric": self.metric}


def checked_metrics(result: Any, metric: str = "value") -> Metrics:
    """The result of an evaluation as metrics, a bare number as `metric`; ArchError (E0707) unless it is
    finite numbers."""
    if not isinstance(result, Mapping):
        return {metric: _number(result, metric)}
    if not result:
        raise _refused("an empty dictionary", ())
    metrics: Metrics = {}
    for name, value in result.items():
        if not isinstance(name, str):
            raise _refused(f"the key {name!r}", ("the keys of the result are the names of metrics",))
        metrics[name] = _number(value, name)
    return metrics


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool | str | bytes) or not hasattr(value, "__float__"):
        shown = "nothing" if value is None else f"{_short(value)} for `{name}`"
        raise _refused(shown, ("return a number, or a dictionary from metrics to numbers",))
    try:
        number = float(value)
    except (TypeError, ValueError) as found:
        raise _refused(f"{_short(value)} for `{name}`", (f"it cannot become one number: {found}",)) from found
    if not math.isfinite(number):
        raise _refused(f"{number} for `{name}`", ("a metric is a finite number",))
    return number


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _refused(found: str, hints: tuple[str, ...]) -> ArchError:
    return ArchError(error("E0707", f"the evaluation returned {found}", hints=hints))
