"""Membership of a consumer group whose partitions go on while the group deals them anew (KIP-429)."""
