"""Problems on NAS-Bench-Graph (Qin et al. 2022)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from typing import TYPE_CHECKING

from archlang.bench.problems.problem import Answers, BestOf
from archlang.bench.problems.tables import Folder, Makers, answers, data_file
from archlang.evaluate.table import table
from archlang.searchers import Objective
from archlang.space.loading import load

if TYPE_CHECKING:
    from archlang.space import Choices

TABLE = "nasbench_graph.csv.gz"
DATASETS = ("cora", "citeseer", "pubmed", "cs", "physics", "photo", "computers", "arxiv")
ACCURACY = Objective("accuracy")
LINKS = {
    "star": "0000",
    "long_star": "0001",
    "fork": "0011",
    "two_chains": "0012",
    "chain_and_node": "0013",
    "brush": "0111",
    "long_fork": "0112",
    "late_fork": "0122",
    "chain": "0123",
}
SKIP = "skip"
Tree = tuple[tuple[str, "Tree"], ...]  # operations with what follows on them, in order


def tree(link: str, operations: Sequence[str]) -> Tree:
    """The network that links and operations make, equal for equal ones: a skip that something follows is
    left out; one at an end says that what stands before it goes to the output as well, which goes without
    saying where nothing else follows, and counts for nothing on the bare input."""

    def after(node: int) -> list[tuple[str, Tree]]:
        found: list[tuple[str, Tree]] = []
        for place, operation in enumerate(operations):
            if int(link[place]) == node:
                following = after(place + 1)
                if operation == SKIP:
                    found += following or [(SKIP, ())]
                else:
                    found.append((operation, tuple(sorted(following))))
        return [] if found == [(SKIP, ())] else found

    return tuple(sorted(step for step in after(0) if step[0] != SKIP))


def accuracy(data: str, folder: Folder) -> BestOf:
    """Told the validation accuracy (of 1), scored on the test accuracy. The table has one of all programs
    that make one network."""

    def made() -> Answers:
        @cache  # all rows, by the network that each makes
        def kept() -> dict[Tree, dict[str, str]]:
            links, operations = read.rows.texts("link"), read.rows.texts("ops")
            return {
                tree(link, ops.split("-")): {"link": link, "ops": ops}
                for link, ops in zip(links, operations, strict=True)
            }

        @cache  # of which there are no more than programs
        def row(picks: tuple[str, ...]) -> dict[str, str]:
            return kept()[tree(LINKS[picks[0]], picks[1:])]

        def key(choices: Choices) -> dict[str, str]:
            return row(tuple(map(str, choices.values())))

        path = data_file(folder, TABLE)
        read = table(path, key=key, metrics={"accuracy": f"{data}_valid", "scored": f"{data}_test"})
        return answers(read, ACCURACY)

    return BestOf(
        name=f"nbgraph-{data}",
        title=f"NAS-Bench-Graph, {data}: told validation accuracy, scored on test accuracy",
        objectives=(ACCURACY,),
        make_space=lambda: load("std.spaces.nasbench_graph"),
        make_answers=made,
    )


PROBLEMS: Makers = {f"nbgraph-{data}": partial(accuracy, data) for data in DATASETS}
