"""Searchers that follow a single program from neighbour to neighbour."""
