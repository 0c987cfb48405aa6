"""Spaces: their decisions, choices and programs."""

from archlang.semantics.decision import Decision
from archlang.space.base import SearchSpace
from archlang.space.choices import Choices
from archlang.space.loading import load, loads
from archlang.space.program import Program
from archlang.space.space import Space

__all__ = ["Choices", "Decision", "Program", "SearchSpace", "Space", "load", "loads"]
