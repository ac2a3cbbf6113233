"""The field types of the stack specification: each reads one TOML value and says in plain words what is wrong.

All raise `ValueError` with a sentence for the user. Values that are parsed already pass through unchanged, so that
layers can be made in code as well. Each has a JSON Schema too, as near as one comes, that refuses nothing sound.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from packaging.requirements import Requirement
from packaging.utils import InvalidName, NormalizedName, canonicalize_name
from pydantic import AfterValidator, BeforeValidator, GetPydanticSchema, StrictStr, ValidationInfo, WithJsonSchema
from pydantic_core import core_schema

from stackbuild.spec.problems import Code, FieldError, expected, quote, unknown_word
from stackbuild.spec.requirements import read_requirement
from stackbuild.targets.platforms import (
    PYTHON_IMPLEMENTATIONS,
    LinuxTarget,
    TargetPlatform,
    meant_platform,
    parse_macos_target,
)
from stackbuild.targets.python_request import PythonRequest

T = TypeVar("T")

# Prefix, version, archive suffix and lock file name are added to a name; most file systems end at 255 bytes.
_LONGEST_NAME = 200

# Patterns of the JSON Schema, in the dialect of JavaScript.
_LAYER_NAME = r"^(?!\.|__venvstacks__$)[^/\\:\u0000-\u001f\u007f-\u009f]+$"
_PACKAGE_NAME = r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$"
# What stands after the name is told apart by its first character; the rest is left to the reader of the file.
_REQUIREMENT = r"^\s*[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\s*(\[[^\]]*\]\s*)?([(@;<>].*|[~=!]=.*)?$"
_LINUX_TARGET = r"^(glibc|musl)(@[0-9]+\.[0-9]+)?$"
_MACOSX_TARGET = r"^[0-9]+(\.[0-9]+){0,2}$"
_PYTHON_IMPLEMENTATION = (
    rf"^\s*({'|'.join(PYTHON_IMPLEMENTATIONS)})@\s*([0-9]+\.[0-9]|[~=!<>])[0-9A-Za-z.*~=!<>,\s]*(\+freethreaded)?\s*$"
)


def _wrong_type(what: str, value: object) -> ValueError:
    # Not a TypeError: pydantic takes that for a bug in the validator.
    return FieldError(expected(what, value), Code.WRONG_TYPE)


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise _wrong_type("a string", value)
    return value


def _layer_name(name: str) -> str:
    if not name:
        raise ValueError("a name must not be empty")
    if name in (".", ".."):
        raise ValueError(f"{quote(name)} is not a name: layers become folders of that name")
    if name.startswith(".") or name == "__venvstacks__":  # as what is kept beside layers, and unfinished ones
        raise ValueError(f"{quote(name)} cannot be the name of a layer: stackbuild uses such names itself")
    # A colon is a drive on Windows and separates search paths elsewhere.
    bad = next((char for char in name if char in "/\\:" or char < " " or "\x7f" <= char <= "\x9f"), None)
    if bad is not None:
        raise ValueError(f"{quote(name)} cannot be the name of a folder: it contains {quote(bad)}")
    if len(name.encode()) > _LONGEST_NAME:
        raise ValueError(f"the name is longer than {_LONGEST_NAME} bytes, which leaves no room for file names")
    return name


def _requirement(value: object) -> Requirement:
    return value if isinstance(value, Requirement) else read_requirement(_string(value))


def _platform(value: object) -> TargetPlatform:
    return known_platform(_string(value))


def known_platform(text: str) -> TargetPlatform:
    """The platform with this name. Raises `ValueError` with the one that is meant."""
    try:
        return TargetPlatform(text)
    except ValueError:
        meant = meant_platform(text)
        unknown = unknown_word("platform", text, sorted(TargetPlatform))
        raise ValueError(f"unknown platform {quote(text)}: write {quote(meant)}" if meant else unknown) from None


def _checked(parse: Callable[[str], object]) -> Callable[[str], str]:
    def check(text: str) -> str:
        parse(text)
        return text

    return check


def _python_implementation(text: str) -> str:
    if "@" in text and not text.partition("@")[2].removesuffix("+freethreaded").strip():
        raise ValueError(f"{quote(text)} names no version")
    implementation = PythonRequest.parse(text).implementation
    if implementation not in PYTHON_IMPLEMENTATIONS:
        raise ValueError(unknown_word("Python implementation", implementation, PYTHON_IMPLEMENTATIONS))
    return text


def _version_text(value: object) -> object:
    # venvstacks takes bare numbers too: `macosx_target = 14`.
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _package_name(value: object) -> NormalizedName:
    text = _string(value)
    try:
        return canonicalize_name(text, validate=True)
    except InvalidName:
        raise ValueError(f"{quote(text)} is not a package name") from None


def normalize_package_names(table: Mapping[str, T]) -> dict[NormalizedName, T]:
    """The table with normalised package names as keys. Two spellings of one package are an error."""
    spellings: dict[NormalizedName, str] = {}
    for spelling in table:
        name = canonicalize_name(spelling)
        if name in spellings:
            raise FieldError(f"{quote(spellings[name])} and {quote(spelling)} are the same package", Code.NAME_CLASH)
        spellings[name] = spelling
    return {name: table[spelling] for name, spelling in spellings.items()}


def absolute_path(text: str, folder: Path) -> Path:
    """A path of the specification, made absolute relative to `folder`: `~` expanded, `..` removed lexically."""
    try:
        expanded = os.path.expanduser(text)
    except (ValueError, RuntimeError):  # a NUL in a user's name
        expanded = text
    return Path(os.path.normpath(folder / expanded))


def _module_path(value: object, info: ValidationInfo) -> Path:
    text = str(value) if isinstance(value, Path) else _string(value)
    if not text or "\0" in text:
        raise ValueError(f"{quote(text)} is not a path")
    folder = (info.context or {}).get("folder", Path())
    path = absolute_path(text, folder)
    if not path.is_absolute():
        raise ValueError(f"{quote(text)} is not an absolute path")
    return path


def _module_paths(value: object, info: ValidationInfo) -> tuple[Path, ...]:
    if not isinstance(value, list | tuple):
        raise _wrong_type("a list of strings", value)
    return tuple(_module_path(text, info) for text in sorted(value, key=_path_text))


def _path_text(value: object) -> str:
    return str(value) if isinstance(value, Path) else _string(value)


def _scripts(value: object) -> bool | tuple[str, ...]:
    if isinstance(value, bool):
        return value
    if isinstance(value, list | tuple):
        return tuple(_string(name) for name in value)
    raise _wrong_type("true, false or a list of names", value)


def known_word(what: str, value: object, values: tuple[str, ...]) -> str:
    """The value, which has to be one of these."""
    text = _string(value)
    if text not in values:
        raise ValueError(unknown_word(what, text, values))
    return text


def _read_by(read: Callable[..., object], schema: dict[str, Any], *, with_info: bool = False) -> GetPydanticSchema:
    """Marks a value that `read` makes of a TOML value; `schema` describes the TOML values that it takes.

    A `PlainValidator` would do, but builds serializers for the declared type, which nobody needs, in every run.
    """
    validator = (
        core_schema.with_info_plain_validator_function if with_info else core_schema.no_info_plain_validator_function
    )
    return GetPydanticSchema(lambda _type, _handler: validator(read), lambda _schema, _handler: dict(schema))


def one_of(what: str, values: tuple[str, ...]) -> GetPydanticSchema:
    """Marks a string with a fixed set of values."""
    return _read_by(lambda value: known_word(what, value, values), {"type": "string", "enum": [*values]})


def one_or_several(what: str, values: tuple[str, ...]) -> GetPydanticSchema:
    """Marks a string with a fixed set of values, or a list of such strings; read as a tuple, each value once."""

    def check(value: object) -> tuple[str, ...]:
        if not isinstance(value, str | list | tuple):
            raise _wrong_type("a string or a list of strings", value)
        if not value:
            raise ValueError(f"an empty list: name at least one {what}")
        return _words(what, [value] if isinstance(value, str) else value, values)

    several = {"type": "array", "items": {"enum": [*values]}, "minItems": 1}
    return _read_by(check, {"anyOf": [{"type": "string", "enum": [*values]}, several]})


def some_of(what: str, values: tuple[str, ...]) -> GetPydanticSchema:
    """Marks a list, empty or not, of strings with a fixed set of values; read as a tuple, each value once."""

    def check(value: object) -> tuple[str, ...]:
        if not isinstance(value, list | tuple):
            raise _wrong_type("a list of strings", value)
        return _words(what, value, values)

    return _read_by(check, {"type": "array", "items": {"enum": [*values]}})


def _words(what: str, items: Iterable[object], values: tuple[str, ...]) -> tuple[str, ...]:
    words = dict.fromkeys(map(_string, items))
    return tuple(known_word(what, word, values) for word in words)


_PATH = {"type": "string", "minLength": 1}

NameField = Annotated[
    StrictStr,
    AfterValidator(_layer_name),
    WithJsonSchema({"type": "string", "pattern": _LAYER_NAME, "maxLength": _LONGEST_NAME}),
]
RequirementField = Annotated[Requirement, _read_by(_requirement, {"type": "string", "pattern": _REQUIREMENT})]
PlatformField = Annotated[TargetPlatform, _read_by(_platform, {"type": "string", "enum": [*map(str, TargetPlatform)]})]
LinuxTargetField = Annotated[
    StrictStr,
    AfterValidator(_checked(LinuxTarget.parse)),
    WithJsonSchema({"type": "string", "pattern": _LINUX_TARGET}),
]
MacosTargetField = Annotated[
    StrictStr,
    BeforeValidator(_version_text),
    AfterValidator(_checked(parse_macos_target)),
    WithJsonSchema({"type": ["string", "number"], "pattern": _MACOSX_TARGET, "minimum": 0}),
]
PythonImplementationField = Annotated[
    StrictStr,
    AfterValidator(_python_implementation),
    WithJsonSchema({"type": "string", "pattern": _PYTHON_IMPLEMENTATION}),
]
PackageNameField = Annotated[NormalizedName, _read_by(_package_name, {"type": "string", "pattern": _PACKAGE_NAME})]
PackageIndexesField = Annotated[dict[NormalizedName, StrictStr], AfterValidator(normalize_package_names)]
ModulePathField = Annotated[Path, _read_by(_module_path, _PATH, with_info=True)]
ModulePathsField = Annotated[
    tuple[Path, ...], _read_by(_module_paths, {"type": "array", "items": _PATH}, with_info=True)
]
ScriptsField = Annotated[
    bool | tuple[str, ...], _read_by(_scripts, {"type": ["boolean", "array"], "items": {"type": "string"}})
]
