"""Help for writing a specification: JSON Schema, a first project, completion of names."""
