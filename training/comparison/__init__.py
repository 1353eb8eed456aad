"""Families and finished models side by side: candidates, tables, plots, pages."""
