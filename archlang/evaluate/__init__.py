"""Evaluators: a program and a fidelity become metrics."""

from archlang.evaluate.data import Data, load_data
from archlang.evaluate.evaluator import Evaluator, costs
from archlang.evaluate.function import FunctionEvaluator, checked_metrics
from archlang.evaluate.registry import evaluator_from_spec
from archlang.evaluate.train import TrainEvaluator, train

__all__ = [
    "Data",
    "Evaluator",
    "FunctionEvaluator",
    "TrainEvaluator",
    "checked_metrics",
    "costs",
    "evaluator_from_spec",
    "load_data",
    "train",
]
