"""Offline: labelling, training, evaluation, export."""
