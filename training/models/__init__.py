"""The families: what can be trained, compared, and (but for the baselines) served."""
