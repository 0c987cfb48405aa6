"""Searchers: what to evaluate next. They see decisions, never operations."""

from archlang.search.base import Exhausted, Objective, Searcher, scores_of
from archlang.search.evolution import Evolution
from archlang.search.grid import GridSearch
from archlang.search.random import RandomSearch
from archlang.search.registry import SEARCHERS, searcher_class

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
