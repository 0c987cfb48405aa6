"""Supernets in PyTorch: see `archlang.relax`."""
