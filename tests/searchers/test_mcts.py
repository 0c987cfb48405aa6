"""Monte-Carlo tree search."""

from typing import ClassVar

from archlang.searchers.mcts import MCTS
from archlang.testing.searcher import SearcherContract


class TestMCTS(SearcherContract):
    searcher = MCTS


class TestMCTSWithBisection(SearcherContract):
    searcher = MCTS
    settings: ClassVar = {"bisection": "all", "rule": "puct", "local": 1}


class TestMCTSWithWidening(SearcherContract):
    searcher = MCTS
    settings: ClassVar = {"bisection": "none", "rave": 0, "widening": 2.0}


class TestMCTSWithRepeats(SearcherContract):
    searcher = MCTS
    settings: ClassVar = {"playout": "even", "dedupe": False}
    exhausts = False
