"""Benchmarks: ratios against a named baseline in the same run, interleaved, with their spread."""
