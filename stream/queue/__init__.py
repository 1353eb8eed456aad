"""The review queue: people decide what the model is unsure of.

Truth is in Kafka (``reviews.relabel`` minus ``reviews.labels``); Redis holds the working set, a
fold over these topics that can be thrown away at any time.
"""
