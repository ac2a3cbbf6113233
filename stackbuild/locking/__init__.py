"""Lock files as values: what they contain, what uv resolved, and whether they are valid."""
