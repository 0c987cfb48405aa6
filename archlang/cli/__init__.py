"""The command line: `archlang check | fmt | count | sample | show | cost | emit | search | …`."""

from archlang.cli.main import main

__all__ = ["main"]
