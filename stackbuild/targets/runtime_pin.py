"""The Python that a runtime layer is locked to, as its lock records it."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator

from stackbuild.targets.platforms import TargetPlatform
from stackbuild.targets.pythons import PinnedPython

FILE_NAME = r"^[^./\\:*?\[][^/\\:*?\[]*$"
"""Allowed names of distributions. They become file names in the download folder, so they must not lead out of it."""


class RuntimeFile(BaseModel):
    """The distribution of a Python for one platform: the file that it is unpacked from.

    url: where it comes from, if that is a server, without credentials; sha256: hexadecimal, absent until known.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    # both become names in the download folder
    name: Annotated[str, Field(pattern=FILE_NAME)]
    url: str | None = None
    sha256: Annotated[str, Field(pattern="^[0-9A-Za-z]+$")] | None = None


class RuntimePin(BaseModel):
    """The Python that a runtime layer was locked to."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    python_implementation: str
    """Implementation and full version, `cpython@3.11.13`, `cpython@3.13.2+freethreaded`."""
    source: str
    """`interpreter` or `standalone`."""
    files: dict[str, RuntimeFile] | None = None
    """By target platform, as far as the source has a file for it; `None` for interpreters."""

    @field_validator("python_implementation")
    @classmethod
    def _names_a_python(cls, value: str) -> str:
        return str(PinnedPython.parse(value))

    @property
    def python(self) -> PinnedPython:
        return PinnedPython.parse(self.python_implementation)

    def file(self, platform: TargetPlatform) -> RuntimeFile | None:
        """The distribution for a platform, when it is pinned."""
        return (self.files or {}).get(platform)

    def differs_from(self, old: Self) -> bool:
        """Whether its files differ from those of an older pin. What only one of them knows is not a difference."""
        return self.source != old.source or any(
            file.name != before.name or (file.sha256 and before.sha256 and file.sha256 != before.sha256)
            for name, file in (self.files or {}).items()
            if (before := (old.files or {}).get(name)) is not None
        )
