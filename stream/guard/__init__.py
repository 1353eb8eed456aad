"""The guard: whether a category keeps its promise, and what follows where it does not."""
