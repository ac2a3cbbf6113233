"""The interpreter and ABI tags of wheels that fit a kind of Python. Pure; see the platform compatibility tags."""

import re
from dataclasses import dataclass
from functools import cached_property

from stackbuild.targets.pythons import PythonKind

_OTHER_IMPLEMENTATIONS = {
    PythonKind.PYPY: ("pp", r"pypy{}_pp\w+"),
    PythonKind.GRAALPY: ("graalpy", r"graalpy\w+_{}_native"),
}
"""Name in interpreter tags and form of ABI tags, which also contain a version of the implementation itself."""


@dataclass(frozen=True, kw_only=True)
class PythonTags:
    """The tags that fit a Python of this kind and feature release (major, minor)."""

    kind: PythonKind
    feature: tuple[int, int]

    def take(self, interpreter: str, abi: str) -> bool:
        """Whether a wheel with these tags may fit. The versions of PyPy and GraalPy themselves are not compared."""
        if (interpreter, abi) in self._fixed:
            return True
        _, abi_form = _OTHER_IMPLEMENTATIONS.get(self.kind, (None, None))
        if abi_form is None:
            return False
        return interpreter == self._interpreter and re.fullmatch(abi_form.format(self._version), abi) is not None

    @property
    def _version(self) -> str:
        return "{}{}".format(*self.feature)

    @property
    def _interpreter(self) -> str:
        name, _ = _OTHER_IMPLEMENTATIONS.get(self.kind, ("cp", None))
        return f"{name}{self._version}"

    @cached_property
    def _fixed(self) -> frozenset[tuple[str, str]]:
        from packaging.tags import Tag, compatible_tags, cpython_tags  # slow, and only resolving needs it

        tags = list(compatible_tags(self.feature, interpreter=self._interpreter, platforms=["any"]))
        if self.kind in _OTHER_IMPLEMENTATIONS:
            any_release = self._interpreter.removesuffix(str(self.feature[1]))
            tags += [Tag(name, "none", "any") for name in (self._interpreter, any_release)]
        else:
            abi = f"{self._interpreter}t" if self.kind.freethreaded else self._interpreter
            tags += cpython_tags(self.feature, abis=[abi], platforms=["any"])
        return frozenset((tag.interpreter, tag.abi) for tag in tags)
