"""URLs without what must never be written down or shown: the credentials in them."""

import re

_CREDENTIALS = re.compile(r"(https?://)[^/\\\s\"`?#]+@", re.IGNORECASE)
"""Up to the last `@` before the path: uv, too, takes an `@` or a `'` in a password as it stands."""


def without_credentials(text: str) -> str:
    """A URL, or a text with URLs in it, without their user names and passwords."""
    return _CREDENTIALS.sub(r"\1", text)


def has_credentials(url: str) -> bool:
    """Whether a URL of the web brings a user name or a password."""
    return _CREDENTIALS.match(url) is not None


def is_remote(location: str) -> bool:
    """Whether a location is a URL of the web, not a path or a `file:` URL."""
    return location.lower().startswith(("http:", "https:"))
