"""Help for writing a specification: its JSON Schema, a first project, completion of names."""
