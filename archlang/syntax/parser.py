"""From text to syntax trees.

    text ──scan──▶ items, as tokens ──parse──▶ AST

A file is cut into its items first; each is then parsed alone, all of them at once (`parse`) or one
by one when it is needed (`library`, `parse_item`). All errors of a text are reported together.
"""

from __future__ import annotations

from archlang.diagnostics import ArchError, Diagnostic, Source
from archlang.syntax import ast
from archlang.syntax.builder import Builder
from archlang.syntax.machine import run
from archlang.syntax.mistakes import explain, is_stand_in, without_statement
from archlang.syntax.scan import ItemChunk, scan
from archlang.syntax.tokens import Token

__all__ = ["parse", "parse_expression", "parse_item", "parse_text"]

_ERRORS_PER_ITEM = 20
_ABOUT_VALUES = ("E0111", "E0112", "E0113")


def parse(source: Source) -> ast.Module:
    """The syntax tree of a file; raises ArchError with every syntax error found."""
    scanned = scan(source)
    found = list(scanned.diagnostics)
    items = []
    for chunk in scanned.chunks:
        item, problems = _parse_chunk(chunk)
        found += problems
        if item is not None:
            items.append(item)
    if found:
        raise ArchError(_in_order(found))
    return ast.Module(tuple(items), scanned.comments, scanned.doc, source=source)


def parse_text(text: str, name: str = "<text>") -> ast.Module:
    """The syntax tree of a text, with a name to show for it in errors."""
    return parse(Source(name, text))


def parse_item(chunk: ItemChunk) -> ast.Item:
    """The item of a chunk; raises ArchError with the syntax errors in it."""
    item, problems = _parse_chunk(chunk)
    if problems or item is None:
        raise ArchError(_in_order(problems))
    return item


def parse_expression(text: str, name: str = "<expression>") -> ast.Expr:
    """The syntax tree of a single expression; raises ArchError with the syntax errors in it."""
    source = Source(name, text)
    scanned = scan(source, as_expression=True)
    found = list(scanned.diagnostics)
    tokens: tuple[Token, ...] = ()
    broken = False
    if scanned.chunks:
        tokens, broken = scanned.chunks[0].tokens, scanned.chunks[0].broken
    value, problems = _parse_tokens(source, tokens, "expression", None) if not broken else (None, [])
    found += problems
    if found:
        raise ArchError(_in_order(found))
    return value  # type: ignore[return-value]


def _parse_chunk(chunk: ItemChunk) -> tuple[ast.Item | None, list[Diagnostic]]:
    if chunk.broken:
        return None, []
    source, tokens = chunk.span.source, chunk.tokens
    start = "constant" if chunk.kind == "constant" else "item"
    item, problems = _parse_tokens(source, tokens, start, chunk.doc)
    return item, problems  # type: ignore[return-value]


def _parse_tokens(
    source: Source, tokens: tuple[Token, ...], start: str, doc: str | None
) -> tuple[ast.Item | ast.Expr | None, list[Diagnostic]]:
    """What the tokens mean, and the errors in them. After an error the statement that it is in is
    left out and the rest tried again, so that further errors are found."""
    found: list[Diagnostic] = []
    for _ in range(_ERRORS_PER_ITEM):
        builder = Builder(source, doc)
        value, failed_at = run(tokens, start, builder)
        if failed_at is None:
            builder.finish()
            return value, found + _not_caused(builder.found, bool(found))
        if failed_at < len(tokens) and is_stand_in(tokens[failed_at]):
            return None, found + _not_caused(builder.found, True)
        found.append(explain(source, tokens, start, failed_at))
        rest = without_statement(tokens, failed_at)
        if rest is None:
            return None, found + _not_caused(builder.found, True)
        tokens = rest
    return None, found


def _not_caused(found: list[Diagnostic], something_left_out: bool) -> list[Diagnostic]:
    """The errors that do not come from a statement having been left out."""
    return [diagnostic for diagnostic in found if not (something_left_out and diagnostic.code in _ABOUT_VALUES)]


def _in_order(found: list[Diagnostic]) -> list[Diagnostic]:
    unique = list(dict.fromkeys(found))
    return sorted(unique, key=lambda diagnostic: diagnostic.labels[0].span.start if diagnostic.labels else 0)
