"""URLs without their credentials, which must never be written or shown."""

import re

_CREDENTIALS = re.compile(r"(https?://)[^/\\\s\"`?#]+@", re.IGNORECASE)
"""Up to the last `@` before the path: like uv, it takes an `@` or a `'` in a password literally."""

_PASSWORDS = re.compile(r"([a-z][a-z0-9+.-]*://)[^/\\\s\"`?#:@]*:[^/\\\s\"`?#]+@", re.IGNORECASE)
"""In URLs of any scheme. There a user name alone is not secret, and often needed: `git+ssh://git@…`."""


def without_credentials(text: str) -> str:
    """A URL, or a text with URLs in it, without passwords, and in web URLs without user names."""
    return _PASSWORDS.sub(r"\1", _CREDENTIALS.sub(r"\1", text))


def has_credentials(url: str) -> bool:
    """Whether a web URL contains a user name or a password."""
    return _CREDENTIALS.match(url) is not None


def is_remote(location: str) -> bool:
    """Whether a location is a web URL, not a path or a `file:` URL."""
    return location.lower().startswith(("http:", "https:"))
