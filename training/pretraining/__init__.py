"""Masked-language pretraining of an encoder, and the checkpoint folder that it ends in."""
