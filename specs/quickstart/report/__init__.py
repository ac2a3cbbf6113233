"""A package as launch module."""
