"""Layered Python environments and reproducible archives, built as a doit task graph."""

__version__ = "0.1.0"
