"""Measuring searchers: problems whose best outcome is known, and how far from it a search ends."""
