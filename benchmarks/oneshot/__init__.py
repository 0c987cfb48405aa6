"""One-shot supernets as their papers' own code has them, in plain PyTorch.

They know nothing of archlang: tests compare the supernets that it derives from a space with these, weight by weight,
and benchmarks time its steps against theirs. What they compute is that of the published code; where that code does
work whose result nobody reads (gradients of weights in an architecture step, a transfer per edge to ask which op was
drawn, sums that begin with 0), they don't, so that nothing is gained against a slow baseline.
"""
