"""Evolution: programs live in a population and breed; searchers differ in which live, and which breed."""
