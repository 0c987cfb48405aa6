"""Searchers: what to evaluate next. They see decisions, never operations."""

from archlang.searchers.base import Exhausted, Searcher
from archlang.searchers.objectives import (
    NO_CONSTRAINTS,
    Constraint,
    Constraints,
    Objective,
    Scores,
    scores_of,
    violation,
)
from archlang.searchers.recipe import Recipe
from archlang.searchers.registry import SEARCHERS, searcher_class

__all__ = [
    "NO_CONSTRAINTS",
    "SEARCHERS",
    "Constraint",
    "Constraints",
    "Exhausted",
    "Objective",
    "Recipe",
    "Scores",
    "Searcher",
    "scores_of",
    "searcher_class",
    "violation",
]
