"""Relaxation: a space as one network that holds every choice, and ways to train it."""
