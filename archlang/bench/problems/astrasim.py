"""The problem on the table of AstraSim that ArchGym published (Krishnan et al. 2023)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from numpy.typing import NDArray

from archlang.bench.problems.problem import Answers, BestOf
from archlang.bench.problems.tables import Folder, Makers, data_file
from archlang.evaluate.rows import Rows
from archlang.extras import required
from archlang.searchers import Objective
from archlang.semantics.decision import OneOf, Reals
from archlang.space.loading import loads

if TYPE_CHECKING:
    from archlang.semantics.decision import Domain
    from archlang.space import Choices, Space

Array = NDArray[Any]
TABLE = "archgym_astrasim.csv.gz"
TIME = "observation-1"  # in nanoseconds
TREES = 50
STARTS = 3
PICKS = 100  # of a decision, that are tried at a time
COLLECTIVES = ("oneRing", "oneDirect", "ring_ring", "direct_direct", "doubleBinaryTree_doubleBinaryTree")
# What the rows show: one type for both dimensions, as many links as the topology has; other columns hold one
# value. Latencies are in ns, bandwidths in GB/s.
SPACE = """
space astrasim {
  type = choose ["N", "P"]
  dimensions = [
    {
      topology: choose ["Ring", "Switch", "FullyConnected"] as topology
      units: choose 2..8 as units
      link_latency: choose 1..500 as link_latency
      link_bandwidth: choose 12.1..249.8 as link_bandwidth
      router_latency: choose 0..10 as router_latency
      hbm_latency: choose 1..500 as hbm_latency
      hbm_bandwidth: choose 1..500 as hbm_bandwidth
      hbm_scale: choose [0, 1] as hbm_scale
    }
    for i in 0..<2
  ]
  {
    type: type
    dimensions: dimensions
    scheduling: choose ["FIFO", "LIFO"]
    endpoint_delay: choose 1..10
    splits: choose 4..32
    boost: choose [0, 1]
    all_reduce: choose [COLLECTIVES]
    all_gather: choose [COLLECTIVES]
    reduce_scatter: choose [COLLECTIVES]
    all_to_all: choose [COLLECTIVES]
    optimization: choose ["baseline", "localBWAware"]
  }
}
""".replace("COLLECTIVES", ", ".join(f'"{name}"' for name in COLLECTIVES))
NAMES = {  # by the column of the table: the decision
    "dimension-type-1": "type",
    **{
        f"{column}-{i + 1}": f"{name}[{i}]"
        for i in range(2)
        for column, name in {
            "topologies-per-dim": "topology",
            "units-count": "units",
            "link-latency": "link_latency",
            "link-bandwidth": "link_bandwidth",
            "router-latency": "router_latency",
            "hbm-latency": "hbm_latency",
            "hbm-bandwidth": "hbm_bandwidth",
            "hbm-scale": "hbm_scale",
        }.items()
    },
    "scheduling-policy": "scheduling",
    "endpoint-delay": "endpoint_delay",
    "preferred-dataset-splits": "splits",
    "boost-mode": "boost",
    "all-reduce-implementation": "all_reduce",
    "all-gather-implementation": "all_gather",
    "reduce-scatter-implementation": "reduce_scatter",
    "all-to-all-implementation": "all_to_all",
    "collective-optimization": "optimization",
}


@attrs.frozen(eq=False)
class Forest:
    """Regression trees side by side: arrays of [trees, nodes]. Leaves have children that are themselves."""

    feature: Array
    threshold: Array
    left: Array
    right: Array
    value: Array
    depth: int

    @classmethod
    def fitted(cls, x: Array, y: Array) -> Forest:
        """A random forest fitted to samples [n, features] and targets [n], with one version of scikit-learn
        always the same one; ArchError (E0919) without scikit-learn."""
        # By name, so that the core is seen to import nothing of scikit-learn's.
        kind = required("sklearn.ensemble", "the problem `astrasim`", "data").RandomForestRegressor
        trees = [each.tree_ for each in kind(TREES, min_samples_leaf=2, random_state=0).fit(x, y).estimators_]
        shape = len(trees), max(tree.node_count for tree in trees)
        feature, left, right = (np.zeros(shape, np.int64) for _ in range(3))
        threshold, value = np.zeros(shape), np.zeros(shape)
        for i, tree in enumerate(trees):
            nodes = np.arange(tree.node_count)
            leaf = tree.children_left < 0
            feature[i, nodes] = np.where(leaf, 0, tree.feature)
            left[i, nodes] = np.where(leaf, nodes, tree.children_left)
            right[i, nodes] = np.where(leaf, nodes, tree.children_right)
            threshold[i, nodes] = tree.threshold
            value[i, nodes] = tree.value[:, 0, 0]
        return cls(feature, threshold, left, right, value, max(tree.max_depth for tree in trees))

    def predict(self, x: Array) -> Array:
        """The mean of the trees for samples [n, features]."""
        trees = np.arange(len(self.feature))
        samples = np.arange(len(x))[:, None]
        # Compared as scikit-learn does, which reads samples as float32.
        x = x.astype(np.float32)
        node = np.zeros((len(x), len(trees)), np.int64)
        for _ in range(self.depth):
            goes_left = x[samples, self.feature[trees, node]] <= self.threshold[trees, node]
            node = np.where(goes_left, self.left[trees, node], self.right[trees, node])
        found: Array = self.value[trees, node].mean(axis=1)
        return found


@attrs.frozen(eq=False)
class Features:
    """How picks become numbers: texts one of several, each a feature that is 0 or 1; numbers as they are."""

    texts: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, space: Space) -> Features:
        """The features of a space whose decisions are all made in every program."""
        return cls({decision.address: _labels(decision.domain) for decision in space.all_decisions()})

    def row(self, picks: Mapping[str, Any]) -> list[float]:
        """The features of picks."""
        row: list[float] = []
        for address, labels in self.texts.items():
            pick = picks[address]
            row += [float(pick == label) for label in labels] if labels else [float(pick)]
        return row


def surrogate(folder: Folder = None) -> BestOf:
    """A random forest fitted to the logarithm of the simulated time, which is told in ms.

    The table holds 1,792 designs drawn at random, too few for any space to consist of them, so the function
    that is searched is the forest, not the simulator: it explains 0.81 of the variance of rows that it has not
    seen. Its least value is not known; regrets are from the best that coordinate descent from the best rows
    finds, and may be below 0.
    """
    space = loads(SPACE)

    def made() -> Answers:
        rows = Rows.read(str(data_file(folder, TABLE)))
        features = Features.of(space)
        designs = designs_of(rows, space)
        x = np.array([features.row(design) for design in designs])
        forest = Forest.fitted(x, np.log([float(text) for text in rows.texts(TIME)]))

        def time(picks: Sequence[Mapping[str, Any]]) -> Array:
            found: Array = np.exp(forest.predict(np.array([features.row(each) for each in picks]))) / 1e6
            return found

        def value(choices: Choices) -> float:
            return float(time([choices])[0])

        starts = [designs[place] for place in np.argsort(time(designs), kind="stable")[:STARTS]]
        best = min(descended(space, start, time) for start in starts)
        return Answers(
            told=lambda choices, share: {"time": value(choices)},
            scored=value,
            best_told=best,
            best_scored=best,
            proven=False,
        )

    return BestOf(
        name="astrasim",
        title="a surrogate of AstraSim: the time in ms that a design of a training cluster takes",
        objectives=(Objective("time", maximize=False),),
        make_space=lambda: space,
        make_answers=made,
    )


def designs_of(rows: Rows, space: Space) -> list[dict[str, Any]]:
    """The rows of the table as picks of the space."""
    domains = {decision.address: decision.domain for decision in space.all_decisions()}

    def read(address: str, text: str) -> Any:
        if _labels(domains[address]):
            return text
        return float(text) if isinstance(domains[address], Reals) else int(float(text))

    columns = [[read(address, text) for text in rows.texts(column)] for column, address in NAMES.items()]
    return [dict(zip(NAMES.values(), cells, strict=True)) for cells in zip(*columns, strict=True)]


def _labels(domain: Domain) -> tuple[str, ...]:
    """The alternatives of a decision that are texts."""
    return tuple(label for label in domain.labels if isinstance(label, str)) if isinstance(domain, OneOf) else ()


def descended(space: Space, start: Mapping[str, Any], time: Callable[[Sequence[Mapping[str, Any]]], Array]) -> float:
    """The least time reached from a design by changing one pick after the other as long as that helps;
    of many picks as many as PICKS, evenly spread."""
    design, best = dict(start), math.inf
    while True:
        before = best
        for decision in space.all_decisions():
            domain = decision.domain
            if isinstance(domain, Reals):
                picks: list[Any] = np.linspace(domain.low, domain.high, PICKS).tolist()
            else:
                places = np.linspace(0, domain.size - 1, min(domain.size, PICKS)).round().astype(int)
                picks = [domain.pick(place) for place in places.tolist()]
            times = time([{**design, decision.address: pick} for pick in picks])
            place = int(times.argmin())
            if times[place] < best:
                design[decision.address], best = picks[place], float(times[place])
        if best == before:
            return best


PROBLEMS: Makers = {"astrasim": surrogate}
