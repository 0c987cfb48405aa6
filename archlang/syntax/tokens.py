"""Tokens, and the words and signs that `.arch` text is made of."""

from __future__ import annotations

import re
from typing import NamedTuple


class Token(NamedTuple):
    """A piece of text; its kind is a terminal of the grammar: the text itself for signs and
    reserved words, else NAME, NUMBER, STRING, _NEWLINE, LOW, ARITH and the like."""

    kind: str
    text: str
    start: int
    end: int


# Words that are never names. All other words of the grammar are keywords only where they fit.
RESERVED = frozenset("if else for in and or not true false choose share tie require".split())

ITEM_WORDS = frozenset("use op block def space".split())

# Signs that are of a kind other than their text.
KINDS = {
    **dict.fromkeys(("|>", ">>", "==", "!=", "<=", ">=", "<", ">", "and", "or"), "LOW"),
    **dict.fromkeys(("+", "/", "//", "%", "^"), "ARITH"),
    **dict.fromkeys(("..", "..<"), "RANGE"),
    "-": "MINUS",
    "*": "STAR",
    "...": "ELLIPSIS",
    "not": "NOT",
}

CLOSERS = {"(": ")", "[": "]", "{": "}"}

# A line that ends in one of these goes on in the next; so does one before a line that starts with
# one of `LEADING`.
TRAILING = frozenset(
    "LOW ARITH MINUS STAR RANGE NOT if else for in choose share tie require , ( [ { = : -> . @".split()
)
LEADING = frozenset("LOW ARITH STAR RANGE else -> . , = ) ] }".split())

# Soft words that go on in the next line when an operand stands before them, and the ends of operands.
INFIX_WORDS = frozenset("of step as at tied init limit".split())
OPERAND_ENDS = frozenset("NAME NUMBER STRING true false ) ] }".split())
CLAUSE_WORDS = frozenset("where weight state macs matmul_macs".split())

# What makes a chain of operators longer, and what ends one.
CHAIN = frozenset("LOW ARITH MINUS STAR RANGE NOT choose share tie else .".split())
CHAIN_ENDS = frozenset(", = : -> _NEWLINE".split())

SPACE, WORD, NUMBER, NEWLINE, OPEN, CLOSE, SIGN, STRING, COMMENT, OTHER = range(1, 11)

PATTERN = re.compile(
    r"""
      ([ \t\r]+)
    | ([A-Za-z_][A-Za-z0-9_]*)
    | (\d[\d_]*(?:\.\d[\d_]*)?(?:[eE][+-]?\d[\d_]*)?[A-Za-z0-9_]*)
    | (\n)
    | ([(\[{])
    | ([)\]}])
    | (\.\.\.|\.\.<|\.\.|\|>|>>|->|==|!=|<=|>=|//(?!=)|/(?!/?=)|[-+%](?!=)|\*(?![=*])|\^|[<>=,:.@])
    | ("(?:[^"\\\n]|\\[^\n])*")
    | (\#[^\n]*)
    | ('(?:[^'\\\n]|\\[^\n])*'|"[^\n]*|\*\*=?|[-+*/%]=|//=|&&|\|\||.)
    """,
    re.VERBOSE | re.ASCII | re.DOTALL,
)
