"""What ops are in Keras: see `archlang.lowering.declared` for how they are declared.

Lowerings see graphs with channels last, as `layout` and `expanding` leave them.
"""

from archlang.lowering.declared import Lowerings

LOWERINGS = Lowerings("tensorflow")
function = LOWERINGS.function
infix = LOWERINGS.infix
layer = LOWERINGS.layer
