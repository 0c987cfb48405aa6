"""The networks that are compared with ones written by hand, as their papers name them."""

Gene = tuple[str, int]  # an operation, and the state that it takes

# A cell of NAS-Bench-201, edge by edge.
EDGES = ("conv3", "conv1", "skip", "pool3", "none", "conv3")
# The cells that second-order DARTS found.
NORMAL: tuple[Gene, ...] = (
    ("sep_conv_3x3", 0),
    ("sep_conv_3x3", 1),
    ("sep_conv_3x3", 0),
    ("sep_conv_3x3", 1),
    ("sep_conv_3x3", 1),
    ("skip_connect", 0),
    ("skip_connect", 0),
    ("dil_conv_3x3", 2),
)
REDUCE: tuple[Gene, ...] = (
    ("max_pool_3x3", 0),
    ("max_pool_3x3", 1),
    ("skip_connect", 2),
    ("max_pool_3x3", 1),
    ("max_pool_3x3", 0),
    ("skip_connect", 2),
    ("skip_connect", 2),
    ("max_pool_3x3", 1),
)
