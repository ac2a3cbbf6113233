"""Secrets in URLs: user names, passwords, and parameters with tokens. They must never be written or shown."""

import re
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_WEB = re.compile(r"(https?:[/\\]*)([^\s/\\?#]*)", re.IGNORECASE)
"""The scheme and the authority, also as uv takes them without slashes: `https:me:secret@host`."""
_USER = re.compile(r"(:[/\\]{2,})(?!\[)[^\s/\\?#:@]*:")
"""A user name, or a host, with the colon after it in a URL of any scheme. `[` begins an IPv6 address."""
_PORT = re.compile(r"[0-9]{0,5}[/\\]")
"""A port, in front of the path: anything else after that colon may be a password, if an `@` follows in the line."""
_PASSWORD = re.compile(r"[^\s/\\?#\"`]*@(?=[^\s/\\?#\"`])")
"""A password that is written as it should be, before a host. Like uv, it takes an `@` or a `'` literally."""

_MORE_PASSWORD = re.compile(r"[^\s/\\?#\"`]*[\\?#]\S*@")
"""What may be a host and a query with an `@`, but may be the rest of a password as well."""

_WORD = re.compile(r"\S+")
_CLOSING = re.compile(r"[\"'`<>(){}\[\],.;:!]*$")
_FLAG = re.compile(r"[a-z][a-z-]{0,11}")
_SECRET_NAME = re.compile(
    r"token|secret|passw|passphrase|pwd|signature|credential|api[-_.]?key|access[-_.]?key|auth|bearer|jwt|session"
    r"|(?:^|[-_.])(?:key|sig|sas|sid|pass|pin|otp|code|policy)(?:$|[-_.])",
    re.IGNORECASE,
)
"""Names of parameters with secrets, among them those of the signed URLs of Amazon, Azure and Google."""


def without_secrets(text: str) -> str:
    """A URL, or a text with URLs in it, without passwords and tokens, and in web URLs without user names.

    A text without secrets stays as it is. A password with characters that belong into no password ends at the last `@`
    of its line; one with an `@` and some letters later a blank, a quotation mark or a slash ends at that `@`. What
    looks like an address is taken for one: a secret in the path, and a password that begins with a port and a slash.
    """
    return "\n".join(map(_safe_line, text.split("\n"))) if _may_have_secrets(text) else text


def values_without_secrets(value: Any) -> Any:  # noqa: ANN401 (any JSON or TOML value)
    """A JSON or TOML value whose strings are without secrets; keys stay."""
    match value:
        case str():
            return without_secrets(value)
        case dict():
            return {key: values_without_secrets(item) for key, item in value.items()}
        case list() | tuple():
            return [*map(values_without_secrets, value)]
        case _:
            return value


def _may_have_secrets(text: str) -> bool:
    return "@" in text or "?" in text or "#" in text


def _safe_line(line: str) -> str:
    kept, begin = [], 0
    for login in _passwords(line):
        kept.append(line[begin : login.begin])
        begin = login.end
    line = "".join([*kept, line[begin:]])
    if "@" in line:
        line = _WEB.sub(lambda found: found[1] + found[2].rpartition("@")[2], line)
    return _WORD.sub(lambda found: _without_parameters(found[0]), line) if _may_have_secrets(line) else line


@dataclass(frozen=True, kw_only=True)
class _Login:
    """The place of a user name and a password in a line, with the `@`."""

    begin: int
    end: int
    well_formed: bool


def _passwords(line: str) -> Iterator[_Login]:
    last, reached = line.rfind("@"), 0
    for found in _USER.finditer(line):
        if found.end() > last:
            return
        if found.start() >= reached and not _PORT.match(line, found.end()):
            password = _PASSWORD.match(line, found.end())
            more = _MORE_PASSWORD.match(line, password.end()) if password else None
            reached = more.end() if more else password.end() if password else last + 1
            yield _Login(begin=found.end(1), end=reached, well_formed=password is not None and more is None)


def has_malformed_login(text: str) -> bool:
    """Whether a password in a text has characters that must be quoted there, such as a blank, `/` or `#`."""
    return any(not login.well_formed for line in text.split("\n") for login in _passwords(line))


def _parts(word: str) -> tuple[str, str, str]:
    """A URL up to its query, the query with its `?` and the fragment with its `#`; both may be empty."""
    rest, hash_mark, fragment = word.partition("#")
    address, mark, query = rest.partition("?")
    return address, mark + query, hash_mark + fragment


def _without_parameters(word: str) -> str:
    address, query, fragment = _parts(word)
    secret = set(_secret_parameters(word))
    if not secret:
        return word
    closing = _CLOSING.search(word)
    ends_in_secret = any(word.endswith(part) for part in secret)
    kept = f"{address}{_without(query, secret)}{_without(fragment, secret)}"
    return kept + (closing[0] if closing and ends_in_secret else "")


def _without(parameters: str, secret: set[str]) -> str:
    """A query or a fragment, with its mark, without parameters that are secret."""
    parts = re.split(r"([&;])", parameters[1:])
    kept = "".join(
        f"{separator}{part}"
        for separator, part in zip(("", *parts[1::2]), parts[::2], strict=True)
        if part not in secret
    ).lstrip("&;")
    return f"{parameters[0]}{kept}" if kept else ""


def _secret_parameters(word: str) -> Iterator[str]:
    """The parameters of a URL that are secret. In a query, one without a name is, unless it can only be a flag."""
    address, query, fragment = _parts(word)
    for part in re.split(r"[&;]", query[1:]):
        if _has_secret_name(part) or ("://" in address and _is_nameless(part)):
            yield part
    yield from filter(_has_secret_name, re.split(r"[&;]", fragment[1:]))


def _has_secret_name(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    return bool(value) and _SECRET_NAME.search(urllib.parse.unquote(name)) is not None


def _is_nameless(parameter: str) -> bool:
    return bool(parameter) and "=" not in parameter and not _FLAG.fullmatch(_CLOSING.sub("", parameter))


def secret_parameter(text: str) -> str | None:
    """What to call the first secret among the parameters of URLs in a text."""
    found = next((part for word in _WORD.findall(text) for part in _secret_parameters(word)), None)
    if found is None:
        return None
    name, equals, _ = found.partition("=")
    return f'the parameter "{urllib.parse.unquote(name)}"' if equals else "a parameter without a name"


@dataclass(frozen=True, kw_only=True)
class Login:
    """The user name and the password that the web URLs below `url` need, as they stand in a URL."""

    url: str
    user: str
    password: str


def taken_out(text: str) -> tuple[str, list[Login]]:
    """A text without the logins of its web URLs, and these logins. Passwords must be well-formed."""
    logins: list[Login] = []
    kept, begin = [], 0
    for found in _WEB.finditer(text):
        login, at, host = found[2].rpartition("@")
        if at:
            user, _, password = login.partition(":")
            path = re.match(r"[^\s\"'`;#]*", text[found.end() :])
            url = f"{found[1]}{host}{path[0] if path else ''}"
            logins.append(Login(url=url, user=user, password=password))
            kept.append(f"{text[begin : found.end(1)]}{host}")
            begin = found.end()
    return "".join([*kept, text[begin:]]), logins


def has_credentials(url: str) -> bool:
    """Whether a web URL contains a user name or a password."""
    found = _WEB.match(url)
    return found is not None and "@" in found[2]


def is_remote(location: str) -> bool:
    """Whether a location is a web URL, not a path or a `file:` URL."""
    return location.lower().startswith(("http:", "https:"))
