"""Read a requirement, and say what to write instead of what cannot be one here. Pure."""

import re
import urllib.parse

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from stackbuild.spec.problems import Code, FieldError, quote
from stackbuild.spec.url_secrets import secret_problem

_LONGEST = 2000
_BUILD_IT = "build a wheel of it, and name the wheel or offer its folder with find-links"
_REPOSITORY = re.compile(r"(?:git|hg|bzr|svn)(?:\+|:)", re.IGNORECASE)
_SOURCE_ARCHIVE = re.compile(r"\.(?:zip|tar|tgz|tbz2?|txz|tlz|tar\.(?:gz|bz2|xz|lzma|lz|zst))$", re.IGNORECASE)
_LOCATION = re.compile(r"\.{0,2}[/\\]|\.{1,2}$|~|[A-Za-z][A-Za-z0-9+.-]*:[^:]|[^\s@;=<>]+[/\\]|[^\s@;=<>]+\.whl$")
_NAME_IN_FRONT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\s*(?:\[[^\]]*\]\s*)?@")


def read_requirement(text: str) -> Requirement:
    """The requirement that a text is. Raises `ValueError` with a sentence for the person who wrote it."""
    if len(text) > _LONGEST:
        raise ValueError(f"invalid requirement {quote(text)}: longer than {_LONGEST} characters")
    if sentence := secret_problem(text):
        raise FieldError(sentence, Code.SECRET_IN_URL)
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        # The lines after the first draw a marker under the text, which needs a terminal of its own.
        reason = _instead(text.strip()) or str(error).splitlines()[0]
        raise ValueError(f"invalid requirement {quote(text)}: {reason}") from None
    except RecursionError:
        raise ValueError(f"invalid requirement {quote(text)}: nested too deeply") from None
    except ValueError:  # Python's limit on the digits of an integer
        raise ValueError(f"invalid requirement {quote(text)}: a number that is too large") from None
    if requirement.url is not None and (sentence := _no_wheel(requirement.url)):
        raise ValueError(f"{quote(text)}: {sentence}")
    return requirement


def _no_wheel(url: str) -> str | None:
    """Why the URL of a requirement cannot be used, if that can be seen from it."""
    if _REPOSITORY.match(url):
        return f"a repository; only wheels are installed: {_BUILD_IT}"
    path = url.partition("#")[0]
    remote = re.match(r"(?!file:)[A-Za-z][A-Za-z0-9+.-]+:", path)
    if remote:
        try:
            path = urllib.parse.urlsplit(path).path
        except ValueError as error:
            return f"not a URL: {error}"
    if "${" in path or path.lower().endswith(".whl"):
        return None
    if _SOURCE_ARCHIVE.search(path):
        return f"a source archive; only wheels are installed: {_BUILD_IT}"
    return None if remote else f"not a wheel; only wheels are installed: {_BUILD_IT}"


def _instead(text: str) -> str | None:
    """What to write instead of a text that is no requirement, but something that pip takes in its place."""
    if text.startswith(("-e", "--editable")):
        return f"an editable folder; only wheels are installed: {_BUILD_IT}"
    if text.startswith(("-r", "-c", "--requirement", "--constraint")):
        return 'files of requirements are not read: list the requirements, and constraints in "constraint-dependencies"'
    if text.startswith("-"):
        return "options are not possible here, see the settings in [tool.uv]"
    if _NAME_IN_FRONT.match(text):
        location = text.partition("@")[2].strip()
        return "a URL has no blanks: write %20 for each, after file: for a path" if " " in location else None
    if not _LOCATION.match(text):
        return None
    return _no_wheel(text) or f'write the name of the package in front: "{_name_of(text)} @ {_url_of(text)}"'


def _name_of(location: str) -> str:
    file_name = re.split(r"[/\\]", location.partition("#")[0])[-1]
    try:
        return parse_wheel_filename(urllib.parse.unquote(file_name))[0]
    except InvalidWheelFilename:
        return "name"


def _url_of(location: str) -> str:
    if ":" in location or not re.search(r"[\s%?#]", location):
        return location
    return f"file:{urllib.parse.quote(location)}"
