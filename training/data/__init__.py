"""What a model learns from: whose labels they are, and where their texts come from."""
