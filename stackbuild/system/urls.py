"""URLs without what must never be written down or shown: the credentials in them."""

import re

_CREDENTIALS = re.compile(r"(https?://)[^/\\\s\"`?#]+@", re.IGNORECASE)
"""Up to the last `@` before the path: uv, too, takes an `@` or a `'` in a password as it stands."""

_PASSWORDS = re.compile(r"([a-z][a-z0-9+.-]*://)[^/\\\s\"`?#:@]*:[^/\\\s\"`?#]+@", re.IGNORECASE)
"""In URLs of any scheme. There a user alone is no secret, and often needed: `git+ssh://git@…`."""


def without_credentials(text: str) -> str:
    """A URL, or a text with URLs in it, without their passwords and, on the web, user names."""
    return _PASSWORDS.sub(r"\1", _CREDENTIALS.sub(r"\1", text))


def has_credentials(url: str) -> bool:
    """Whether a URL of the web brings a user name or a password."""
    return _CREDENTIALS.match(url) is not None


def is_remote(location: str) -> bool:
    """Whether a location is a URL of the web, not a path or a `file:` URL."""
    return location.lower().startswith(("http:", "https:"))
