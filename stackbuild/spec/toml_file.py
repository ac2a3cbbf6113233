"""Read a TOML file; every failure is a `SpecError`."""

import os
import tomllib
from pathlib import Path
from typing import Any

from stackbuild.errors import SpecError


def read_toml(path: Path) -> dict[str, Any]:
    """The table in a TOML file (`~` in the path is expanded). Raises `SpecError`."""
    text = _read_text(path)
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise SpecError(f"{path}: not valid TOML: nested too deeply") from None
    except ValueError as error:  # TOMLDecodeError, and Python's limit on the digits of an integer
        raise SpecError(f"{path}: not valid TOML: {error}") from None


def _read_text(path: Path) -> str:
    location = os.path.expanduser(path)
    if os.path.isdir(location):  # opening a folder fails differently on each system
        raise SpecError(f"{path}: a folder, not a file", hint=_file_in(path, location))
    try:
        with open(location, "rb") as file:
            text = file.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise SpecError(f"{path}: not UTF-8 text (byte {error.start})", hint="save the file as UTF-8") from None
    except FileNotFoundError:
        raise SpecError(f"{path}: there is no such file") from None
    except OSError as error:
        raise SpecError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:  # a NUL in the path
        raise SpecError(f"{str(path)!r}: cannot be read: {error}") from None
    if text.startswith("\ufeff"):
        raise SpecError(f"{path}: starts with a byte order mark", hint="save the file as UTF-8 without one")
    return text


def _file_in(path: Path, folder: str) -> str:
    if os.path.isfile(os.path.join(folder, "venvstacks.toml")):
        return f"did you mean {path / 'venvstacks.toml'}?"
    return "give the path of the specification file"
