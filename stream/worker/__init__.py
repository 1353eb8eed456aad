"""The exactly-once worker: reviews in, one outcome each, in transactions."""

from stream.worker.app import Worker, run_worker

__all__ = ["Worker", "run_worker"]
