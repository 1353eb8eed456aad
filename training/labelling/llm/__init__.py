"""Asking generative models: prompt, endpoint, budget, cache, and the labellers made of them."""
