"""Where the Python of a base runtime comes from: downloaded, or copied from this machine."""
