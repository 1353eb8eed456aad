"""What audits say: a sample of published reviews that people decided without seeing the answer."""
