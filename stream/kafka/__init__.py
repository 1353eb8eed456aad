"""What asks Kafka and tells it: connections, topics, offsets, lag. Knows no review."""
