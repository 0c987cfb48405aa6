"""Monte-Carlo tree search over the program tree: what is known of its nodes, and the walks through it."""
