"""Costs: parameters, multiply-adds, activations, memory, depth, …; by node, block, op and in all."""

from archlang.cost.analytic import ADDITIVE
from archlang.cost.cost import METRICS, Cost, Row, Totals, cost, price
from archlang.cost.liveness import peak_live

__all__ = ["ADDITIVE", "METRICS", "Cost", "Row", "Totals", "cost", "peak_live", "price"]
