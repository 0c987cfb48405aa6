"""Trained weights that further programs of a space begin with, kept in a folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from archlang.diagnostics import ArchError
from archlang.ir.weights import Array, read_notes, read_weights, write_weights

if TYPE_CHECKING:
    from archlang.space import Program

KEPT = 64  # of the programs with the best scores


@attrs.frozen
class Inheritance:
    """A folder of weights of trained programs, with their choices and scores (larger is better)."""

    folder: Path

    def start(self, program: Program) -> Mapping[str, Array] | None:
        """The weights of the trained program that is nearest, carried over: that with which most decisions agree, of
        several the best. None where there is none. See `archlang.morphism.carry_weights`."""
        from archlang.morphism import carry_weights  # late: most evaluations inherit nothing

        best: tuple[float, float, Path, dict[str, object]] | None = None
        for path in sorted(self.folder.glob("*.safetensors")):
            notes = _notes(path)
            if notes is not None:
                choices, score = notes
                likeness = _likeness(choices, program.choices.as_dict())
                if best is None or (likeness, score) > best[:2]:
                    best = likeness, score, path, choices
        if best is None:
            return None
        try:
            parent = program.space.program(best[3]).with_weights(read_weights(best[2]))
        except ArchError:  # of another space, or removed by another process
            return None
        return carry_weights(parent, program).program.weights

    def keep(self, program: Program, weights: Mapping[str, Array], score: float) -> None:
        """Keep what a trained program has; those with the least scores go where there are too many."""
        self.folder.mkdir(parents=True, exist_ok=True)
        choices = json.dumps(program.choices.as_dict(), sort_keys=True)
        name = blake2b(choices.encode(), digest_size=12).hexdigest()
        write_weights(self.folder / f"{name}.safetensors", weights, {"choices": choices, "score": repr(score)})
        there = [(notes[1], path) for path in self.folder.glob("*.safetensors") if (notes := _notes(path)) is not None]
        for _, path in sorted(there, reverse=True)[KEPT:]:
            path.unlink(missing_ok=True)


def _notes(path: Path) -> tuple[dict[str, object], float] | None:
    """The choices and the score in a file; None where it is none of ours, or gone."""
    try:
        notes = read_notes(path)
        return dict(json.loads(notes["choices"])), float(notes["score"])
    except (ArchError, KeyError, ValueError, TypeError):
        return None


def _likeness(one: Mapping[str, object], other: Mapping[str, object]) -> float:
    """The share of the decisions of either that both have made alike."""
    addresses = one.keys() | other.keys()
    alike = sum(address in one and address in other and one[address] == other[address] for address in addresses)
    return alike / max(len(addresses), 1)
