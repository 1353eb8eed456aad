"""How the product is run: embedded for development, and the files for real deployments."""
