"""Unpack the archives of layers."""

from stackbuild.archives.reader import unpack_archive

__all__ = ["unpack_archive"]
