"""A specification opened for one run: its places, its records and its locks."""
