"""Flows: searchers made of searchers. A setting that is a recipe says which.

then(random, 50, evolution)      one goes on where another ends
alternate(random, evolution)     several in turn, each told everything
parts([("stem", random), ...])   one for each part of the space
nested(outer=..., inner=...)     one over a part, and for each of its programs one over the rest
filter · distinct · retry        one, of which some proposals are left out or made again
"""
