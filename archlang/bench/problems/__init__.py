"""The benchmark problems by name."""

from __future__ import annotations

from archlang.bench.problems import astrasim, costs, nasbench201, nasbench_graph, nasbench_macro, synthetic
from archlang.bench.problems.problem import BestOf, Evaluation, FrontOf, Problem, ProblemEvaluator
from archlang.bench.problems.tables import Folder, Makers
from archlang.diagnostics import ArchError, did_you_mean, error

PROBLEMS: Makers = {
    **nasbench201.PROBLEMS,
    **nasbench_macro.PROBLEMS,
    **nasbench_graph.PROBLEMS,
    **astrasim.PROBLEMS,
    **costs.PROBLEMS,
    **synthetic.PROBLEMS,
}


def problem(name: str, folder: Folder = None) -> Problem:
    """The problem of a name. `folder` holds the benchmark data, by default the one that the environment
    variable ARCHLANG_DATA names; it is read when first needed. ArchError (E0920) for no such problem."""
    if name not in PROBLEMS:
        hints = did_you_mean(name, PROBLEMS) or (f"there are {', '.join(PROBLEMS)}",)
        raise ArchError(error("E0920", f"there is no benchmark problem `{name}`", hints=hints))
    return PROBLEMS[name](folder)


__all__ = ["PROBLEMS", "BestOf", "Evaluation", "FrontOf", "Problem", "ProblemEvaluator", "problem"]
