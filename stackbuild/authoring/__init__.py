"""Help for who writes a specification: JSON Schema, a first project, names after Tab."""
