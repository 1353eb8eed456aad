"""The one training loop of all neural families, and what can be turned on in it."""
