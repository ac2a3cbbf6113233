"""Effects on files: the only door to shutil and tempfile.

A file that may be a hard link into uv's cache is never edited in place: a new file replaces it. A tree is replaced by
a new one that is made beside it and then renamed.

Power cuts: a *durable* file is the old one or the new one afterwards, and whole. `sync_folder` also waits for names:
afterwards a folder has all that was put into it, and nothing that was removed. The files of a tree are not waited for,
since there are thousands.
"""

import contextlib
import errno
import hashlib
import io
import os
import re
import shutil
import stat
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from stackbuild.errors import StackbuildError

_POLL_SECONDS = 0.2
_NO_WAITING = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def read_file(path: str | Path, *, most: int) -> bytes:
    """The content of a regular file of at most `most` bytes.

    Raises `OSError` at once for anything else: a pipe without a writer would block, and a device might never end.
    """
    descriptor = os.open(path, _NO_WAITING)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", os.fspath(path))
        if found.st_size > most:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), os.fspath(path))
        with open(descriptor, "rb", buffering=0, closefd=False) as file:
            return file.readall()[:most]
    finally:
        os.close(descriptor)


def write_atomic(path: Path, content: str | bytes, *, durable: bool = False) -> None:
    """Replace `path` by a file with `content` (text: UTF-8, line ends as given) in one step.

    A missing folder is made. A reader sees the old file or the new one, never a part. The mode is 0666 & umask.
    """
    with replacing_file(path, durable=durable) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def replacing_file(path: Path, *, durable: bool = False) -> Iterator[io.BufferedWriter]:
    """A new file that replaces `path` in one step when the block succeeds, and is removed otherwise.

    A missing folder is made. The mode is 0666 & umask. An empty folder at `path` is replaced, too: container engines
    make one when they mount a file that is missing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{_short(path.name)}.{_random()}.tmp")
    try:
        with _naming(path), temporary.open("xb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def remove_file(path: Path, *, durable: bool = False) -> None:
    """Remove a file, a link, a pipe or an empty folder. `path` may be missing. Raises `OSError`.

    If `durable`, it does not come back after a power cut.
    """
    try:
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink()
    except FileNotFoundError:
        return
    if durable:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk, where the system can do that: Windows cannot.

    The journals of file systems then have all earlier changes of names, too. Raises `OSError` when the disk fails.
    """
    if sys.platform == "win32":
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except PermissionError:  # it may be written to, but not read
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            error.filename = os.fspath(folder)
            raise
    finally:
        os.close(descriptor)


_NO_SYNC = {errno.EINVAL, errno.EBADF, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EROFS}
"""How file systems say that they cannot wait for a folder."""


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Give an `OSError` without a path this one: writing to an open file does not say which (`ENOSPC`)."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = os.fspath(path)
        raise


def _random() -> str:
    """The part of temporary names that tells them apart, see `_leftover`."""
    return os.urandom(4).hex()


_LONGEST_NAME = 220
"""In bytes: names with this much and what is added to them are still allowed by file systems (255)."""


def _short(name: str) -> str:
    """A name that can be extended: the name itself, or a hash of one that is too long for that."""
    encoded = os.fsencode(name)
    return name if len(encoded) <= _LONGEST_NAME else hashlib.sha256(encoded).hexdigest()


def create_file(path: Path, text: str) -> None:
    """Write a new file (UTF-8, line ends as given). Raises `FileExistsError` when there is something at `path`."""
    with path.open("x", encoding="utf-8", newline="") as file:
        try:
            file.write(text)
            file.flush()
        except BaseException:
            path.unlink(missing_ok=True)
            raise


def create_temporary(prefix: str, suffix: str, text: str) -> Path:
    """A new file with `text` in the folder for temporary files, which only this user can read. It stays there."""
    descriptor, path = tempfile.mkstemp(prefix=prefix, suffix=suffix)
    with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
    return Path(path)


def replace_bytes(path: Path, content: bytes) -> None:
    """Give `path` new content and keep its permission bits, without touching a file it is hard-linked to."""
    mode = stat.S_IMODE(path.stat().st_mode)
    with replacing_file(path) as file:
        file.write(content)
        os.chmod(file.name, mode)


def make_link(path: Path, target: str) -> None:
    """Make (or replace) the symbolic link `path` with the text `target`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def remove_tree(path: Path) -> None:
    """Remove a file, a link or a folder with all its content, even in read-only folders. `path` may be missing.

    Folders may be nested deeper than Python can call functions, and links are not followed.
    """
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    folders = [os.fspath(path)]
    for folder in folders:  # grows while it is walked: each folder comes after the one that contains it
        folders.extend(_remove_files(folder))
    for folder in reversed(folders):
        os.rmdir(folder)


def _remove_files(folder: str) -> list[str]:
    """Remove everything in a folder except for folders, whose paths are returned."""
    if stat.S_IMODE(os.lstat(folder).st_mode) & 0o700 != 0o700:  # noqa: PLR2004 (what the owner may do)
        os.chmod(folder, 0o700)  # never the files: they may be hard-linked elsewhere
    with os.scandir(folder) as found:
        entries = [(entry.path, entry.is_dir(follow_symlinks=False) and not _is_junction(entry)) for entry in found]
    for path, is_folder in entries:
        if not is_folder:
            os.unlink(path)
    return [path for path, is_folder in entries if is_folder]


def _is_junction(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a link to a folder as only Windows has it. Python tells from 3.12 on."""
    return sys.version_info >= (3, 12) and entry.is_junction()


def remove_if_empty(folder: Path) -> None:
    """Remove a folder with nothing in it. It may be missing."""
    with contextlib.suppress(OSError):
        folder.rmdir()


def make_folders(path: Path) -> None:
    """Make a folder and those above it where they are missing, however many they are."""
    missing = []
    while not path.is_dir():
        missing.append(path)
        path = path.parent
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)


def discard(path: Path) -> None:
    """Remove a file, a link or a folder, so that it is whole or missing at every moment. `path` may be missing.

    What a killed run leaves of a folder has another name, which `remove_leftovers` knows. After a power cut it is gone,
    too.
    """
    if path.is_dir() and not path.is_symlink():
        aside = _move_aside(path)
        sync_folder(path.parent)
        remove_tree(aside)
    else:
        remove_file(path, durable=True)


def _move_aside(path: Path) -> Path:
    aside = path.with_name(f".{_short(path.name)}.old-{_random()}")
    os.replace(path, aside)
    return aside


@contextmanager
def replacing_tree(path: Path) -> Iterator[Path]:
    """A new empty folder beside `path`, at the same depth, that replaces `path` when the block succeeds.

    On any exception the new folder is removed and `path` stays as it was. The old tree is moved aside first and removed
    last, so that `path` is a complete tree or missing at every moment. After a power cut it is not the old tree any
    more.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{_short(path.name)}.new-{_random()}")
    fresh.mkdir()
    aside = None
    try:
        with _naming(path):
            yield fresh
        if path.is_symlink() or path.exists():
            aside = _move_aside(path)
        os.replace(fresh, path)
    except BaseException:
        if aside is not None and os.path.lexists(aside) and not os.path.lexists(path):
            os.replace(aside, path)
        remove_tree(fresh)
        raise
    if aside is not None:
        sync_folder(path.parent)
        remove_tree(aside)


@contextmanager
def workplace(folder: Path) -> Iterator[Path]:
    """The folder, private and empty for the block, whatever a killed run left in it. It is removed after the block."""
    remove_tree(folder)
    folder.mkdir(parents=True)
    folder.chmod(0o700)
    try:
        yield folder
    finally:
        remove_tree(folder)


def remove_leftovers(folder: Path, name: str) -> None:
    """Remove what killed runs left beside `folder / name`: new and old trees of it, and unfinished files."""
    leftover = _leftover(name)
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in list(entries):
            if leftover.fullmatch(entry.name):
                remove_tree(Path(entry.path))


def _leftover(name: str) -> re.Pattern[str]:
    """The temporary names of `name`, and of no other: those of `x.new-b` begin like some of `x`."""
    return re.compile(rf"\.{re.escape(_short(name))}\.((new|old)-[0-9a-f]{{8}}|[0-9a-f]{{8}}\.tmp)")


def remove_unfinished(*paths: Path) -> None:
    """Remove what killed runs left of these files before they were in place."""
    for path in paths:
        remove_leftovers(path.parent, path.name)


def private_folder(path: Path) -> None:
    """Make a folder that only this user can look into, or make an existing one so."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)


def copy_file(source: Path, destination: Path) -> None:
    """Copy only the content and the executable bit of a file: its mode is 0755 or 0644, and its time is now."""
    shutil.copyfile(source, destination)
    destination.chmod(0o755 if source.stat().st_mode & 0o100 else 0o644)


def link_or_copy(source: str | Path, destination: str | Path) -> None:
    """Make `destination` the same file as `source`: a hard link, or a copy with the same mode where links fail."""
    try:
        os.link(source, destination, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        shutil.copyfile(source, destination)
        shutil.copymode(source, destination)


_NO_LINK = {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EACCES}


def offered_program(name: str) -> str | None:
    """The name of a program of this installation, if a shell finds it: pipx and uv only offer those of stackbuild."""
    found = shutil.which(name)
    own = Path(sysconfig.get_path("scripts"), name + (".exe" if sys.platform == "win32" else ""))
    return name if found is not None and own.exists() and own.samefile(found) else None


def sha256_bytes(content: bytes) -> str:
    """The hexadecimal SHA-256 of some bytes."""
    return hashlib.sha256(content).hexdigest()


def sha256_file(path: str | Path) -> str:
    """The hexadecimal SHA-256 of a file's content."""
    with open(path, "rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def project_lock(
    path: Path, *, waiting: Callable[[], None], still_waiting: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Hold the lock file `path` for the block, so that only one run at a time changes a project.

    When another run holds it, `waiting()` is called once and this run waits. `still_waiting()` is called several times
    a second, and can end the wait by raising. The system releases the lock of a killed process, so nothing has to be
    cleaned up by hand.
    """
    from filelock import FileLock, Timeout  # slow to import, and a run in which nothing changed needs no lock

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        waiting()
        while not lock.is_locked:
            still_waiting()
            with contextlib.suppress(Timeout):
                lock.acquire(timeout=_POLL_SECONDS)
    try:
        yield
    finally:
        lock.release()


@contextmanager
def disk_errors(doing: str, kind: type[StackbuildError]) -> Iterator[None]:
    """Turn `OSError` inside the block into an error of `kind` that names the path and says what to do."""
    try:
        yield
    except OSError as error:
        path = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes | os.PathLike) else ""
        where = f" ({path})" if path and not doing.endswith(path) else ""
        raise kind(f"cannot {doing}{where}: {error.strerror or error}", hint=disk_hint(error)) from error


def disk_hint(error: OSError) -> str | None:
    """What to do about an error of the file system."""
    return _DISK_HINTS.get(error.errno or 0, _DISK_HINT)


_IN_THE_WAY = "something else is in its place: move it away, or choose another folder"
_PERMISSIONS = "check the permissions of this path and of the folder it lies in"
_TOO_MANY = "allow more open files (`ulimit -n`), or run fewer tasks at a time (--jobs)"
_DISK_HINT = "check this path and its disk, then run the same command again: it goes on where it stopped"
_DISK_HINTS = {
    errno.ENOENT: None,  # what is missing says enough
    errno.ENOSPC: "free some space and run the same command again: it goes on where it stopped",
    errno.EDQUOT: "the disk quota is used up: free some space and run the same command again",
    errno.EFBIG: "neither the file system nor `ulimit -f` may forbid files of this size",
    errno.EACCES: _PERMISSIONS,
    errno.EPERM: _PERMISSIONS,
    errno.EROFS: "this file system is read-only: choose another folder for the outputs",
    errno.EEXIST: _IN_THE_WAY,
    errno.EISDIR: _IN_THE_WAY,
    errno.ENOTDIR: _IN_THE_WAY,
    errno.ENOTEMPTY: _IN_THE_WAY,
    errno.ELOOP: "links on this path lead in a circle: mend them",
    errno.ENAMETOOLONG: "the path is too long for this system: move the project up, or shorten the names of layers",
    errno.EMFILE: _TOO_MANY,
    errno.ENFILE: _TOO_MANY,
    errno.EBUSY: "another program uses it: end that program, and run the same command again",
}
