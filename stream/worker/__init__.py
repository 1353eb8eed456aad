"""The exactly-once worker: reviews in, one outcome each, in transactions."""
