"""Adapters to libraries of hyperparameter search: samplers of theirs as searchers, spaces as objectives and
as search spaces of theirs. Each library is imported when it is first needed."""
