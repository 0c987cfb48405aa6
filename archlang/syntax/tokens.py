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


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Words that are never names. All other words of the grammar are keywords only where they fit.
RESERVED = _words("if else for in and or not true false choose share tie require")

ITEM_WORDS = _words("use op block def space")

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
TRAILING = _words("LOW ARITH MINUS STAR RANGE NOT if else for in choose share tie require , ( [ { = : -> => . @")
LEADING = _words("LOW ARITH STAR RANGE else -> => . , = ) ] }")

# Words between two operands, the same in the head of an item, and the ends of operands.
INFIX_WORDS = _words("of step as at tied")
HEAD_WORDS = _words("init limit")
OPERAND_ENDS = _words("NAME NUMBER STRING true false ) ] }")
CLAUSE_WORDS = _words("where weight state macs matmul_macs bops")

# What makes a chain of operators longer, and what ends one.
CHAIN = _words("LOW ARITH MINUS STAR RANGE NOT choose share tie else .")
CHAIN_ENDS = _words(", = : -> => _NEWLINE")

SPACE, WORD, NUMBER, NEWLINE, OPEN, CLOSE, SIGN, STRING, COMMENT, OTHER = range(1, 11)

PATTERN = re.compile(
    r"""
      ([ \t\r]+)
    | ([A-Za-z_][A-Za-z0-9_]*)
    | ([0-9][0-9_]*(?:\.[0-9][0-9_]*)?(?:[eE][+-]?[0-9][0-9_]*)?[A-Za-z0-9_]*)
    | (\n)
    | ([(\[{])
    | ([)\]}])
    | (\.\.\.|\.\.<|\.\.|\|>|>>|->|=>|==|!=|<=|>=|//(?!=)|/(?!/?=)|[-+%](?!=)|\*(?![=*])|\^|[<>=,:.@])
    | ("(?:[^"\\\n]|\\[^\n])*")
    | (\#[^\n]*)
    | ('(?:[^'\\\n]|\\[^\n])*'|"[^\n]*|\*\*=?|[-+*/%]=|//=|&&|\|\||[^\W\d_]\w*|.)
    """,
    re.VERBOSE | re.DOTALL,
)
