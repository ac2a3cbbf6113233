"""Where a problem is in its file. Only asked when there is a problem: most runs never look. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from stackbuild.spec.problems import Code, Problem

if TYPE_CHECKING:
    from stackbuild.spec.source_text import SourceText

_ABOUT_KEYS = frozenset({Code.UNKNOWN_FIELD, Code.LEGACY_FIELD, Code.WITHOUT_EFFECT})
"""Problems of keys, whatever their values are."""


class Places:
    """Finds the places of problems in the texts of a specification and of the uv settings beside it.

    The texts are valid TOML. Each is looked through when the first problem in it is looked for.
    """

    def __init__(self, specification: Path, texts: Mapping[Path, str]) -> None:
        self._specification = specification
        self._texts = texts
        self._read: dict[Path, SourceText] = {}

    def of(self, problem: Problem) -> Problem:
        """The problem with its file, and with its place there if it has one and does not have it already.

        What is about no file stays as it is.
        """
        if problem.code is Code.INVALID_PROJECT:
            return problem
        file = problem.file or self._specification
        if problem.place is not None or file not in self._texts:
            return replace(problem, file=file)
        from stackbuild.spec.source_text import SourceText  # most runs need it not

        if file not in self._read:
            self._read[file] = SourceText(self._texts[file])
        place = self._read[file].place(problem.key_path, of_key=problem.code in _ABOUT_KEYS)
        return replace(problem, file=file, place=place)
