"""Evaluators: a program and a fidelity become metrics."""

from archlang.evaluate.data import Data, load_data
from archlang.evaluate.evaluator import Evaluator, costs
from archlang.evaluate.function import FunctionEvaluator, checked_metrics
from archlang.evaluate.registry import evaluator_from_spec
from archlang.evaluate.table import TableEvaluator, table
from archlang.evaluate.train import TrainEvaluator, train

__all__ = [
    "Data",
    "Evaluator",
    "FunctionEvaluator",
    "TableEvaluator",
    "TrainEvaluator",
    "checked_metrics",
    "costs",
    "evaluator_from_spec",
    "load_data",
    "table",
    "train",
]
