"""Reports that people keep: one HTML page in one look, and tables in Markdown."""
