"""A space as one network that holds all its programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import attrs
import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from archlang.ir.graph import Graph, Node, Operation, Output
from archlang.lowering.declared import Layer
from archlang.relax.plan import ALL, Active, Mix, Plan, path, plan
from archlang.relax.varied import Varied
from archlang.space.choices import Choices
from archlang.space.program import Program
from archlang_tensorflow.building import new_layer
from archlang_tensorflow.layout import arranged
from archlang_tensorflow.lowering import LOWERINGS
from archlang_tensorflow.supernet.mixing import MIXTURE, as_operation, weighted_sum
from archlang_tensorflow.supernet.sharing import Pattern, Sliced, shared_variables
from archlang_tensorflow.supernet.statistics import Take

Array = NDArray[Any]

KEPT = 64  # plans that are kept to be run again

# The weights of mixtures: for a decision's variable those of its picks or (True) of its elements. None:
# they are all one.
Weights = Mapping[tuple[int, bool], Any]


@attrs.frozen(eq=False)
class _Run:
    """What holds for all steps of one run."""

    training: bool
    weights: Weights = attrs.field(factory=dict)
    ghosts: bool = False
    statistics: Take | None = None


@attrs.frozen(eq=False)
class _Ready:
    """A plan with what it calls: for each step the function, of the run and its inputs, and these."""

    steps: tuple[tuple[Callable[..., Any], tuple[int, ...]], ...]
    outputs: tuple[Output, ...]


class Supernet:
    """All programs of a space in one network, whose weights they share.

    It is called as Keras's models are, eagerly or in a `tf.function`, with `training` where it trains.
    """

    def __init__(self, varied: Varied, seed: int = 0) -> None:
        self.varied = varied
        self._seed = seed
        self._variables = shared_variables(varied.weights, seed)
        self._patterns: dict[Operation, Pattern] = {}
        self._draws = keras.random.SeedGenerator(seed)  # of all layers that draw
        self._paths = lru_cache(KEPT)(self._ready_path)
        self._mixtures = lru_cache(KEPT)(self._ready_mixture)

    @property
    def named_variables(self) -> Mapping[str, keras.Variable]:
        """The shared weights and states by address."""
        return self._variables

    @property
    def draws(self) -> keras.Variable:
        """What the layers that draw numbers go on from."""
        state: keras.Variable = self._draws.state
        return state

    @property
    def variables(self) -> list[keras.Variable]:
        """The shared weights and states."""
        return [*self._variables.values()]

    @property
    def trainable_variables(self) -> list[keras.Variable]:
        """The shared weights."""
        return [variable for variable in self.variables if variable.trainable]

    @property
    def non_trainable_variables(self) -> list[keras.Variable]:
        """The shared states."""
        return [variable for variable in self.variables if not variable.trainable]

    # ---------------------------------------------------------------- running

    def path(self, choices: Choices, *inputs: Any, training: bool = False, statistics: Take | None = None) -> Any:
        """What the program of some choices computes with the shared weights. Batch norms may take `statistics`
        in the place of theirs."""
        return _run(self._paths(choices), _Run(training, statistics=statistics), inputs)

    def mixed(
        self,
        weights: Weights,
        *inputs: Any,
        active: Active = ALL,
        ghosts: bool = False,
        training: bool = False,
        statistics: Take | None = None,
    ) -> Any:
        """What the mixture of the active alternatives computes, with the weights of all; `ghosts`: see
        `archlang.relax.engine.Draw`. Batch norms may take `statistics` in the place of theirs."""
        key = tuple([(variable, tuple(positions)) for variable, positions in active.items()])
        return _run(self._mixtures(key), _Run(training, weights, ghosts, statistics), inputs)

    # ---------------------------------------------------------------- weights

    def arrays(self) -> dict[str, Array]:
        """The shared weights and states by address."""
        found = {}
        for address, variable in self._variables.items():
            value = variable.numpy()
            found[address] = value.astype(np.float32) if value.dtype.name == "bfloat16" else value
        return found

    def set_arrays(self, arrays: Mapping[str, Array]) -> None:
        """Give the shared weights and states values by address, as `arrays` has them."""
        for address, variable in self._variables.items():
            variable.assign(arrays[address])

    def program(self, choices: Mapping[str, Any]) -> Program:
        """The program of some choices with the weights that its path has here: `build` gives them to the
        network of any backend. ArchError when the choices do not fit."""
        program = self.varied.space.program(choices)
        return program.with_weights(self.varied.slices(program.graph, self.arrays()))

    def __deepcopy__(self, memo: dict[int, Any]) -> Supernet:
        copied = Supernet(self.varied, self._seed)  # plans hold variables: they are made anew
        copied.set_arrays(self.arrays())
        return copied

    # ------------------------------------------------------------------ plans

    def _ready_path(self, choices: Choices) -> _Ready:
        return self._ready(path(self.varied, choices, _is_pure))

    def _ready_mixture(self, active: tuple[tuple[int, tuple[int, ...]], ...]) -> _Ready:
        return self._ready(plan(self.varied, dict(active), is_pure=_is_pure))

    def _ready(self, plan: Plan) -> _Ready:
        graph = lowered_plan(plan)
        with tf.init_scope():  # layers outlive a function that is traced when they are first needed
            steps = tuple([(self._function(node), node.inputs) for node in graph.nodes])
        return _Ready(steps, graph.outputs)

    def _function(self, node: Node) -> Callable[..., Any]:
        work = node.operation
        if work.name == MIXTURE:
            key, entries = (work.attribute("variable"), work.attribute("by_element")), work.attribute("entries")
            return lambda run, *given: weighted_sum(run.weights[key], entries, run.ghosts, given)
        kind = LOWERINGS.get(work.name)
        assert kind is not None
        if not isinstance(kind, Layer):
            call = kind.call(work)
            return lambda run, *given: call(*given)
        if not work.weights:
            layer = self._drawing(kind, work)
            return lambda run, *given: layer(*given, training=run.training)
        if work not in self._patterns:
            self._patterns[work] = Pattern(kind, work)
        at = node.weights_at
        held = Sliced(self._patterns[work], kind, work, at, self.varied.weights[at], self._variables)
        return lambda run, *given: held(*given, training=run.training, statistics=run.statistics)

    def _drawing(self, kind: Layer, operation: Operation) -> keras.layers.Layer:
        """A layer without weights, which may draw numbers."""
        layer = new_layer(kind, operation, operation.name)
        generator = getattr(layer, "seed_generator", None)
        if generator is not None:
            generator.state = self._draws.state
        return layer


def lowered_plan(plan: Plan) -> Graph:
    """A plan as a graph that Keras can do: see `archlang_tensorflow.lowering.lowered`. Mixes are
    operations; weights are at their addresses in the supernet.

    Raises ArchError (E0803) that names every op that cannot be lowered.
    """
    types = [given.type for given in plan.inputs]
    nodes = []
    for step in plan.steps:
        if isinstance(step, Mix):
            nodes.append(Node("", as_operation(step, types[step.inputs[0]]), step.inputs, ""))
        else:
            nodes.append(Node(step.address, step.operation, step.inputs, step.at or step.address))
        types.append(nodes[-1].operation.output)
    outputs = tuple([Output(name, value) for name, value in plan.outputs])
    made = LOWERINGS.decomposed(arranged(Graph("", plan.inputs, tuple(nodes), outputs)))
    known = tuple([node for node in made.nodes if node.operation.name != MIXTURE])
    LOWERINGS.check(attrs.evolve(made, nodes=known))
    return made


@tf.autograph.experimental.do_not_convert
def _run(ready: _Ready, run: _Run, inputs: tuple[Any, ...]) -> Any:
    values = [tf.convert_to_tensor(given) for given in inputs]
    for function, sources in ready.steps:
        values.append(function(run, *[values[source] for source in sources]))
    results = {output.name: values[output.value] for output in ready.outputs}
    return results[""] if [*results] == [""] else results


def _is_pure(operation: Operation) -> bool:
    return not LOWERINGS.is_layer(operation.name)
