"""What ops are in Keras: see `archlang.lowering.declared` for how they are declared.

Lowerings see graphs with channels last, as `layout` and `expanding` leave them.
"""

from collections.abc import Container

from archlang.ir.graph import Graph
from archlang.lowering.declared import Lowerings
from archlang_tensorflow.layout import arranged

LOWERINGS = Lowerings("tensorflow")
function = LOWERINGS.function
infix = LOWERINGS.infix
layer = LOWERINGS.layer
decompose = LOWERINGS.decompose


def lowered(graph: Graph, data_format: str = "channels_first", given: Container[str] = ()) -> Graph:
    """The graph as Keras can do it: channels last, paddings written out. Ops that are `given` as layers stay.

    Raises ArchError (E0803) that names every op that cannot be lowered.
    """
    made = LOWERINGS.decomposed(arranged(graph, data_format))
    LOWERINGS.check(made, given)
    return made
