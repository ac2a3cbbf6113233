"""Wheels on this machine that a lock names: whether they exist and are still those that were locked. Only reads."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stackbuild.system.files import sha256_file
from stackbuild.system.toml import parse_toml


def unusable_wheels(pylock: Path, *, named_in: str) -> Iterator[str]:
    """A line for each local wheel of a lock file that is missing or does not match its recorded hash.

    Only for packages that are named in the text: wheels for other platforms need not exist here.
    """
    for package in parse_toml(pylock.read_text(encoding="utf-8")).get("packages", ()):
        if not re.search(rf"(?<![\w.-]){re.escape(package['name'])}(?![\w-])", named_in):
            continue
        for wheel in package.get("wheels", ()):
            if "path" in wheel and (problem := _problem(Path(os.path.normpath(pylock.parent / wheel["path"])), wheel)):
                yield f"{problem} ({package['name']} {package.get('version', '')})"


def _problem(path: Path, wheel: Mapping[str, Any]) -> str | None:
    try:
        found = sha256_file(path)
    except OSError:
        return f"{path} cannot be read" if path.exists() else f"{path} is missing"
    expected = wheel["hashes"].get("sha256", found)
    return None if found == expected else f"{path} has other content than when it was locked: {found}, not {expected}"
