"""Where models are kept: immutable numbered versions, and the names that move between them."""
