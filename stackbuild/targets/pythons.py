"""The Python that a runtime is locked to: its kind, its version, and the names of its files. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

_FREETHREADED = "+freethreaded"


def short_version(version: str) -> str:
    """The feature release of a version of Python: `3.13` of `3.13.2`."""
    return ".".join(version.split(".")[:2])


def feature_numbers(version: str) -> tuple[int, int]:
    """The numbers of the feature release of a version of Python: 3 and 13 of `3.13.2`."""
    major, minor = short_version(version).split(".")
    return int(major), int(minor)


class PythonKind(StrEnum):
    """What wheels, file names and virtual environments distinguish: the implementation, and CPython's two builds."""

    CPYTHON = "cpython"
    FREETHREADED_CPYTHON = "cpython+freethreaded"
    PYPY = "pypy"
    GRAALPY = "graalpy"

    @classmethod
    def of(cls, implementation: str, *, freethreaded: bool) -> Self:
        """Raises `ValueError` when there is no such Python."""
        return cls(f"{implementation}{_FREETHREADED if freethreaded else ''}")

    @property
    def implementation(self) -> str:
        """`cpython`, `pypy` or `graalpy`."""
        return self.value.removesuffix(_FREETHREADED)

    @property
    def freethreaded(self) -> bool:
        return self is PythonKind.FREETHREADED_CPYTHON

    def library(self, short_version: str) -> str:
        """The name of the folder in `lib` that contains the standard library, on POSIX. `short_version`: `X.Y`."""
        if self is PythonKind.PYPY:
            return f"pypy{short_version}"
        return f"python{short_version}{'t' if self.freethreaded else ''}"

    def other_commands(self, short_version: str) -> tuple[str, ...]:
        """The other names, beside `python`, that a virtual environment has for its Python. `short_version`: `X.Y`."""
        names = (f"python{short_version.partition('.')[0]}", f"python{short_version}")
        own = {
            PythonKind.FREETHREADED_CPYTHON: f"python{short_version}t",
            PythonKind.PYPY: f"pypy{short_version}",
            PythonKind.GRAALPY: "graalpy",
        }
        return (*names, own[self]) if self in own else names


@dataclass(frozen=True, kw_only=True)
class PinnedPython:
    """One release of one kind of Python. `version` is full: `3.13.2`."""

    kind: PythonKind = PythonKind.CPYTHON
    version: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the form used in pins: `cpython@3.13.2`, `cpython@3.13.2+freethreaded`, `pypy@3.11.11`.

        Raises `ValueError` for an implementation that is not known.
        """
        implementation, _, release = text.partition("@")
        version = release.removesuffix(_FREETHREADED)
        return cls(kind=PythonKind.of(implementation, freethreaded=version != release), version=version)

    @classmethod
    def parse_release(cls, text: str) -> Self:
        """Read the form that `release` returns."""
        return cls.parse(text if "@" in text else f"{PythonKind.CPYTHON}@{text}")

    @property
    def short_version(self) -> str:
        """`X.Y`."""
        return short_version(self.version)

    @property
    def release(self) -> str:
        """The form used in records: `3.13.2`, `3.13.2+freethreaded`; for other implementations all, `pypy@3.11.11`."""
        return str(self).removeprefix(f"{PythonKind.CPYTHON}@")

    @property
    def feature_release(self) -> Self:
        """The same without the last number: what wheels, markers and folder names depend on."""
        return type(self)(kind=self.kind, version=self.short_version)

    def __str__(self) -> str:
        build = _FREETHREADED if self.kind.freethreaded else ""
        return f"{self.kind.implementation}@{self.version}{build}"


OLDEST_CPYTHON, NEWEST_CPYTHON = (3, 10), (3, 15)
"""The first and the last feature release that can be a base runtime."""
