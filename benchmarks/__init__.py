"""Timings of archlang with the aims beside them: `python -m benchmarks`."""
