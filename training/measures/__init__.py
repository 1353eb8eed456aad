"""How good a model is, how sure one can be of that, and what may be promised."""
