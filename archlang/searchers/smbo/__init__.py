"""Sequential model-based optimisation: surrogate x acquisition x optimiser, each a part."""
