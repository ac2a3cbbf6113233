"""A specification opened for one run: its layers with their places, records and locks."""
