"""The keys of `[tool.uv]` by what they are: those without effect here, and the types of the others. Pure.

A key that is in none of these tables goes to uv as it is.
"""

from stackbuild.spec.problems import expected

WITHOUT_EFFECT = frozenset(
    {
        "add-bounds",
        "audit",
        "build-backend",
        "check-url",
        "default-groups",
        "dependency-groups",
        "dev-dependencies",
        "managed",
        "package",
        "pip",
        "publish-url",
        "trusted-publishing",
        "workspace",
    }
)
"""Keys for projects, or for commands of uv that are not used here."""

_BOOLEANS = frozenset({"native-tls", "no-cache", "no-index", "no-sources", "offline", "system-certs"})
_STRINGS = frozenset(
    {
        "fork-strategy",
        "http-proxy",
        "https-proxy",
        "index-strategy",
        "keyring-provider",
        "link-mode",
        "prerelease",
        "pypy-install-mirror",
        "python-downloads-json-url",
        "python-install-mirror",
        "resolution",
    }
)
_LISTS = frozenset(
    {
        "allow-insecure-host",
        "build-constraint-dependencies",
        "constraint-dependencies",
        "exclude-dependencies",
        "extra-index-url",
        "find-links",
        "override-dependencies",
        "upgrade-package",
    }
)
_NUMBERS = frozenset({"concurrent-builds", "concurrent-downloads", "concurrent-installs"})
LIST_KEYS = _LISTS
"""Keys with a list of strings."""


def wrong_type(key: str, value: object) -> str | None:
    """The sentence for a value that is not of the key's type; `None` for one that may be right."""
    if key in _BOOLEANS and not isinstance(value, bool):
        return expected("true or false", value)
    if key in _STRINGS and not isinstance(value, str):
        return expected("a string", value)
    if key in _NUMBERS and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        return expected("a positive integer", value) if not isinstance(value, int) else "must be at least 1"
    return None
