"""Supernets in TensorFlow: see `archlang.relax`."""
