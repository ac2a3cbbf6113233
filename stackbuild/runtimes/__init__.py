"""Where the Python of a base runtime comes from."""
