"""Redis as a cache and as the queue's memory: connections, and what an error of it means."""
