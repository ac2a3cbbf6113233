"""RECORD files: an installer's list of the files of a distribution.

"Recording installed projects" of the packaging specifications describes them: CSV lines of path, hash and size, with
paths relative to the folder of packages.
"""

import base64
import contextlib
import csv
import io
import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from stackbuild.system.files import replace_bytes

_PLAIN_PATH = re.compile(r"(?:[^./][^/]*/)*[^./][^/]*", re.DOTALL)
_SHA256 = "sha256="


def find_records(environment: Path, site_packages: PurePosixPath) -> list[Path]:
    """The RECORD files of an environment, in order."""
    return sorted(environment.glob(f"{site_packages}/*.dist-info/RECORD"))


def read_record(record: Path) -> list[list[str]]:
    """The lines of a RECORD, unchanged. Raises `OSError`, `UnicodeDecodeError` or `csv.Error`."""
    return list(_lines(record))


def read_fields(record: Path) -> list[tuple[str, str, str]]:
    """Path, hash and size of each line, or empty strings for what is missing. Raises like `read_record`."""
    rows = ((*row, "", "") for row in _lines(record))
    return [(path, digest, size) for path, digest, size, *_ in rows]


def _lines(record: Path) -> Iterator[list[str]]:
    return filter(None, csv.reader(io.StringIO(record.read_text(encoding="utf-8"), newline="")))


def write_record(record: Path, rows: Iterable[Sequence[str]]) -> None:
    """Replace the lines of an existing RECORD. A file that it is hard-linked to does not change."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    replace_bytes(record, text.getvalue().encode())


def recorded_path(folder: str, recorded: str) -> str:
    """The `/`-separated path of a recorded file, relative to the same root as `folder`, the folder of packages."""
    if _PLAIN_PATH.fullmatch(recorded):  # nearly all are, and need nothing more
        return f"{folder}/{recorded}"
    return posixpath.normpath(posixpath.join(folder, recorded))


def owners(environment: Path, site_packages: PurePosixPath) -> dict[str, str]:
    """The package that each file belongs to, as `name version`, by path relative to the environment.

    Of several packages with one file it is the first by name. RECORD files that cannot be read are left out.
    """
    packages: dict[str, str] = {}
    for record in find_records(environment, site_packages):
        package = package_of(record.parent.name)
        with contextlib.suppress(OSError, UnicodeDecodeError, csv.Error):
            for path, _, _ in read_fields(record):
                packages.setdefault(recorded_path(str(site_packages), path), package)
    return packages


def package_of(dist_info: str) -> str:
    """The package of a `.dist-info` folder, as `name version`."""
    return dist_info.removesuffix(".dist-info").replace("-", " ")


def recorded_hashes(environment: Path, site_packages: PurePosixPath) -> dict[str, str]:
    """The SHA-256 hashes in the RECORD files of an environment, as by `record_hash`, by path relative to it."""
    folder = str(site_packages)
    return {
        recorded_path(folder, row[0]): row[1]
        for record in find_records(environment, site_packages)
        for row in _lines(record)
        if len(row) > 1 and row[1].startswith(_SHA256)
    }


def record_hash(digest: str, algorithm: str = "sha256") -> str:
    """A hexadecimal digest in the form of RECORD files: `sha256=` and the bytes in URL-safe base64 without padding."""
    return f"{algorithm}={base64.urlsafe_b64encode(bytes.fromhex(digest)).rstrip(b'=').decode()}"
