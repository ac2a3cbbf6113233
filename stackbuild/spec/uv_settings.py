"""The uv settings of a stack: the `[tool.uv]` table of the specification, else `venvstacks.uv.toml` beside it."""

import os
import re
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.markers import InvalidMarker, Marker, UndefinedComparison, UndefinedEnvironmentName
from packaging.utils import NormalizedName
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictStr, ValidationError

from stackbuild.spec.exclude_newer import parse_exclude_newer
from stackbuild.spec.fields import absolute_path, normalize_package_names
from stackbuild.spec.problems import Code, Problem, expected, quote, translate, unknown_word, without_guess
from stackbuild.spec.url_secrets import secret_problem
from stackbuild.spec.uv_keys import LIST_KEYS, WITHOUT_EFFECT, wrong_type
from stackbuild.system.toml import KeyPath
from stackbuild.targets.platforms import TargetPlatform

UV_SETTINGS_FILE = "venvstacks.uv.toml"

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")  # two letters at least: one is a drive of Windows
_SOME_ENVIRONMENT = TargetPlatform.LINUX_X86_64.marker_environment(python_version="3.11.0", implementation="cpython")
"""A marker that can be evaluated here can be evaluated for every platform and Python."""


class UvIndex(BaseModel):
    """A package index.

    One `[[tool.uv.index]]` table. Keys that are not named here are kept as given (`model_extra`).
    """

    model_config = ConfigDict(frozen=True, extra="allow", defer_build=True)

    url: StrictStr = Field(
        description="Where the index is: an address, or a folder relative to this file.",
        examples=["https://packages.example/simple", "./wheels"],
    )
    name: StrictStr | None = Field(
        default=None,
        description="What `sources`, `package_indexes` and `priority_indexes` call the index.",
        examples=["pytorch-cpu"],
    )
    default: StrictBool = Field(default=False, description="Asked last, and instead of PyPI.", examples=[True])
    explicit: StrictBool = Field(
        default=False,
        description="Asked only for packages that are said to come from it.",
        examples=[True],
    )

    def to_toml(self) -> dict[str, Any]:
        """The table as it was given, with an absolute path where the URL is a path."""
        return self.model_dump(exclude_unset=True)


def _host(location: str) -> str | None:
    try:
        return urllib.parse.urlsplit(location).hostname
    except ValueError:  # uv tells what is wrong with it
        return None


@dataclass(frozen=True, kw_only=True)
class UvSource:
    """The index of a package, perhaps under a marker only: one entry of `sources`."""

    index: str
    marker: str | None = None

    def to_toml(self) -> dict[str, str]:
        """The entry as uv reads it."""
        return {"index": self.index} if self.marker is None else {"index": self.index, "marker": self.marker}


class UvSettings(BaseModel):
    """What uv is told when it locks, beside what stackbuild always sets.

    path: the file that the settings stand in, None when there are none; given: the table as it stands there, without
    keys that have no effect; indexes: in the order given; sources: package → its indexes; other: every other key as
    given, relative paths of `cache-dir`, of indexes and of places with wheels or Pythons made absolute.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path | None = None
    given: dict[str, Any] = {}
    indexes: tuple[UvIndex, ...] = ()
    sources: dict[NormalizedName, tuple[UvSource, ...]] = {}
    exclude_newer: str | None = None
    other: dict[str, Any] = {}

    @property
    def named_indexes(self) -> dict[str, UvIndex]:
        """The indexes that have a name, by name, in the order given."""
        return {index.name: index for index in self.indexes if index.name}

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts that are asked for packages, each once: those of indexes, and of pages with links to wheels."""
        asked: list[str] = [] if self.other.get("no-index") else self._index_urls()
        named = map(_host, (*asked, *self.other.get("find-links", ())))
        return tuple(dict.fromkeys(host for host in named if host))

    def _index_urls(self) -> list[str]:
        given = [index.url for index in self.indexes]
        given += self.other.get("extra-index-url", ())
        if default := self.other.get("index-url"):
            return [*given, default]
        return given if any(index.default for index in self.indexes) else [*given, "https://pypi.org/simple"]


class UvSettingsReader:
    """Reads one table of uv settings; `problems` holds what is wrong with it, `notices` what has no effect.

    path: the file it stands in; key_path: where in that file; subject: see `Problem`;
    index_names_known: False when an index that could not be read may have any name.
    """

    def __init__(self, table: Mapping[str, Any], *, path: Path, key_path: KeyPath, subject: str | None) -> None:
        self.problems: list[Problem] = []
        self.notices: list[Problem] = []
        self.index_names_known = True
        self._table = table
        self._path = path
        self._key_path = key_path
        self._subject = subject

    def read(self) -> UvSettings:
        """The settings; what is faulty is left out and reported in `problems`."""
        self._table = {key: value for key, value in self._table.items() if not self._is_without_effect(key)}
        self._check_secrets((), self._table)
        indexes = tuple(self._indexes(self._table.get("index", [])))
        names = [index.name for index in indexes if index.name]
        return UvSettings(
            path=self._path,
            given=dict(self._table),
            indexes=indexes,
            sources=self._sources(self._table.get("sources", {}), names),
            exclude_newer=self._exclude_newer(),
            other=dict(self._other()),
        )

    def _report(self, key_path: KeyPath, sentence: str, code: Code = Code.INVALID_VALUE) -> None:
        message, guess = without_guess(sentence)
        self.problems.append(self._problem(key_path, message, code, hint=guess))

    def _problem(self, key_path: KeyPath, message: str, code: Code, *, hint: str | None) -> Problem:
        return Problem(
            code=code,
            key_path=(*self._key_path, *key_path),
            message=message,
            hint=hint,
            subject=self._subject,
            file=self._path if self._subject else None,
        )

    def _is_without_effect(self, key: str) -> bool:
        if key not in WITHOUT_EFFECT:
            return False
        self.notices.append(self._problem((key,), "has no effect here", Code.WITHOUT_EFFECT, hint="remove it"))
        return True

    def _check_secrets(self, key_path: KeyPath, value: object) -> None:
        match value:
            case str() if sentence := secret_problem(value):
                self._report(key_path, sentence, Code.SECRET_IN_URL)
            case dict():
                for key, item in value.items():
                    self._check_secrets((*key_path, key), item)
            case list():
                for place, item in enumerate(value):
                    self._check_secrets((*key_path, place), item)

    def _indexes(self, tables: object) -> Iterator[UvIndex]:
        if not isinstance(tables, list):
            self._report(("index",), expected("a list of tables", tables), Code.WRONG_TYPE)
            self.index_names_known = False
            return
        names: set[str] = set()
        for position, table in enumerate(tables):
            key_path = ("index", position)
            if not isinstance(table, dict):
                self._report(key_path, expected("a table", table), Code.WRONG_TYPE)
                self.index_names_known = False
                continue
            try:
                index = UvIndex.model_validate(table)
            except ValidationError as error:
                for relative, sentence, code in translate(error, UvIndex.model_fields):
                    self._report((*key_path, *relative), sentence, code)
                self.index_names_known = False
                continue
            if index.name and index.name in names:
                taken = f"there is an index {quote(index.name)} already"
                self._report((*key_path, "name"), taken, Code.NAME_CLASH)
            names.add(index.name or "")
            yield index.model_copy(update={"url": self._location(index.url)})

    def _sources(self, table: object, index_names: list[str]) -> dict[NormalizedName, tuple[UvSource, ...]]:
        if not isinstance(table, dict):
            self._report(("sources",), expected("a table", table), Code.WRONG_TYPE)
            return {}
        sources: dict[str, tuple[UvSource, ...]] = {}
        for package, given in table.items():
            key_path = ("sources", package)
            if isinstance(given, list):
                read = [self._source(item, (*key_path, place), index_names) for place, item in enumerate(given)]
            else:
                read = [self._source(given, key_path, index_names)]
            sources[package] = tuple(source for source in read if source is not None)
        try:
            return normalize_package_names(sources)
        except ValueError as error:
            self._report(("sources",), str(error), Code.NAME_CLASH)
            return {}

    def _source(self, given: object, key_path: KeyPath, index_names: list[str]) -> UvSource | None:
        if isinstance(given, dict) and given.keys() <= {"index", "marker"}:
            name, marker = given.get("index"), given.get("marker")
            if isinstance(name, str) and isinstance(marker, str | None):
                if name not in index_names and self.index_names_known:
                    unknown_index = unknown_word("index", name, index_names)
                    self._report((*key_path, "index"), unknown_index, Code.UNKNOWN_NAME)
                if marker is not None:
                    self._check_marker((*key_path, "marker"), marker)
                return UvSource(index=name, marker=marker)
        self._report(key_path, 'only { index = "<name>" } can be a source here, with a marker if need be')
        return None

    def _exclude_newer(self) -> str | None:
        value = self._table.get("exclude-newer")
        if value is None:
            return None
        if not isinstance(value, str):
            self._report(("exclude-newer",), f"{expected('a string', value)}: put it in quotes", Code.WRONG_TYPE)
            return None
        try:
            parse_exclude_newer(value)
        except ValueError as error:
            self._report(("exclude-newer",), str(error))
        return value

    def _other(self) -> Iterator[tuple[str, Any]]:
        for key, value in self._table.items():
            if key not in ("index", "sources", "exclude-newer"):
                yield key, self._checked(key, value)

    def _checked(self, key: str, value: object) -> object:
        """The value of another key, paths made absolute; what is faulty is reported."""
        match key:
            case "environments" | "required-environments":
                self._check_environments(key, value)
            case "find-links" | "extra-index-url":
                return [self._location(text) for _, text in self._strings(key, value)]
            case "cache-dir" if self._is_string((key,), value):
                return os.fspath(absolute_path(str(value), self._path.parent))
            case "index-url" | "python-downloads-json-url" | "python-install-mirror" | "pypy-install-mirror" if (
                self._is_string((key,), value)
            ):
                return self._location(str(value))
            case _ if key in LIST_KEYS:
                return [text for _, text in self._strings(key, value)]
            case _ if sentence := wrong_type(key, value):
                self._report((key,), sentence, Code.WRONG_TYPE)
        return value

    def _is_string(self, key_path: KeyPath, value: object) -> bool:
        if isinstance(value, str):
            return True
        self._report(key_path, expected("a string", value), Code.WRONG_TYPE)
        return False

    def _strings(self, key: str, value: object) -> list[tuple[KeyPath, str]]:
        """The strings of a list, each with its key path."""
        if not isinstance(value, list):
            self._report((key,), expected("a list of strings", value), Code.WRONG_TYPE)
            return []
        return [((key, place), item) for place, item in enumerate(value) if self._is_string((key, place), item)]

    def _check_environments(self, key: str, value: object) -> None:
        """One marker, or a list of them."""
        if not isinstance(value, str | list):
            self._report((key,), expected("a marker or a list of markers", value), Code.WRONG_TYPE)
            return
        for key_path, text in [((key,), value)] if isinstance(value, str) else self._strings(key, value):
            self._check_marker(key_path, text)

    def _check_marker(self, key_path: KeyPath, text: str) -> None:
        try:
            Marker(text).evaluate(_SOME_ENVIRONMENT)
        except InvalidMarker as error:
            self._report(key_path, f"{quote(text)} is not a marker: {str(error).splitlines()[0]}")
        except RecursionError:
            self._report(key_path, f"{quote(text)} is not a marker: nested too deeply")
        except (UndefinedComparison, UndefinedEnvironmentName, ValueError):
            self._report(key_path, f"{quote(text)} compares what cannot be compared")

    def _location(self, text: str) -> str:
        """A URL as given; a path made absolute relative to the folder of the settings' file."""
        if _URL.match(text) or text.startswith("${"):  # uv fills in environment variables
            return text
        return os.fspath(absolute_path(text, self._path.parent))
