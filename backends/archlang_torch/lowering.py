"""What ops are in PyTorch: see `archlang.lowering.declared` for how they are declared."""

from archlang.lowering.declared import Lowerings

LOWERINGS = Lowerings("torch")
function = LOWERINGS.function
infix = LOWERINGS.infix
layer = LOWERINGS.layer
