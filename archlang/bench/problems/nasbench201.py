"""Problems on NAS-Bench-201 (Dong & Yang 2020), with latencies and energies of HW-NAS-Bench (Li et al. 2021)."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING

from archlang.bench.problems.problem import Answers, BestOf, Front, FrontOf
from archlang.bench.problems.tables import Folder, Makers, answers, complete, data_file
from archlang.evaluate.table import table
from archlang.searchers import Objective
from archlang.space.loading import load

if TYPE_CHECKING:
    from archlang.evaluate.evaluator import Metrics
    from archlang.space import Choices, Space

TABLE = "nb201_tss.csv.gz"
HARDWARE = "hwnasbench_nb201.csv.gz"
DATASETS = {"c10": "CIFAR-10", "c100": "CIFAR-100", "in16": "ImageNet16-120"}
DEVICES = {
    "edgegpu": "an edge GPU",
    "raspi4": "a Raspberry Pi 4",
    "edgetpu": "an edge TPU, which cannot run 4,699 of the programs",
    "pixel3": "a Pixel 3",
    "eyeriss": "the ASIC Eyeriss (simulated)",
    "fpga": "an FPGA",
}
KEY = {"ops": "shared/edge#*"}
CODES = {"none": 0, "skip": 1, "conv1": 2, "conv3": 3, "pool3": 4}
ACCURACY = Objective("accuracy")
SHORT = 12 / 200


@cache  # one for all, as what is worked out of a program is kept by its space
def space() -> Space:
    """The space of all problems on this benchmark."""
    return load("std.spaces.nasbench201")


def accuracy(data: str, folder: Folder) -> BestOf:
    """Told the validation accuracy (in percent) after 200 epochs, of one run, scored on the test accuracy."""

    def made() -> Answers:
        metrics = {"accuracy": f"{data}_val_200", "scored": f"{data}_test_200"}
        return answers(table(data_file(folder, TABLE), key=KEY, codes=CODES, metrics=metrics), ACCURACY)

    title = f"NAS-Bench-201, {DATASETS[data]}: told validation accuracy, scored on test accuracy"
    return BestOf(name=f"nb201-{data}", title=title, objectives=(ACCURACY,), make_space=space, make_answers=made)


def short_and_long(data: str, folder: Folder) -> BestOf:
    """As `accuracy`, and also told after 12 epochs (a schedule of its own, not the first epochs of the long
    one). The table has no times: simulated seconds are epochs x MACs in millions, on the data set."""

    def made() -> Answers:
        metrics = {"accuracy": {12: f"{data}_val_12", 200: f"{data}_val_200"}, "scored": {200: f"{data}_test_200"}}
        time = {"of": f"{data}_flops_m", "per_epoch": True}
        read = table(data_file(folder, TABLE), key=KEY, codes=CODES, metrics=metrics, seconds=time)
        return answers(read, ACCURACY, (SHORT, 1.0))

    return BestOf(
        name=f"nb201-{data}-epochs",
        title=f"NAS-Bench-201, {DATASETS[data]}, 12 or 200 epochs: told validation accuracy, scored on test accuracy",
        objectives=(ACCURACY,),
        make_space=space,
        make_answers=made,
        levels=(SHORT, 1.0),
    )


def error_and_macs(folder: Folder) -> FrontOf:
    """Validation error (in percent) and MACs (in millions), both told and scored."""

    def made() -> Front:
        metrics = {"accuracy": "c10_val_200", "macs": "c10_flops_m"}
        read = table(data_file(folder, TABLE), key=KEY, codes=CODES, metrics=metrics)
        pairs = zip(complete(read.values("accuracy")), complete(read.values("macs")), strict=True)
        return Front(
            told=lambda choices, share: _with_error(read.lookup(choices)),
            points=[(100 - value, macs) for value, macs in pairs],
        )

    return FrontOf(
        name="nb201-c10-macs",
        title="NAS-Bench-201, CIFAR-10: validation error and MACs",
        objectives=(Objective("error", False), Objective("macs", False)),
        make_space=space,
        make_front=made,
    )


def error_and_latency(device: str, folder: Folder) -> FrontOf:
    """Validation error (in percent) and latency (in ms) on a device. The evaluation of a program that the
    device does not support fails."""

    def made() -> Front:
        tables = (
            table(data_file(folder, TABLE), key=KEY, codes=CODES, metrics={"accuracy": "c10_val_200"}),
            table(data_file(folder, HARDWARE), key=KEY, codes=CODES, metrics={"latency": f"c10_{device}_latency"}),
        )

        def told(choices: Choices, share: float) -> Metrics:
            return _with_error(tables[0].lookup(choices) | tables[1].lookup(choices))

        accuracies, latencies = (
            dict(zip(one.rows.texts("ops"), one.values(metric), strict=True))
            for one, metric in zip(tables, ("accuracy", "latency"), strict=True)
        )
        both = ((accuracies[ops], latency) for ops, latency in latencies.items())
        points = [(100 - value, time) for value, time in both if value is not None and time is not None]
        return Front(told=told, points=points)

    return FrontOf(
        name=f"hwnas-{device}",
        title=f"NAS-Bench-201, CIFAR-10: validation error and latency on {DEVICES[device]}",
        objectives=(Objective("error", False), Objective("latency", False)),
        make_space=space,
        make_front=made,
    )


def _with_error(metrics: Metrics) -> Metrics:
    return {"error": 100 - metrics.pop("accuracy"), **metrics}


PROBLEMS: Makers = {
    **{f"nb201-{data}": partial(accuracy, data) for data in DATASETS},
    **{f"nb201-{data}-epochs": partial(short_and_long, data) for data in DATASETS},
    "nb201-c10-macs": error_and_macs,
    **{f"hwnas-{device}": partial(error_and_latency, device) for device in DEVICES},
}
