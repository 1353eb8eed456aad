"""One-off jobs over topics: replay, backfill, erasure."""
