"""Announced models: who signed them, where they may lie, and the trial before they serve."""
