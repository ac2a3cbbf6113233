"""Why uv failed, in terms of a layer: the setting, the index or the pins that are the cause, and what to do. Pure."""

import errno
import os
import re
import sys
import textwrap
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from stackbuild.errors import BuildError, LockError
from stackbuild.spec.models import UvIndex, UvSettings
from stackbuild.spec.problems import did_you_mean, quote
from stackbuild.spec.stack import LinkedLayer
from stackbuild.spec.uv_settings import UV_SETTINGS_FILE
from stackbuild.system.files import disk_hint
from stackbuild.system.urls import without_secrets
from stackbuild.targets.platforms import TargetPlatform
from stackbuild.uv.conflicts import Resolution, advice, retold, where
from stackbuild.uv.report import UvReport
from stackbuild.uv.resolution import index_variable

_WIDTH = 100


@dataclass(frozen=True, kw_only=True)
class _Explanation:
    """An error's first line without the layer's name, the lines below it and the hints."""

    message: str
    facts: Sequence[str] = ()
    hints: Sequence[str] = ()

    def lines(self, layer: str) -> str:
        facts = (_wrapped(line) for fact in self.facts for line in fact.splitlines())
        return "\n".join([f"{layer}: {self.message}", *facts])

    @property
    def hint(self) -> str | None:
        return "\nhint: ".join(self.hints) or None


def _wrapped(line: str) -> str:
    return textwrap.fill(
        line,
        width=_WIDTH,
        initial_indent="  ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def resolution_error(
    asked: Resolution, said: str, *, lacking: Mapping[TargetPlatform, frozenset[str]] | None = None
) -> LockError:
    """The error for a resolution that failed. `said`: what uv wrote to stderr; `lacking`: see `advice`."""
    report = UvReport.parse(said)
    facts = retold(asked, report)
    no_proofs = [fact for fact in facts if not fact.startswith("Because ")]  # what is not visible may exist
    explained = (
        _rejected_setting(asked, report)
        or _disk(report)
        or _access(asked.settings, report, facts=no_proofs, network_hint=f"{_CHECK}; {_DO_WITHOUT}")
        or _Explanation(
            message="its requirements cannot be resolved",
            facts=[*where(asked, report), *facts],
            hints=list(advice(asked, report, lacking=lacking)),
        )
    )
    return LockError(explained.lines(asked.linked.build_name), hint=explained.hint)


def installation_error(
    linked: LinkedLayer, said: str, *, settings: UvSettings, bad_wheels: Sequence[str] = ()
) -> BuildError:
    """The error for an installation that failed. `bad_wheels`: what is wrong with local wheels of the lock."""
    report = UvReport.parse(said)
    if bad_wheels:
        explained = _Explanation(
            message="wheels that its lock names cannot be used",
            facts=bad_wheels,
            hints=["put them back as they were, or lock the layer again: stackbuild lock"],
        )
    else:
        facts = _statements(report)
        explained = (
            _disk(report)
            or _access(settings, report, facts=facts, network_hint=_CHECK)
            or _Explanation(
                message="its packages cannot be installed", facts=facts, hints=list(_installation_hints(report))
            )
        )
    return BuildError(explained.lines(linked.build_name), hint=explained.hint)


def _installation_hints(report: UvReport) -> Iterator[str]:
    if "Hash mismatch" in report.text:
        yield "the server gives another file than the one that was locked: find out why before you lock the layer again"
    elif "404 Not Found" in report.text:
        yield "the server no longer has the file that was locked: lock the layer again: stackbuild lock"
    else:
        yield from report.hints


# Settings that uv does not accept

_TOML_ERROR = re.compile(r"TOML parse error at line (\d+)")
_CARETS = re.compile(r"^\s*\|\s*\^+\s*$", re.MULTILINE)
_UNKNOWN_FIELD = re.compile(r"unknown field `([^`]*)`, expected one of (.*)")


def _rejected_setting(asked: Resolution, report: UvReport) -> _Explanation | None:
    """For settings of the user that uv cannot parse in the files that it was given."""
    found = _TOML_ERROR.search(report.text)
    name = next((name for name in asked.files if name in report.headline), None)
    if found is None or name is None:
        return None
    reason = _CARETS.split(report.text)[-1].strip()
    if unknown := _UNKNOWN_FIELD.match(reason):
        known = re.findall(r"`([^`]+)`", unknown[2])
        reason = f"uv has no setting `{unknown[1]}`{did_you_mean(unknown[1], known)}"
    key = _setting_at(asked.files[name], int(found[1]))
    path = asked.settings.path
    if path is None or key == "dependencies":
        return _Explanation(message="uv does not accept its requirements", facts=[reason])
    place = str(path) if path.name == UV_SETTINGS_FILE else f"[tool.uv] of {path}"
    return _Explanation(message=f"uv does not accept {quote(key)} in {place}", facts=[reason])


def _setting_at(text: str, line: int) -> str:
    """The setting that a line of a generated file belongs to: `resolution`, `index.format`."""
    key, table = "", ""
    for read in text.splitlines()[:line]:
        if header := re.fullmatch(r"\[+(.+?)\]+", read):
            table, key = header[1].removeprefix("tool.uv").removeprefix(".").removeprefix("project"), ""
        elif entry := re.match(r'("?)([A-Za-z0-9_.-]+)\1 = ', read):
            key = entry[2]
    return ".".join(part for part in (table, key) if part)


# Files that cannot be used

_OS_ERROR = re.compile(r"\(os error (\d+)\)")
_OF_WINDOWS = {5: errno.EACCES, 39: errno.ENOSPC, 112: errno.ENOSPC, 206: errno.ENAMETOOLONG}
_OF_FILES = frozenset(
    (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EMFILE, errno.ENFILE, errno.ENAMETOOLONG)
)


def _disk(report: UvReport) -> _Explanation | None:
    """For files and folders of uv's, or of the layer, that cannot be written or read."""
    for number in map(int, _OS_ERROR.findall(report.text)):
        code = _OF_WINDOWS.get(number) if sys.platform == "win32" else number
        if code in _OF_FILES:
            hint = disk_hint(OSError(code, os.strerror(code)))
            return _Explanation(
                message="uv cannot use a file or folder", facts=_statements(report), hints=[hint] if hint else []
            )
    return None


def _statements(report: UvReport) -> list[str]:
    return [statement for statement in (report.headline, *report.causes) if statement]


# Indexes that cannot be reached

_STATUS = re.compile(r"\b(40[13]) (Unauthorized|Forbidden)")
_NOT_REACHED = re.compile(r"error sending request|Request failed after|HTTP status server error|operation timed out")
_CHECK = "check its URL, the network and the proxy variables"
_DO_WITHOUT = "to lock without it, offer wheels with find-links and set no-index = true in [tool.uv]"
_URL = re.compile(r"https?://[^\s)`]+")


def _access(settings: UvSettings, report: UvReport, *, facts: Sequence[str], network_hint: str) -> _Explanation | None:
    """For an index, or a server of files, that refuses access or does not answer."""
    refused = _STATUS.search(report.text)
    if refused is None and not _NOT_REACHED.search(report.text):
        return None
    statements = [part for part in (report.headline, *report.causes, *report.hints) if _URL.search(part)]
    named = next((part for part in statements if _STATUS.search(part)), statements[0] if statements else "")
    url = match[0] if (match := _URL.search(named)) else ""
    index = _index_of(url, settings.indexes)
    place = _place(url, index)
    if refused is not None:
        return _Explanation(
            message=f"{place} refuses access ({refused[0]})", facts=facts, hints=[_credentials_hint(index)]
        )
    return _Explanation(
        message=f"{place} cannot be reached",
        facts=facts,
        hints=[network_hint],
    )


def _index_of(url: str, indexes: Iterable[UvIndex]) -> UvIndex | None:
    """The index that a URL belongs to: the longest one that it starts with, else one of the same server."""
    known = [(without_secrets(index.url).rstrip("/"), index) for index in indexes]
    within = [(location, index) for location, index in known if f"{url}/".startswith(f"{location}/")]
    if within:
        return max(within, key=lambda pair: len(pair[0]))[1]
    server = urllib.parse.urlsplit(url).netloc
    return next((index for location, index in known if urllib.parse.urlsplit(location).netloc == server), None)


def _place(url: str, index: UvIndex | None) -> str:
    if index is None:
        return url or "the network"
    location = without_secrets(index.url)
    return f"the index {quote(index.name)} ({location})" if index.name else f"the index {location}"


def _credentials_hint(index: UvIndex | None) -> str:
    if index is None or not index.name:
        return (
            "check the credentials in its URL, or give the index a name in [tool.uv] and set "
            "UV_INDEX_<NAME>_USERNAME and UV_INDEX_<NAME>_PASSWORD"
        )
    variable = index_variable(index.name)
    return f"set {variable}_USERNAME and {variable}_PASSWORD to credentials that the index accepts"
