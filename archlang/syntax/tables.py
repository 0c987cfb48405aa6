"""The parse tables of `grammar/arch.lark`: made by lark once, kept as JSON beside the grammar.

Run `python -m archlang.syntax.tables` after a change to the grammar. Tables that do not belong to
the grammar beside them are not used: they are then made again in memory, which takes a while.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from archlang.resources import grammar_path

STARTS = ("item", "constant", "expression")
END = "$END"
_FORMAT = 1

# What becomes of the parts of a rule that has been matched.
PASS, JOIN, ACT = 0, 1, 2


class Rule(NamedTuple):
    """A rule of the grammar: when its `length` parts are reduced to `origin`, those at `kept` are
    passed to `action`. Parts at `joined` are lists that join the others."""

    origin: str
    length: int
    kind: int
    action: str
    kept: tuple[int, ...]
    joined: tuple[int, ...]


class Tables(NamedTuple):
    """An LALR(1) automaton. `actions[state]` maps a terminal to a state to go to, or, where it is
    negative, to the rule `-1 - n` to reduce by; `gotos[state]` maps what a rule made to a state."""

    rules: tuple[Rule, ...]
    actions: tuple[dict[str, int], ...]
    gotos: tuple[dict[str, int], ...]
    starts: dict[str, int]
    ends: dict[str, int]
    words: frozenset[str]  # terminals that are words of the grammar, keywords only where accepted


@cache
def tables() -> Tables:
    """The tables, from the file where it fits the grammar, else made from the grammar."""
    grammar = (grammar_path() / "arch.lark").read_text(encoding="utf-8")
    try:
        found = json.loads(_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = {}
    if found.get("grammar") != _digest(grammar):
        found = build(grammar)
    return Tables(
        rules=tuple(
            Rule(origin, length, kind, action, tuple(kept), tuple(joined))
            for origin, length, kind, action, kept, joined in found["rules"]
        ),
        actions=tuple(found["actions"]),
        gotos=tuple(found["gotos"]),
        starts=found["starts"],
        ends=found["ends"],
        words=frozenset(found["words"]),
    )


def build(grammar: str) -> dict[str, Any]:
    """The tables of a grammar as plain data, made with lark."""
    import lark
    from lark.grammar import Rule
    from lark.lexer import Lexer, TerminalDef

    class NoLexer(Lexer):
        """Stands in for a lexer: tokens come from archlang.syntax.scan."""

        def __init__(self, conf: object) -> None: ...

        def lex(self, lexer_state: object, parser_state: object) -> Iterator[lark.Token]:
            return iter(())

    made = lark.Lark(grammar, parser="lalr", lexer=NoLexer, start=list(STARTS), maybe_placeholders=False)
    data, memo = made.memo_serialize([TerminalDef, Rule])
    table = data["parser"]["parser"]
    texts = {entry["name"]: entry["pattern"]["value"] for entry in memo.values() if entry["__type__"] == "TerminalDef"}
    rules: list[tuple[object, ...]] = []
    numbers: dict[int, int] = {}
    for key, entry in memo.items():
        if entry["__type__"] == "Rule":
            numbers[int(key)] = len(rules)
            rules.append(_rule(entry))
    names = {int(key): name for key, name in table["tokens"].items()}
    origins = {rule[0] for rule in rules}
    actions: list[dict[str, int]] = []
    gotos: list[dict[str, int]] = []
    for state in range(len(table["states"])):
        actions.append({})
        gotos.append({})
        for key, (is_reduce, argument) in table["states"][state].items():
            name = names[int(key)]
            if is_reduce:
                actions[state][texts.get(name, name)] = -1 - numbers[argument["@"]]
            elif name in origins:
                gotos[state][name] = argument
            else:
                actions[state][texts.get(name, name)] = argument
    return {
        "grammar": _digest(grammar),
        "rules": rules,
        "actions": actions,
        "gotos": gotos,
        "starts": table["start_states"],
        "ends": table["end_states"],
        "words": sorted(text for text in texts.values() if text.isidentifier()),
    }


def _rule(entry: dict[str, Any]) -> tuple[object, ...]:
    origin, expansion = entry["origin"]["name"], entry["expansion"]
    kept = [i for i, part in enumerate(expansion) if not part.get("filter_out", part["name"] == "_NEWLINE")]
    joined = [i for i in kept if expansion[i]["__type__"] == "NonTerminal" and expansion[i]["name"].startswith("_")]
    if origin.startswith("_"):
        kind = JOIN
    elif entry["options"]["expand1"] and not entry["alias"] and len(expansion) == 1 and not joined:
        kind = PASS
    else:
        kind = ACT
    return origin, len(expansion), kind, entry["alias"] or origin, kept, joined


def _digest(grammar: str) -> str:
    return hashlib.sha256(f"{_FORMAT}\n{grammar}".encode()).hexdigest()


def _file() -> Path:
    return grammar_path() / "arch.tables.json"


def main() -> None:
    """Write the tables of the grammar beside it."""
    found = build((grammar_path() / "arch.lark").read_text(encoding="utf-8"))
    lines = [f"{json.dumps(key)}: {json.dumps(value, separators=(',', ':'))}" for key, value in found.items()]
    _file().write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    sys.stdout.write(f"{_file().name}: {len(found['actions'])} states, {len(found['rules'])} rules\n")


if __name__ == "__main__":
    main()
