"""Benchmarks that need more than serving does: peers, and a model of the starter's shape."""
