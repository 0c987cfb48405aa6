"""What is said about text that the grammar does not accept, and how to go on after it."""

from __future__ import annotations

from collections.abc import Sequence

from archlang.diagnostics import Diagnostic, Label, Source, Span, did_you_mean, error
from archlang.syntax.machine import accepted_after
from archlang.syntax.tables import END
from archlang.syntax.tokens import CLOSERS, ITEM_WORDS, RESERVED, Token

# Words of other languages, and what stands for them here.
_FOREIGN = {
    "return": "the last line of a body is its value",
    "elif": "write `else if`",
    "while": "there are loops over ranges only: `for i in 0..<n { … }`",
    "lambda": "functions are items: `def name(x) { … }`",
    "import": "write `use module` or `use module: name`",
    "from": "write `use module: name`",
    "let": "a binding needs no word: `name = value`",
    "var": "a binding needs no word: `name = value`",
    "const": "a constant needs no word: `name = value`",
    "fn": "write `def` for a function of static values, `block` for a piece of network",
    "func": "write `def` for a function of static values, `block` for a piece of network",
    "function": "write `def` for a function of static values, `block` for a piece of network",
    "class": "write `block` for a piece of network",
    "module": "write `block` for a piece of network",
    "network": "write `space` for an entry point, `block` for a piece of network",
    "model": "write `space` for an entry point, `block` for a piece of network",
    "assert": "write `require condition`",
    "is": "compare with `==`",
    "pass": "the last line of a body is its value; `identity` does nothing",
}


def explain(source: Source, tokens: Sequence[Token], start: str, index: int) -> Diagnostic:
    """The error for the token that cannot stand where it does (or the end of the text)."""
    before = tokens[:index]
    accepted = accepted_after(before, start)
    end = tokens[-1].end if tokens else 0
    token = tokens[index] if index < len(tokens) else Token(END, "", end, end)
    place = Span(source, token.start, token.end)
    if index == 0 and start == "item":
        return _no_item(tokens, token, place)
    opened = _open_brackets(before)
    expected = _expected(accepted, opened[-1][1] if opened else None)
    labels: list[Span | Label] = [place]
    if opened and CLOSERS[opened[-1][1].text] in accepted:
        bracket = opened[-1][1]
        labels.append(Label(Span(source, bracket.start, bracket.end), "opened here"))
    return error(
        "E0110",
        f"expected {_listed(expected)}, found {_found(token, start)}",
        *labels,
        hints=_hints(before, token, accepted, opened),
    )


def _no_item(tokens: Sequence[Token], token: Token, place: Span) -> Diagnostic:
    hints: list[str] = []
    if len(tokens) > 1 and tokens[1].kind == ",":
        hints = ["a constant has one name: `name = value`"]
    elif token.text in _FOREIGN:
        hints = [_FOREIGN[token.text]]
    elif token.kind == "NAME":
        hints = list(did_you_mean(token.text, ITEM_WORDS))
    return error(
        "E0109",
        f"expected an item, found {_found(token, 'item')}",
        place,
        hints=hints or ["an item starts with use, op, block, def or space, or is a constant: `name = value`"],
    )


def _found(token: Token, start: str) -> str:
    if token.kind == END:
        return "the end of the expression" if start == "expression" else "the end of the item"
    if token.kind == "_NEWLINE":
        return "the end of the line"
    if token.kind == "STRING":
        return "a string"
    return f"`{token.text}`"


def _expected(accepted: frozenset[str], bracket: Token | None) -> list[str]:
    """What may stand here, in the user's words, the likeliest first."""
    expected = []
    if "NUMBER" in accepted:
        expected.append("an expression")
    elif "list" in accepted:
        expected.append("a type")
    elif "NAME" in accepted:
        expected.append("a name")
    if "STRING" in accepted and "NUMBER" not in accepted:
        expected.append("a string")
    complete = "LOW" in accepted or "ARITH" in accepted
    in_body = "_NEWLINE" in accepted and complete
    unlikely = {
        "=": complete,
        ",": "in" in accepted or ("=" in accepted and in_body),
        "{": "NUMBER" in accepted or "list" in accepted,
    }
    for sign in (":", "=", ",", "->", "=>", "with", "in", "else", "{"):
        if sign in accepted and not unlikely.get(sign):
            expected.append(f"`{sign}`")
    for sign in ("(", "["):
        if sign in accepted and not complete and "NUMBER" not in accepted and "list" not in accepted:
            expected.append(f"`{sign}`")
    if bracket is not None and CLOSERS[bracket.text] in accepted and "an expression" not in expected:
        expected.append(f"`{CLOSERS[bracket.text]}`")
    if complete and len(expected) < 3 and "_NEWLINE" not in accepted and END not in accepted:
        expected.append("an operator")
    if in_body:
        expected.append("the end of the line")
    elif END in accepted and (complete or not expected):
        expected.append("the end of the item")
    for sign in ("..", "@"):
        if not expected and sign in accepted:
            expected.append(f"`{sign}`")
    return expected or ["something else"]


def _listed(expected: list[str]) -> str:
    return expected[0] if len(expected) == 1 else ", ".join(expected[:-1]) + f" or {expected[-1]}"


def _hints(
    before: Sequence[Token], token: Token, accepted: frozenset[str], opened: list[tuple[int, Token]]
) -> list[str]:
    previous = before[-1] if before else None
    body = opened[-1][0] if opened and opened[-1][1].text == "{" else None
    if previous is not None and previous.text in _FOREIGN and token.kind not in (":", "=", ",", END):
        return [_FOREIGN[previous.text]]
    if token.kind == "NAME" and token.text in _FOREIGN:
        return [_FOREIGN[token.text]]
    if previous is not None and previous.text in ITEM_WORDS and opened and token.kind == "NAME":
        return ["items stand at the left margin, not in each other"]
    if before and before[0].text == "use" and token.text in (".", "..", "/"):
        return ['a path stands in quotes: `use "./file.arch"`']
    if previous is not None and previous.kind in RESERVED and token.kind in ("=", ":"):
        return [f"`{previous.text}` is a word of the language: choose another name"]
    if token.kind == ":":
        if "{" in accepted and "NUMBER" not in accepted:
            return ["a body stands in braces: `{ … }`"]
        if body is not None and len(before) == body + 2 and "LOW" in accepted:
            return ["a record that is the value of a body has braces of its own: `{ { name: value } }`"]
        if "=" in accepted:
            return ["write `=`"]
    if token.kind == "=":
        if "LOW" in accepted:
            return ["compare with `==`"]
        if ":" in accepted:
            return ["write `:`"]
    if token.text == "==" and "=" in accepted:
        return ["a binding is written with one `=`"]
    if token.kind in RESERVED and "NAME" in accepted and "NUMBER" not in accepted:
        return [f"`{token.text}` is a word of the language: choose another name"]
    if token.text in ("and", "or", "not") and "NAME" in accepted and "NUMBER" not in accepted:
        return [f"`{token.text}` is a word of the language: choose another name"]
    if token.kind == "else":
        return ["`else` follows the `}` of an `if`"]
    if token.kind == "->" and "NUMBER" in accepted:
        return ["write the condition or value first"]
    if token.kind in ("_NEWLINE", END) and "{" in accepted and "NUMBER" not in accepted:
        return ["the body follows in braces: `{ … }`"]
    return []


def _open_brackets(tokens: Sequence[Token]) -> list[tuple[int, Token]]:
    """The brackets that are open after the tokens, with their indices."""
    opened: list[tuple[int, Token]] = []
    for index, token in enumerate(tokens):
        if token.kind in CLOSERS:
            opened.append((index, token))
        elif token.kind in (")", "]", "}"):
            opened.pop()
    return opened


def without_statement(tokens: Sequence[Token], index: int) -> tuple[Token, ...] | None:
    """The tokens with the statement, field or clause that holds an index put out of the way; None
    where there is nothing to go on with."""
    opened = [at for at, token in _open_brackets(tokens[:index]) if token.text == "{"]
    if opened:
        at = opened[-1]
        is_record = len(tokens) > at + 2 and tokens[at + 1].kind == "NAME" and tokens[at + 2].kind == ":"
        if is_record and index <= at + 2:
            return None
        first, last = _segment(tokens, at + 1, index, ("_NEWLINE", ",") if is_record else ("_NEWLINE",))
        place = tokens[index].start if index < len(tokens) else tokens[-1].end
        name = Token("NAME", f"_{place}", place, place)
        sign = ":" if is_record else "="
        segment = tokens[first:last]
        stand_in: tuple[Token, ...] = (name, Token(sign, sign, place, place), name)
        ends_body = tokens[last].kind == "}" and not is_record and tokens[at - 1].text != "with"
        if ends_body and all(token.kind != "=" for token in segment):
            stand_in = (name,)
        if not segment:
            return None
        return (*tokens[:first], *stand_in, *tokens[last:])
    if tokens and tokens[0].text == "op" and any(token.kind == "_NEWLINE" for token in tokens[:index]):
        first, last = _segment(tokens, 0, index, ("_NEWLINE",))
        return (*tokens[: first - 1], *tokens[last:])
    return None


def is_stand_in(token: Token) -> bool:
    """Whether a token was put in by `without_statement`."""
    return token.start == token.end and token.kind != "_NEWLINE"


def _segment(tokens: Sequence[Token], start: int, index: int, ends: tuple[str, ...]) -> tuple[int, int]:
    """The stretch around an index between two ends that are in no inner brackets."""
    first = start
    depth = 0
    for at in range(start, len(tokens)):
        kind = tokens[at].kind
        if kind in CLOSERS:
            depth += 1
        elif kind in (")", "]", "}"):
            depth -= 1
            if depth < 0:
                return first, at
        elif depth == 0 and kind in ends:
            if at >= index:
                return first, at
            first = at + 1
    return first, len(tokens)
