"""What is known of words: their forms, the taxonomy's rules and templates, word vectors."""
