"""The command line, ``reviews``. One module per command; heavy imports wait inside functions."""

from stream.cli.app import app, main

__all__ = ["app", "main"]
