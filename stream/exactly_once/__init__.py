"""Reads, publishes and commits in one transaction, partition by partition."""
