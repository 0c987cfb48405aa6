"""Updates: how the weights and the parameters of a mixture are trained together, one file each."""
