"""The problem on NAS-Bench-Macro (Su et al. 2021)."""

from __future__ import annotations

from archlang.bench.problems.problem import Answers, BestOf
from archlang.bench.problems.tables import Folder, Makers, answers, data_file
from archlang.evaluate.table import table
from archlang.searchers import Objective
from archlang.space.loading import load

ACCURACY = Objective("accuracy")
CODES = {"identity": 0, "mb3_k3": 1, "mb6_k5": 2}


def macro(folder: Folder) -> BestOf:
    """Told the accuracy (in percent) of the first training run, scored on the mean of the two others. The
    table has test accuracies only, so a run's noise is what tells these apart."""

    def made() -> Answers:
        metrics = {"accuracy": "acc_1", "scored": ["acc_2", "acc_3"]}
        path = data_file(folder, "nasbench_macro_c10.csv.gz")
        return answers(table(path, key={"arch": "layer[*]"}, codes=CODES, metrics=metrics), ACCURACY)

    return BestOf(
        name="nbmacro",
        title="NAS-Bench-Macro, CIFAR-10: told the accuracy of one run, scored on the mean of two others",
        objectives=(ACCURACY,),
        make_space=lambda: load("std.spaces.nasbench_macro"),
        make_answers=made,
    )


PROBLEMS: Makers = {"nbmacro": macro}
