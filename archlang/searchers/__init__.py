"""Searchers: what to evaluate next. They see decisions, never operations."""

from archlang.searchers.base import Exhausted, Objective, Searcher, scores_of
from archlang.searchers.evolution import Evolution
from archlang.searchers.grid import GridSearch
from archlang.searchers.random import RandomSearch
from archlang.searchers.registry import SEARCHERS, searcher_class

__all__ = [
    "SEARCHERS",
    "Evolution",
    "Exhausted",
    "GridSearch",
    "Objective",
    "RandomSearch",
    "Searcher",
    "scores_of",
    "searcher_class",
]
