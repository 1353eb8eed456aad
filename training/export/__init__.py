"""From a trained model to a folder that a worker serves, checked on the way."""
