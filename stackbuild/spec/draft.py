"""Read a stack specification as far as possible, and collect every problem on the way.

The draft has a stand-in for a faulty layer, with the fields that could be read. So the layers that name it can still
be checked, and are not blamed for it. Only a draft without problems becomes a `StackSpec`.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from stackbuild.errors import SpecError
from stackbuild.spec.faults import FaultySpec, unreadable_file
from stackbuild.spec.layer_draft import LAYER_TYPES, DraftLayer, LayerReader
from stackbuild.spec.models import StackbuildSettings, StackSpec
from stackbuild.spec.places import Places
from stackbuild.spec.problems import Code, Problem, expected, near_word, quote, translate, without_guess
from stackbuild.spec.toml_file import TomlFile, read_toml_file
from stackbuild.spec.unsupported import unsupported_settings
from stackbuild.spec.uv_settings import UV_SETTINGS_FILE, UvSettings, UvSettingsReader
from stackbuild.system.toml import KeyPath
from stackbuild.targets.platforms import DEFAULT_MACOS_TARGET, default_macos_target, parse_macos_target


@dataclass(frozen=True, kw_only=True)
class StackDraft:
    """A specification as far as it could be read."""

    path: Path
    layers: tuple[DraftLayer, ...]
    uv: UvSettings
    settings: StackbuildSettings
    notices: tuple[Problem, ...]
    problems: tuple[Problem, ...]
    unnamed: frozenset[str]
    """The categories with layers whose names could not be read: an unknown name may be one of these."""
    index_names_known: bool
    """Whether every index name could be read."""
    places: Places

    def to_spec(self) -> StackSpec:
        """The specification. Only for a draft without problems."""
        found: dict[str, Any] = dict.fromkeys(LAYER_TYPES, ())
        for draft in self.layers:
            found[draft.category] = (*found[draft.category], draft.layer)
        return StackSpec.model_construct(
            path=self.path,
            folder=self.path.parent,
            **found,
            uv=self.uv,
            settings=self.settings,
            notices=tuple(self.notices),
        )


def read_draft(path: Path) -> StackDraft:
    """Read the specification at `path`, and without `[tool.uv]` also `venvstacks.uv.toml` beside it.

    Raises `SpecError` when the file cannot be read, as a `FaultySpec` when it is not TOML; everything else is in the
    draft's `problems`.
    """
    read = read_toml_file(path)
    absolute = Path(os.path.abspath(os.path.expanduser(path)))  # resolve() would follow symbolic links
    return _DraftReader(read, absolute).read()


class _DraftReader:
    """One reading of one file; collects problems and notices on the way."""

    def __init__(self, read: TomlFile, path: Path) -> None:
        self._table = read.table
        self._path = path
        self._texts = {path: read.text}
        self._problems: list[Problem] = []
        self._notices: list[Problem] = []
        self._unnamed: set[str] = set()

    def read(self) -> StackDraft:
        self._check_top_level()
        tools = self._tools()
        uv, index_names_known = self._uv(tools)
        settings = self._settings(tools)
        macos_target = self._macos_target()
        layers = tuple(
            layer for category in LAYER_TYPES for layer in self._layers(category, {"macosx_target": macos_target})
        )
        return StackDraft(
            path=self._path,
            layers=layers,
            uv=uv,
            settings=settings,
            notices=tuple(self._notices),
            problems=tuple(self._problems),
            unnamed=frozenset(self._unnamed),
            index_names_known=index_names_known,
            places=Places(self._path, self._texts),
        )

    def _report(
        self, sentence: str, *key_path: str | int, code: Code = Code.INVALID_VALUE, hint: str | None = None
    ) -> None:
        message, guess = without_guess(sentence)
        self._problems.append(Problem(code=code, key_path=key_path, message=message, hint=hint or guess))

    def _check_top_level(self) -> None:
        for key in self._table:
            if key in LAYER_TYPES or key == "tool":
                continue
            near = near_word(key, [*LAYER_TYPES, "tool"])
            hint = (
                f" — did you mean {quote(near)}?" if near else ", expected runtimes, frameworks, applications or tool"
            )
            self._report(f"unknown table{hint}", key, code=Code.UNKNOWN_FIELD)
            self._unnamed.update(LAYER_TYPES if near is None else [near])  # others may name layers that are in it

    def _tools(self) -> Mapping[str, Any]:
        tools = self._table.get("tool", {})
        if not isinstance(tools, dict):
            self._report(expected("a table", tools), "tool", code=Code.WRONG_TYPE)
            return {}
        for key in tools:
            # Other tools may have their tables here. Only a name that is almost ours can be meant for us.
            if key != "stackbuild" and near_word(key, ["stackbuild"], likeness=0.8):
                self._report('unknown table — did you mean "tool.stackbuild"?', "tool", key, code=Code.UNKNOWN_FIELD)
        return tools

    def _uv(self, tools: Mapping[str, Any]) -> tuple[UvSettings, bool]:
        """The uv settings, and whether every index name is known."""
        path = self._path
        key_path: KeyPath = ("tool", "uv")
        subject: str | None = None
        table: object
        if "uv" in tools:
            table = tools["uv"]
        else:
            path, key_path, subject = self._path.with_name(UV_SETTINGS_FILE), (), UV_SETTINGS_FILE
            if not os.path.lexists(path):
                return UvSettings(), True
            try:
                read = read_toml_file(path)
            except FaultySpec as error:
                self._problems.extend(replace(problem, subject=subject) for problem in error.problems)
                return UvSettings(), False
            except SpecError as error:
                self._problems.append(unreadable_file(path, error, subject=subject))
                return UvSettings(), False
            table, self._texts[path] = read.table, read.text
        if not isinstance(table, dict):
            self._report(expected("a table", table), *key_path, code=Code.WRONG_TYPE)
            return UvSettings(), False
        reader = UvSettingsReader(table, path=path, key_path=key_path, subject=subject)
        settings = reader.read()
        self._problems.extend(reader.problems)
        self._notices.extend(reader.notices)
        return settings, reader.index_names_known

    def _settings(self, tools: Mapping[str, Any]) -> StackbuildSettings:
        table = tools.get("stackbuild", {})
        if not isinstance(table, dict):
            self._report(expected("a table", table), "tool", "stackbuild", code=Code.WRONG_TYPE)
            return StackbuildSettings()
        try:
            settings = StackbuildSettings.model_validate(table)
        except ValidationError as error:
            for key_path, sentence, code in translate(error, StackbuildSettings.model_fields):
                self._report(sentence, "tool", "stackbuild", *key_path, code=code)
            return StackbuildSettings()
        for key, message in unsupported_settings(settings):
            self._report(message, "tool", "stackbuild", key, code=Code.UNSUPPORTED)
        return settings

    def _macos_target(self) -> str:
        target = default_macos_target()
        try:
            parse_macos_target(target)
        except ValueError as error:
            self._report(str(error), "MACOSX_DEPLOYMENT_TARGET", code=Code.INVALID_PROJECT)
            return DEFAULT_MACOS_TARGET
        return target

    def _layers(self, category: str, defaults: Mapping[str, Any]) -> Iterator[DraftLayer]:
        tables = self._table.get(category, [])
        if not isinstance(tables, list):
            wrong = expected("a list of tables", tables)
            self._report(wrong, category, code=Code.WRONG_TYPE, hint=f"write [[{category}]]")
            self._unnamed.add(category)
            return
        for position, table in enumerate(tables):
            if not isinstance(table, dict):
                self._report(expected("a table", table), category, position, code=Code.WRONG_TYPE)
                self._unnamed.add(category)
                continue
            reader = LayerReader(table, category=category, position=position, folder=self._path.parent)
            draft = reader.read(defaults)
            self._problems.extend(reader.problems)
            self._notices.extend(reader.notices)
            if draft.name is None:
                self._unnamed.add(category)
            yield draft
