"""The queue's pages and its HTTP API. Everything a browser loads comes from this package."""
