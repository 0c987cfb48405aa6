"""Choices: an immutable assignment of decisions, the genotype that searchers handle."""

from __future__ import annotations

import json
from collections.abc import ItemsView, Iterator, Mapping
from typing import Any

from archlang.diagnostics import ArchError, error
from archlang.semantics.decision import Pick


class Choices(Mapping[str, Pick]):
    """Address → pick, in the order of the space's decisions. Equal by content, hashable.

    `fidelity` says how far an evaluation of them is to go: the share of the full one, 1 at most. It
    is not compared: choices are the same program at any fidelity.
    """

    __slots__ = ("_hash", "_picks", "fidelity")

    def __init__(self, picks: Mapping[str, Any] = {}):
        self._picks = {address: _frozen(pick) for address, pick in picks.items()}
        self._hash: int | None = None
        self.fidelity = 1.0

    @classmethod
    def of(cls, picks: dict[str, Pick]) -> Choices:
        """Choices around a new dict of picks, subsets as tuples: nothing is copied."""
        choices = cls.__new__(cls)
        choices._picks = picks
        choices._hash = None
        choices.fidelity = 1.0
        return choices

    def at(self, fidelity: float) -> Choices:
        """The same choices, to be evaluated by that share of a full evaluation."""
        choices = Choices.of(self._picks)
        choices._hash = self._hash
        choices.fidelity = fidelity
        return choices

    def __getitem__(self, address: str) -> Pick:
        pick: Pick = self._picks[address]
        return pick

    def __iter__(self) -> Iterator[str]:
        return iter(self._picks)

    def __len__(self) -> int:
        return len(self._picks)

    def items(self) -> ItemsView[str, Pick]:
        return self._picks.items()  # the dict's own is several times faster than a mapping's

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(frozenset((address, type(pick), pick) for address, pick in self._picks.items()))
        return self._hash

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Choices):
            return NotImplemented
        return self._picks.keys() == other._picks.keys() and all(
            type(pick) is type(other._picks[address]) and pick == other._picks[address]
            for address, pick in self._picks.items()
        )

    def __repr__(self) -> str:
        return f"Choices({self._picks!r})"

    def as_dict(self) -> dict[str, Any]:
        """The choices as plain data; subsets are lists of positions."""
        return {address: list(pick) if isinstance(pick, tuple) else pick for address, pick in self._picks.items()}

    def to_json(self) -> str:
        """The choices as a JSON object, in the order of the decisions."""
        return json.dumps(self.as_dict())

    @classmethod
    def from_json(cls, text: str) -> Choices:
        """The choices in a JSON object; ArchError when the text is none."""
        try:
            data = json.loads(text)
        except ValueError as problem:
            raise ArchError(
                error("E0408", f"the choices are not JSON: {problem}", hints=['write {"address": pick, …}'])
            ) from None
        if not isinstance(data, dict):
            raise ArchError(error("E0408", "the choices are not a JSON object", hints=['write {"address": pick, …}']))
        return cls(data)


def _frozen(pick: Any) -> Any:
    return tuple(pick) if isinstance(pick, list) else pick


def show_pick(pick: Pick) -> str:
    """A pick as the language writes it."""
    if isinstance(pick, bool):
        return "true" if pick else "false"
    if isinstance(pick, tuple):
        return f"[{', '.join(map(str, pick))}]"
    return str(pick)
