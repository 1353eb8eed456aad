"""The recipe of the bundled model: its texts, its labels, its pretraining, its training."""
