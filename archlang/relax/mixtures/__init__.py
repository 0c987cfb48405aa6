"""Mixtures: from parameters to the weights of alternatives, one file each."""
