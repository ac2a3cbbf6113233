"""Lock files as values: what they hold, what uv resolved, and whether they are still good."""
