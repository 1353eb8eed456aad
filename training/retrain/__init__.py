"""From what people decided to a model that serves, or to a refusal that says why."""
