"""What a labelling run shows of itself: figures, plots, an HTML page and a Markdown summary.

A report holds review texts. It is the user's own output and is never published or committed.
"""
