"""Our own small BERT: vocabulary, word vectors to start from, masked-language pretraining."""
