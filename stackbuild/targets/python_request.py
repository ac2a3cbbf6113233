"""The Python that a runtime layer asks for: the parsed form of `python_implementation`. Pure."""

import re
from dataclasses import dataclass
from typing import Self

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from stackbuild.targets.pythons import PinnedPython, PythonKind

_FORM = re.compile(
    r"(?P<implementation>[a-z][a-z0-9_]*)@(?P<versions>[^@+]+?)(?P<freethreaded>\+freethreaded)?", re.ASCII
)
_LONGEST = 200
"""How many characters a request may have."""
_FULL_RELEASE = 3
"""How many numbers the version of one release of Python has: X.Y.Z."""


@dataclass(frozen=True, kw_only=True)
class PythonRequest:
    """A Python implementation and the acceptable versions of it."""

    implementation: str
    """Lower case: `cpython`, `pypy`, `graalpy`."""
    specifier: SpecifierSet
    """`==3.11.13` for an exact request, `==3.11.*` for a feature release, else as written."""
    freethreaded: bool = False
    text: str
    """What the specification says, for messages."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `cpython@3.11.13`, `cpython@3.11`, `cpython@>=3.11,<3.14` or `cpython@3.13.2+freethreaded`.

        Raises `ValueError` with a sentence for the person who wrote the text.
        """
        if len(text) > _LONGEST:
            raise ValueError(f"longer than {_LONGEST} characters: write for example 'cpython@3.11'")
        form = _FORM.fullmatch(text.strip())
        if form is None:
            raise ValueError(
                f"{text!r} does not name a Python: write the implementation, '@' and a version, "
                "such as 'cpython@3.11.13', 'cpython@3.11', 'cpython@>=3.11,<3.14' or 'cpython@3.13.2+freethreaded'"
            )
        return cls(
            implementation=form["implementation"],
            specifier=_parse_versions(form["versions"].strip(), text=text),
            freethreaded=form["freethreaded"] is not None,
            text=text,
        )

    @property
    def kind(self) -> PythonKind:
        """Raises `ValueError` for an implementation that is not known, or that has no free-threaded build."""
        return PythonKind.of(self.implementation, freethreaded=self.freethreaded)

    @property
    def exact_version(self) -> str | None:
        """`3.11.13` when only this release is acceptable, else `None`."""
        only = list(self.specifier)
        if len(only) != 1 or only[0].operator != "==" or only[0].version.endswith(".*"):
            return None
        version = Version(only[0].version)
        return str(version) if len(version.release) == _FULL_RELEASE else None

    @property
    def highest_named(self) -> str:
        """The highest version that the request names: `3.14` of `>=3.11,<3.14`."""
        return max((spec.version.removesuffix(".*") for spec in self.specifier), key=Version)

    def accepts(self, version: str) -> bool:
        """Whether a Python of this version (`3.11.7`) is acceptable; pre-releases only when the request names one."""
        return self.specifier.contains(version, prereleases=bool(self.specifier.prereleases))

    def fits(self, python: PinnedPython) -> bool:
        """Whether this Python will do: its kind, never a free-threaded one for a default request, and its version."""
        return python.kind is self.kind and self.accepts(python.version)

    def __str__(self) -> str:
        return self.text


def _parse_versions(versions: str, *, text: str) -> SpecifierSet:
    """The versions part of a request: a full version, a feature release `X.Y`, or a PEP 440 specifier set."""
    if not versions[0].isdigit():
        try:
            return SpecifierSet(versions)
        except InvalidSpecifier:
            raise ValueError(
                f"{text!r}: {versions!r} is not a version specifier: write for example '>=3.11,<3.14'"
            ) from None
    try:
        version = Version(versions)
    except InvalidVersion:
        raise ValueError(f"{text!r}: {versions!r} is not a version: write for example '3.11.13' or '3.11'") from None
    if len(version.release) == _FULL_RELEASE:
        return SpecifierSet(f"=={version}")
    if len(version.release) == _FULL_RELEASE - 1 and version.is_prerelease is False:
        return SpecifierSet(f"=={version}.*")
    raise ValueError(
        f"{text!r}: {versions!r} is not a version of Python: write X.Y.Z or X.Y, such as '3.11.13' or '3.11'"
    )
