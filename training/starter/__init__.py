"""The recipe of the bundled starter model: its texts, its labels, its pretraining, its training."""
