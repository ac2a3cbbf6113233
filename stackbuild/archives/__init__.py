"""Reproducible archives: written from a list of entries, and unpacked safely. Knows nothing of layers."""
