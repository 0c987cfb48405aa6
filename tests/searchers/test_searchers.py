"""Every searcher keeps the contract."""

from typing import ClassVar

from archlang.searchers.grid import GridSearch
from archlang.searchers.populations.evolution import Evolution
from archlang.searchers.random import RandomSearch
from archlang.searchers.tpe import TPE
from archlang.testing.searcher import SearcherContract


class TestRandom(SearcherContract):
    searcher = RandomSearch


class TestRandomWithRepeats(SearcherContract):
    searcher = RandomSearch
    settings: ClassVar = {"dedupe": False}
    exhausts = False


class TestGrid(SearcherContract):
    searcher = GridSearch
    spaces = ("flat", "conditional", "constrained", "budget")
    seeded = False
    infinite = False
    entangled = False


class TestEvolution(SearcherContract):
    searcher = Evolution
    settings: ClassVar = {"population": 6, "sample": 3}


class TestEvolutionWithCrossoverAndRepeats(SearcherContract):
    searcher = Evolution
    settings: ClassVar = {"population": 6, "sample": 3, "crossover": 0.5, "dedupe": False}
    exhausts = False


class TestTPE(SearcherContract):
    searcher = TPE
    settings: ClassVar = {"startup": 4}


class TestTPEWithRepeats(SearcherContract):
    searcher = TPE
    settings: ClassVar = {"startup": 4, "explore": 0.2, "dedupe": False}
    exhausts = False
