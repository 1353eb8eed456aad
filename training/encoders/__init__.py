"""Encoders before any category: vocabulary, word vectors, masked-language pretraining, checkpoints."""
