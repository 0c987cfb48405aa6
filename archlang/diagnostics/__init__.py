"""Structured diagnostics: spans, codes, and the one renderer of them."""

from archlang.diagnostics.diagnostic import ArchError, Cause, Collector, Diagnostic, Label, error
from archlang.diagnostics.render import render
from archlang.diagnostics.source import Source, Span
from archlang.diagnostics.suggest import did_you_mean

__all__ = [
    "ArchError",
    "Cause",
    "Collector",
    "Diagnostic",
    "Label",
    "Source",
    "Span",
    "did_you_mean",
    "error",
    "render",
]
