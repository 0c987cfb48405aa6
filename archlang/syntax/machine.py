"""The LALR(1) machine that runs the tables of the grammar on tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archlang.syntax import tables as lr
from archlang.syntax.builder import Builder
from archlang.syntax.tokens import Token


def run(tokens: Sequence[Token], start: str, builder: Builder) -> tuple[Any, int | None]:
    """What the tokens are as a `start` of the grammar, or the index of the token that cannot stand
    where it does (their number where the text ends too early)."""
    tables = lr.tables()
    rules, actions, gotos, words = tables.rules, tables.actions, tables.gotos, tables.words
    handlers = [getattr(builder, rule.action) if rule.kind == lr.ACT else None for rule in rules]
    states = [tables.starts[start]]
    final = tables.ends[start]
    values: list[Any] = []
    starts: list[int] = []
    ends: list[int] = []
    end = tokens[-1].end if tokens else 0
    for index, token in enumerate((*tokens, Token(lr.END, "", end, end))):
        kind = token.kind
        soft = kind == "NAME" and token.text in words
        while True:
            accepted = actions[states[-1]]
            if soft and token.text in accepted:
                kind = token.text
                target = accepted[kind]
            else:
                found = accepted.get(token.kind)
                if found is None:
                    return None, index
                kind = token.kind
                target = found
            if target >= 0:
                break
            origin, length, mode, _, kept, joined = rules[-1 - target]
            if mode != lr.PASS:
                if joined:
                    made = []
                    for position in kept:
                        part = values[position - length]
                        if position not in joined:
                            made.append(part)
                        elif position == kept[0]:
                            made = part  # nobody else holds it
                        else:
                            made += part
                else:
                    made = [values[position - length] for position in kept]
                if length:
                    first, last = starts[-length], ends[-1]
                    del values[-length:], starts[-length:], ends[-length:]
                else:
                    first = last = ends[-1]  # what is left out stands at the end of what is before it
                handler = handlers[-1 - target]
                values.append(made if handler is None else handler(first, last, made))
                starts.append(first)
                ends.append(last)
            if length:
                del states[-length:]
            states.append(gotos[states[-1]][origin])
            if token.kind == lr.END and states[-1] == final:
                return values[-1], None
        states.append(target)
        values.append(token if kind == token.kind else token._replace(kind=kind))
        starts.append(token.start)
        ends.append(token.end)
    raise AssertionError("the end of the text is never shifted")


def accepted_after(tokens: Sequence[Token], start: str) -> frozenset[str]:
    """The terminals that may follow the tokens, which must be the start of a right text."""
    tables = lr.tables()
    states = [tables.starts[start]]
    final = tables.ends[start]
    for token in tokens:
        soft = token.kind == "NAME" and token.text in tables.words
        after = (soft and _after(tables, states, token.text, final)) or _after(tables, states, token.kind, final)
        assert after
        states = after
    return frozenset(kind for kind in tables.actions[states[-1]] if _after(tables, states, kind, final))


def _after(tables: lr.Tables, states: list[int], kind: str, final: int) -> list[int]:
    """The states after a token of that kind, or none where it cannot stand."""
    after = list(states)
    while kind in tables.actions[after[-1]]:
        target = tables.actions[after[-1]][kind]
        if target >= 0:
            return [*after, target]
        rule = tables.rules[-1 - target]
        if rule.length:
            del after[-rule.length :]
        after.append(tables.gotos[after[-1]][rule.origin])
        if kind == lr.END and after[-1] == final:
            return after
    return []
