"""Whether a new model may serve: compared with the one that does, on the same texts, in the same run."""
