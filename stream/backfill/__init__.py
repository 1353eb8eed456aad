"""Reprocessing what came in since some time with another model, onto topics of its own."""

from stream.backfill.run import Backfill, BackfillReport, backfill_settings

__all__ = ["Backfill", "BackfillReport", "backfill_settings"]
