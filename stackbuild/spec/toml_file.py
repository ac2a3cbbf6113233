"""Read a TOML file; every failure is a `SpecError`, an error of syntax a `FaultySpec`."""

import errno
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stackbuild.errors import SpecError
from stackbuild.system.files import read_file
from stackbuild.system.toml import parse_toml

_MOST_BYTES = 16_000_000
"""A larger file is not read: nobody writes a specification like that."""


@dataclass(frozen=True, kw_only=True)
class TomlFile:
    """What is in a TOML file."""

    text: str
    table: dict[str, Any]


def read_toml(path: Path) -> dict[str, Any]:
    """The table in a TOML file (`~` in the path is expanded). Raises `SpecError`."""
    return read_toml_file(path).table


def read_toml_file(path: Path) -> TomlFile:
    """A TOML file (`~` in the path is expanded). Raises `SpecError`."""
    text = _read_text(path)
    try:
        return TomlFile(text=text, table=parse_toml(text))
    except ValueError as error:
        from stackbuild.spec.source_text import syntax_error  # slow to import, for the completion of names too slow

        raise syntax_error(path, text, str(error)) from None


def _read_text(path: Path) -> str:
    location = os.path.expanduser(path)
    if os.path.isdir(location):  # opening a folder fails differently on each system
        raise SpecError(f"{path}: a folder, not a file", hint=_file_in(path, location))
    try:
        text = read_file(location, most=_MOST_BYTES).decode("utf-8")
    except UnicodeDecodeError as error:
        raise SpecError(f"{path}: not UTF-8 text (byte {error.start})", hint="save the file as UTF-8") from None
    except FileNotFoundError:
        raise SpecError(f"{path}: there is no such file") from None
    except OSError as error:
        hint = "save it to a file first" if error.errno == errno.EINVAL else None  # a pipe or a device
        raise SpecError(f"{path}: cannot be read: {error.strerror}", hint=hint) from None
    except ValueError as error:  # a NUL in the path
        raise SpecError(f"{str(path)!r}: cannot be read: {error}") from None
    if text.startswith("\ufeff"):
        raise SpecError(f"{path}: starts with a byte order mark", hint="save the file as UTF-8 without one")
    return text


def _file_in(path: Path, folder: str) -> str:
    if os.path.isfile(os.path.join(folder, "venvstacks.toml")):
        return f"did you mean {path / 'venvstacks.toml'}?"
    return "give the path of the specification file"
