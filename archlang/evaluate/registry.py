"""The evaluators that can be made again from what a store keeps of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from archlang.diagnostics import ArchError, error
from archlang.evaluate.evaluator import Evaluator
from archlang.evaluate.table import table_from_spec
from archlang.evaluate.train import train_from_spec

FROM_SPEC: dict[str, Callable[[Mapping[str, Any]], Evaluator]] = {"table": table_from_spec, "train": train_from_spec}


def evaluator_from_spec(spec: Mapping[str, Any]) -> Evaluator:
    """The evaluator whose `spec` this is; ArchError (E0912) when its kind is not known."""
    make = FROM_SPEC.get(spec.get("kind", ""))
    if make is None:
        raise ArchError(
            error(
                "E0912",
                f"an evaluator of the kind `{spec.get('kind')}` cannot be made again from a store",
                hints=("resume from Python and give it again: `resume(store, evaluator=…)`",),
            )
        )
    return make(spec)
