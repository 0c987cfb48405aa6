"""Penalties: what the architecture is trained by besides the loss, one file each."""
