"""The monitor: statistics over the workers' batch summaries, drift, alerts, a live page."""
