"""Numbers and strings: what their text means, and how a value is written."""

from __future__ import annotations

import math
import re

from archlang.diagnostics import Diagnostic, Source, Span, error
from archlang.syntax.tokens import Token

DIGIT_LIMIT = 100
_SUFFIXES = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}
_NUMBER = re.compile(r"([0-9]+)(\.[0-9]+)?([eE][+-]?[0-9]+)?(.*)", re.DOTALL)
_ESCAPE = re.compile(r"\\(u\{[^}]*\}|.)")
_ESCAPES = {"n": "\n", "t": "\t", '"': '"', "\\": "\\"}


def number_value(text: str, span: Span, found: list[Diagnostic]) -> int | float:
    """The value of a number as written; what is wrong with it is added to `found`."""
    if text.isdecimal() and len(text) <= DIGIT_LIMIT:
        return int(text)
    match = _NUMBER.fullmatch(text.replace("_", ""))
    assert match is not None
    whole, fraction, exponent, suffix = match.groups()
    if suffix not in _SUFFIXES:
        hints = ["numbers take the endings k, M and G, as in `600M`"]
        if suffix.lower() in ("m", "g", "b", "t"):
            hints = [f"did you mean `{text[: -len(suffix)]}{'M' if suffix.lower() == 'm' else 'G'}`?"]
        elif suffix == "K":
            hints = [f"did you mean `{text[:-1]}k`?"]
        elif text[:2].lower() in ("0x", "0b", "0o"):
            hints = ["numbers are written in decimal"]
        found.append(error("E0107", f"`{text}` is no number", span, hints=hints))
        return 0
    if len(whole) > DIGIT_LIMIT:
        found.append(error("E0108", f"this number has more than {DIGIT_LIMIT} digits", span))
        return 0
    if exponent is None and (fraction is None or suffix):
        from fractions import Fraction  # it takes a while to import, and few numbers need it

        exact = Fraction(whole + (fraction or "")[:DIGIT_LIMIT]) * _SUFFIXES[suffix]
        return int(exact) if exact.denominator == 1 else float(exact)
    value = float(f"{whole}{fraction or ''}{exponent or ''}") * _SUFFIXES[suffix]
    if math.isinf(value):
        found.append(error("E0108", "this number is too large", span, hints=["the largest is about 1.8e308"]))
        return 0.0
    return int(value) if suffix and value.is_integer() else value


def string_value(token: Token, source: Source, found: list[Diagnostic]) -> str:
    """The text that a string stands for; unknown escapes are added to `found`."""
    inner = token.text[1:-1]
    if "\\" not in inner:
        return inner

    def replaced(match: re.Match[str]) -> str:
        escape = match.group(1)
        if escape in _ESCAPES:
            return _ESCAPES[escape]
        if escape.startswith("u{"):
            digits = escape[2:-1]
            if re.fullmatch("[0-9A-Fa-f]{1,6}", digits):
                code = int(digits, 16)
                if code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF:
                    return chr(code)
        start = token.start + 1 + match.start()
        found.append(
            error(
                "E0106",
                f"`\\{escape}` is no escape",
                Span(source, start, start + len(match.group())),
                hints=['known are `\\n`, `\\t`, `\\"`, `\\\\` and `\\u{…}` with a code in hexadecimal'],
            )
        )
        return escape

    return _ESCAPE.sub(replaced, inner)


def quoted(value: str) -> str:
    """The string literal for a text."""
    out = []
    for char in value:
        if char == "\\" or char == '"':
            out.append("\\" + char)
        elif char == "\n":
            out.append("\\n")
        elif char == "\t":
            out.append("\\t")
        elif char.isprintable():
            out.append(char)
        else:
            out.append(f"\\u{{{ord(char):x}}}")
    return '"' + "".join(out) + '"'
