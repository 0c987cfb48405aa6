"""The pass over raw text before parsing: tokens, comments, significant line ends, items."""

from __future__ import annotations

import re
from collections.abc import Iterable

import attrs

from archlang.diagnostics import Collector, Diagnostic, Label, Source, Span, error
from archlang.syntax import tokens as lex
from archlang.syntax.ast import Comment
from archlang.syntax.tokens import Token

# Each open bracket counts twice and each operator of an expression once.
NESTING_LIMIT = 200

_ITEM_AHEAD = re.compile(r'[ \t]+["A-Za-z_]')
_CONSTANT_AHEAD = re.compile(r"[ \t]*=(?!=)")
_BLANK_LINE = re.compile(r"\n[ \t\r]*\n")

_REPAIRS = {
    "&&": ("LOW", "and", "write `and`"),
    "||": ("LOW", "or", "write `or`"),
    "!": ("NOT", "not", "write `not`"),
    "**": ("ARITH", "^", "a power is written `^`"),
    ";": ("_NEWLINE", "\n", "a statement ends with its line"),
}
_ALIKE = {
    "\N{MINUS SIGN}": "-",
    "\N{EN DASH}": "-",
    "→": "->",
    "\N{MULTIPLICATION SIGN}": "*",
    "·": "*",
    "÷": "/",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "…": "...",
}
_QUOTES = "“”„«»`\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}"


@attrs.frozen(eq=False)
class ItemChunk:
    """The text of one item, not parsed yet. `kind` is its first word, or "constant", or "" for
    text that is no item; `broken` chunks have errors that make parsing them pointless."""

    kind: str
    name: str
    span: Span
    doc: str | None
    tokens: tuple[Token, ...] = attrs.field(repr=False)
    broken: bool = False


@attrs.frozen(eq=False)
class Scan:
    """What a text is made of."""

    chunks: tuple[ItemChunk, ...]
    comments: tuple[Comment, ...]
    doc: str | None
    diagnostics: tuple[Diagnostic, ...]


def scan(source: Source, as_expression: bool = False, start: int = 0, end: int | None = None) -> Scan:
    """The items of a text, cut into tokens, with its comments and the errors found on the way.

    Offsets are those of the text. `as_expression` takes the whole text as one chunk; `start` and
    `end` bound the part of the text that is looked at.
    """
    return _Scanner(source, as_expression).run(start, len(source.text) if end is None else end)


class _Open:
    """An open bracket, and how deep the expression around it is."""

    __slots__ = ("chain", "depth", "text", "token")

    def __init__(self, token: Token, chain: int, depth: int):
        self.token = token
        self.text = token.text
        self.chain = chain
        self.depth = depth


class _Scanner:
    def __init__(self, source: Source, as_expression: bool):
        self.source = source
        self.text = source.text
        self.as_expression = as_expression
        self.found = Collector()
        self.tokens: list[Token] = []
        self.stack: list[_Open] = []
        self.chunks: list[ItemChunk] = []
        self.kind = "expression" if as_expression else ""
        self.broken = False
        self.lost_text = False  # after a string without an end, or a wrong bracket, what is open is not known
        self.past_head = False
        self.line_ended = False
        self.chain = 0
        self.depth = 0
        self.comments: list[Comment] = []
        self.doc: list[Token] = []  # documentation that waits for its item
        self.chunk_doc: str | None = None
        self.module_doc: str | None = None

    # ------------------------------------------------------------------ the pass

    def run(self, begin: int, stop: int) -> Scan:
        text = self.text
        for match in lex.PATTERN.finditer(text, begin or int(text.startswith("\ufeff")), stop):
            group = match.lastindex
            if group == lex.SPACE:
                continue
            if group == lex.NEWLINE:
                self.line_ended = True
                continue
            start, end = match.span()
            word = match.group()
            if group == lex.COMMENT:
                self._comment(word.rstrip(), start)
                continue
            if group == lex.WORD:
                kind = lex.KINDS.get(word) or (word if word in lex.RESERVED else "NAME")
            elif group == lex.SIGN:
                kind = lex.KINDS.get(word, word)
            elif group == lex.NUMBER:
                kind = "NUMBER"
            elif group == lex.STRING:
                kind = "STRING"
            elif group == lex.OTHER:
                repaired = self._stray(word, start)
                if repaired is None:
                    self.broken = True
                    continue
                kind, word = repaired
            else:
                kind = word
            self._add(Token(kind, word, start, end), group)
        self._finish()
        return Scan(tuple(self.chunks), tuple(self.comments), self.module_doc, tuple(self.found))

    def _add(self, token: Token, group: int | None) -> None:
        kind = token.kind
        if self.line_ended or not self.tokens:
            self._first_of_line(token)
        if group == lex.OPEN:
            if self.tokens and self.tokens[-1].kind in (")", "]", "}"):
                self.chain += 1
            self.stack.append(_Open(token, self.chain, self.depth))
            self.depth += self.chain + 2
            self.chain = 0
            self._check_depth(token)
        elif group == lex.CLOSE:
            if self.tokens and self.tokens[-1].kind == "_NEWLINE":  # from a `;`
                self.tokens.pop()
            self._close(token)
        elif kind in lex.CHAIN:
            self.chain += 1
            self._check_depth(token)
        elif kind in lex.CHAIN_ENDS:
            self.chain = 0
            if kind == "->" and not self.stack:
                self.past_head = True
        self.tokens.append(token)

    # --------------------------------------------------------------------- lines

    def _first_of_line(self, token: Token) -> None:
        """Decide whether the line end before a token ends a statement, or the item."""
        ended, self.line_ended = self.line_ended, False
        previous = self.tokens[-1] if self.tokens else None
        at_margin = token.start == 0 or self.text[token.start - 1] in "\n\ufeff"
        if not self.as_expression and self._starts_item(token, at_margin, previous):
            self._unclosed(token)
            self._end_chunk()
            self._start_chunk(token)
            return
        if previous is None:
            if not self.as_expression:
                self._start_chunk(token)
            return
        if not ended or not self._is_significant(previous, token):
            return
        if not self.stack and at_margin and not self._goes_on_at_margin(token):
            self._end_chunk()
            self._start_chunk(token)
            return
        self.tokens.append(Token("_NEWLINE", "\n", previous.end, previous.end))
        self.chain = 0

    def _starts_item(self, token: Token, at_margin: bool, previous: Token | None) -> bool:
        if token.kind != "NAME":
            return False
        if token.text in lex.ITEM_WORDS:
            if at_margin and (previous is None or (not self.stack and self._is_significant(previous, token))):
                return True
            complete = at_margin or (not self.stack and (previous is None or self._is_significant(previous, token)))
            return complete and _ITEM_AHEAD.match(self.text, token.end) is not None
        is_constant = _CONSTANT_AHEAD.match(self.text, token.end) is not None
        return at_margin and is_constant and (not self.stack or self.lost_text)

    def _goes_on_at_margin(self, token: Token) -> bool:
        """Clauses of an op may stand at the margin; text that is no item goes on to the next item."""
        is_clause = token.text in lex.CLAUSE_WORDS or token.kind == "require"
        return self.kind in ("", "expression") or (self.kind == "op" and is_clause)

    def _is_significant(self, previous: Token, token: Token) -> bool:
        if self.stack and self.stack[-1].text != "{":
            return False
        if previous.kind == "_NEWLINE" or previous.kind in lex.TRAILING or token.kind in lex.LEADING:
            return False
        if token.kind == "MINUS" and self.text[token.end : token.end + 1] in (" ", "\t"):
            return False  # `- b` goes on, `-b` is a value of its own
        if self._is_infix(len(self.tokens) - 1):
            return False
        starts_line = len(self.tokens) > 1 and self.tokens[-2].kind == "_NEWLINE"
        if self.kind == "op" and not self.stack and starts_line and previous.text in lex.CLAUSE_WORDS:
            return False
        if not self.stack and self.kind in ("op", "block", "def", "space"):
            if token.kind == "(":
                return self.past_head
            return token.kind != "{" and not (token.text == "limit" and self.kind == "block")
        return True

    def _is_infix(self, index: int) -> bool:
        """Whether the token there is a word such as `of` between two operands."""
        if index < 1:
            return False
        token = self.tokens[index]
        words = lex.INFIX_WORDS if self.stack else lex.INFIX_WORDS | lex.HEAD_WORDS
        is_word = token.kind == "NAME" and token.text in words
        return is_word and self.tokens[index - 1].kind in lex.OPERAND_ENDS and not self._is_infix(index - 1)

    # -------------------------------------------------------------------- chunks

    def _start_chunk(self, token: Token) -> None:
        is_item = token.kind == "NAME" and token.text in lex.ITEM_WORDS
        is_constant = token.kind == "NAME" and _CONSTANT_AHEAD.match(self.text, token.end) is not None
        self.kind = "constant" if is_constant else token.text if is_item else ""
        doc, self.doc = self.doc, []
        first = not self.chunks and self.module_doc is None
        if doc and first and (self.kind == "use" or _BLANK_LINE.search(self.text, doc[-1].end, token.start)):
            self.module_doc = _doc_text(doc)
            doc = []
        if self.kind in ("", "use"):
            self._as_comments(doc)
            doc = []
        self.chunk_doc = _doc_text(doc) if doc else None

    def _end_chunk(self) -> None:
        if self.tokens:
            start, end = self.tokens[0].start, self.tokens[-1].end
            name = ""
            if self.kind == "constant":
                name = self.tokens[0].text
            elif self.kind in ("op", "block", "def", "space") and len(self.tokens) > 1:
                name = self.tokens[1].text
            self.chunks.append(
                ItemChunk(
                    self.kind, name, Span(self.source, start, end), self.chunk_doc, tuple(self.tokens), self.broken
                )
            )
        self.tokens = []
        self.stack = []
        self.broken = self.lost_text = False
        self.past_head = False
        self.chunk_doc = None
        self.chain = self.depth = 0

    def _finish(self) -> None:
        self._unclosed(None)
        self._end_chunk()
        if self.doc:
            if not self.chunks and self.module_doc is None:
                self.module_doc = _doc_text(self.doc)
            else:
                self._as_comments(self.doc)
        self.comments.sort(key=lambda comment: comment.span.start)

    # ------------------------------------------------------------------ comments

    def _comment(self, text: str, start: int) -> None:
        line_start = self.text.rfind("\n", 0, start) + 1
        own_line = not self.text[line_start:start].strip(" \t\r\ufeff")
        token = Token("COMMENT", text, start, start + len(text))
        is_doc = text.startswith("##") and not text.startswith("###")
        if is_doc and own_line and not self.as_expression and self._between_items(start):
            if self.doc and _BLANK_LINE.search(self.text, self.doc[-1].end, start):
                if not self.chunks and not self.tokens and self.module_doc is None:
                    self.module_doc = _doc_text(self.doc)
                else:
                    self._as_comments(self.doc)
                self.doc = []
            self.doc.append(token)
        else:
            self.comments.append(Comment(text, own_line, span=Span(self.source, start, token.end)))

    def _between_items(self, start: int) -> bool:
        """Whether a comment at the margin may be documentation."""
        return not self.stack and (start == 0 or self.text[start - 1] in "\n\ufeff")

    def _as_comments(self, doc: list[Token]) -> None:
        for token in doc:
            self.comments.append(Comment(token.text, True, span=Span(self.source, token.start, token.end)))

    # ------------------------------------------------------------------ brackets

    def _close(self, token: Token) -> None:
        at = len(self.stack) - 1
        while at >= 0 and lex.CLOSERS[self.stack[at].text] != token.text:
            at -= 1
        if at < len(self.stack) - 1 or at < 0:
            self._report_closer(token, at)
            self.broken = self.lost_text = True
        if at >= 0:
            self.chain, self.depth = self.stack[at].chain, self.stack[at].depth
            del self.stack[at:]

    def _report_closer(self, token: Token, at: int) -> None:
        """Report a bracket that does not close the innermost open one but that at an index, or none."""
        if self.lost_text:
            return
        if not self.stack:
            hints = ["remove it, or open it before"]
            self._report("E0103", f"`{token.text}` closes nothing", self._span(token), hints=hints)
            return
        opened = self.stack[-1].token
        does = "closes nothing" if at < 0 else f"closes the `{self.stack[at].text}` further out"
        self._report(
            "E0103",
            f"expected `{lex.CLOSERS[opened.text]}`, found `{token.text}`",
            Label(self._span(token), does),
            Label(self._span(opened), "this is still open"),
        )

    def _unclosed(self, item: Token | None) -> None:
        """Report brackets that are open where an item starts, or at the end of the text."""
        if not self.stack or self.lost_text:
            return
        opened = self.stack[-1].token
        places: list[Span | Label] = [Label(self._span(opened), "opened here")]
        if item is not None:
            places.append(Label(self._span(item), "still open where this item starts"))
        self._report(
            "E0104",
            f"`{opened.text}` is never closed",
            *places,
            hints=[f"close it with `{lex.CLOSERS[opened.text]}`"],
        )
        self.broken = True

    def _check_depth(self, token: Token) -> None:
        if self.depth + self.chain > NESTING_LIMIT and not self.broken:
            self._report(
                "E0105",
                "this is nested too deeply",
                self._span(token),
                notes=[f"at most {NESTING_LIMIT // 2} brackets in each other, or {NESTING_LIMIT} operators in a row"],
                hints=["bind a part of it to a name"],
            )
            self.broken = True

    # --------------------------------------------------------------------- signs

    def _stray(self, text: str, start: int) -> tuple[str, str] | None:
        """Report what is no token; the token it stands for, or None."""
        span = Span(self.source, start, start + len(text))
        if text[0] == '"':
            self.lost_text = True
            self._report(
                "E0102",
                "this string has no end",
                Span(self.source, start, start + len(text.rstrip())),
                hints=['close it with `"` on the same line; write a line break as `\\n`'],
            )
            return None
        if text[0] == "'":
            if len(text) > 1:
                self._report("E0101", "strings stand in double quotes", span, hints=[f'write "{text[1:-1]}"'])
                return "STRING", '"' + text[1:-1].replace('\\"', '"').replace('"', '\\"').replace("\\'", "'") + '"'
            self._report("E0101", "`'` is no part of the language", span, hints=['strings stand in double quotes: "…"'])
            return None
        repair = _REPAIRS.get(text)
        if repair is not None:
            kind, word, hint = repair
            self._report("E0101", f"`{text}` is no part of the language", span, hints=[hint])
            return kind, word
        if len(text) > 1 and text.endswith("="):
            sign = "^" if text == "**=" else text[:-1]
            self._report("E0101", f"`{text}` is no part of the language", span, hints=[f"write `x = x {sign} …`"])
            return "=", "="
        hints = []
        if text in _ALIKE:
            hints = [f"write `{_ALIKE[text]}`"]
        elif text in _QUOTES:
            hints = ['strings stand in double quotes: "…"']
        elif text[0].isalpha():
            hints = ["names are made of the letters A to Z, digits and `_`"]
        shown = f"`{text}`" if text.isprintable() and text != " " else f"the character U+{ord(text):04X}"
        self._report("E0101", f"{shown} is no part of the language", span, hints=hints)
        return None

    # ------------------------------------------------------------------- helpers

    def _report(
        self, code: str, message: str, *places: Span | Label, notes: Iterable[str] = (), hints: Iterable[str] = ()
    ) -> None:
        self.found.add(error(code, message, *places, notes=notes, hints=hints))

    def _span(self, token: Token) -> Span:
        return Span(self.source, token.start, token.end)


def _doc_text(doc: list[Token]) -> str:
    """The documentation in `## …` lines, without their marks."""
    return "\n".join(token.text[2:].removeprefix(" ").rstrip() for token in doc)
