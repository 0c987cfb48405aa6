"""Programs that show an error: what it says in them, sizes included."""

from __future__ import annotations

import re
from collections.abc import Iterator
from random import Random

import attrs

from archlang.diagnostics import Diagnostic
from archlang.semantics.decision import Decision, Pick
from archlang.space.choices import show_pick
from archlang.space.resolver import Resolver

SHOWN = 4  # programs that say which sizes are the same in all of them
_SIZE = re.compile(r"\b\d+\b|\?")


def examples(found: Diagnostic, resolver: Resolver, tries: int) -> Iterator[Diagnostic]:
    """What an error is in programs that have it, of a few that make the choices of its cause."""
    wanted = dict(found.cause.choices) if found.cause is not None else {}
    random = Random(0)

    def pick(decision: Decision) -> Pick:
        domain, shown = decision.domain, wanted.get(decision.address)
        listed = map(domain.pick, range(int(domain.size))) if shown is not None else ()
        return next((pick for pick in listed if show_pick(pick) == shown), domain.draw(random))

    for _ in range(tries):
        fault = resolver.resolve(pick).fault
        if fault is not None and not fault.excluded and _place(fault.diagnostic) == _place(found):
            yield fault.diagnostic


def _place(found: Diagnostic) -> object:
    return found.code, *(label.span for label in found.labels[:1])


def with_sizes(found: Diagnostic, resolver: Resolver) -> Diagnostic:
    """The error with the sizes that are the same wherever its cause is met, for the `?` in it."""
    if not any("?" in text for text in _texts(found)):
        return found
    same = list(examples(found, resolver, SHOWN))
    if any(len(other.labels) != len(found.labels) for other in same):
        return found
    message, *labels = (_agreed(*texts) for texts in zip(_texts(found), *map(_texts, same), strict=True))
    texts = (attrs.evolve(label, text=text) for label, text in zip(found.labels, labels, strict=True))
    return attrs.evolve(found, message=message, labels=tuple(texts))


def _texts(found: Diagnostic) -> list[str]:
    return [found.message, *(label.text for label in found.labels)]


def _agreed(text: str, *others: str) -> str:
    """The text with sizes put in that the others agree on."""
    sizes = [_SIZE.findall(other) for other in others]
    if not others or any(_SIZE.sub("?", other) != _SIZE.sub("?", text) for other in others):
        return text
    known = iter([parts[0] if len(set(parts)) == 1 else "?" for parts in zip(*sizes, strict=True)])
    return _SIZE.sub(lambda size: next(known) if size[0] == "?" else (next(known), size[0])[1], text)
