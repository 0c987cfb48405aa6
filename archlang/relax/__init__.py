"""Relaxation: a space as one network that holds every choice, and ways to train it."""

# The names of the methods in `methods`, for those that only need to know them.
NAMES = (
    *("darts", "darts2", "pc-darts", "snas", "gdas", "fbnet", "drnas", "fairdarts", "proxyless", "rarts", "rc-darts"),
    *("darts-pt", "spos", "fairnas", "bignas", "ofa", "enas"),
)
