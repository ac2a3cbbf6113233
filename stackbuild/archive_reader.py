"""Unpack the archives of layers."""

from stackbuild.archives.reader import UnpackedMember, unpack_archive
from stackbuild.archives.tar_headers import MemberKind

__all__ = ["MemberKind", "UnpackedMember", "unpack_archive"]
