"""Undo, in a copy of Debian's or Ubuntu's Python, what leads to `dist-packages` instead of `site-packages`.

The edits are small and exact: an unexpected text is refused, there is no guessing.
"""

from collections.abc import Callable
from pathlib import Path

from packaging.version import Version

from stackbuild.errors import RuntimeSourceError
from stackbuild.runtimes.interpreters import Interpreter
from stackbuild.system.files import replace_bytes

_FROZEN_SITE_SINCE = Version("3.11")
_SITE_FOLDERS = tuple(
    f'{name},\n                                    "dist-packages")\n'
    for name in (
        '"python%d.%d" % sys.version_info[:2]',
        'f"{implementation}{ver[0]}.{ver[1]}{abi_thread}"',  # in 3.14 and 3.15
    )
)


def restore_upstream_layout(library: Path, interpreter: Interpreter) -> None:
    """Edit the copied standard library in `library` so that packages are where upstream's Python has them.

    Raises `RuntimeSourceError` when this release of Debian's Python has an unknown text.
    """
    sysconfig = "sysconfig/__init__.py" if (library / "sysconfig").is_dir() else "sysconfig.py"  # a folder from 3.13
    edits: list[tuple[str, Callable[[str], str]]] = [("site.py", upstream_site), (sysconfig, upstream_sysconfig)]
    if Version(interpreter.version) >= _FROZEN_SITE_SINCE:
        edits += [("encodings/__init__.py", without_frozen_site), ("site.py", with_frozen_modules)]
    for name, edit in edits:
        path = library / name
        try:
            text = edit(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise RuntimeSourceError(
                f"{interpreter.executable}: this distribution's Python cannot serve as a base runtime: "
                f"{interpreter.stdlib / name} {error}",
                hint="use another Python, for example one that `uv python install` or pyenv puts on this machine",
            ) from None
        replace_bytes(path, text.encode())


def upstream_site(text: str) -> str:
    """Debian's `site.py` with upstream's `getsitepackages`. Raises `ValueError` when the text is not as expected."""
    virtual = '    is_virtual_environment = sys.base_prefix != sys.prefix or hasattr(sys, "real_prefix")\n\n'
    start, end = "            if is_virtual_environment:\n", "            # this one is deprecated for Debian\n"
    text = _replace_once(text, virtual, "")
    folder = next((folder for folder in _SITE_FOLDERS if folder in text), _SITE_FOLDERS[0])
    text = _replace_once(text, folder, folder.replace("dist-packages", "site-packages"))
    before, found_start, rest = text.partition(start)
    _, found_end, after = rest.partition(end)
    if not (found_start and found_end):
        raise ValueError(f"has no part from {start.strip()!r} to {end.strip()!r}")
    return before + after


def upstream_sysconfig(text: str) -> str:
    """Debian's `sysconfig` with upstream's scheme. Raises `ValueError` when the text is not as expected."""
    return _replace_once(text, "        'prefix': prefix_scheme,\n", "        'prefix': 'posix_prefix',\n")


def without_frozen_site(text: str) -> str:
    """`encodings/__init__.py` changed so that the edited `site.py` is imported, not the one in the executable.

    From 3.11 on `site` is frozen into the executable, so the file is not read. `encodings` is read from a file before
    it; `site.py` then allows frozen modules again (`with_frozen_modules`).
    """
    reason = "# Debian's frozen `site` leads to dist-packages: read site.py instead, which ends this."
    return f"{text}\n{reason}\n{_switch(-1)}"


def with_frozen_modules(text: str) -> str:
    """`site.py` that reverses `without_frozen_site`. Raises `ValueError` when the text is not as expected."""
    return _replace_once(text, "\nimport sys\nimport os\n", f"\nimport sys\n{_switch(0)}import os\n")


def _switch(value: int) -> str:
    return f"import _imp\n_imp._override_frozen_modules_for_tests({value})\n"


def _replace_once(text: str, old: str, new: str) -> str:
    if text.count(old) != 1:
        raise ValueError(f"has {text.count(old)} times, instead of once, {old.strip()!r}")
    return text.replace(old, new)
