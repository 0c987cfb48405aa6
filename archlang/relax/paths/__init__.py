"""Samplers of single paths: which programs run through the supernet in a step, one file each."""
