"""Which secrets in URLs cannot be used, because no tool would keep them out of files. Pure."""

import urllib.parse

from stackbuild.spec.problems import quote
from stackbuild.system.urls import has_malformed_login, secret_parameter, taken_out, without_secrets

_INSTEAD = (
    "use a user name and a password, which stand in the URL in front of its server, or better in the variables "
    "UV_INDEX_<NAME>_USERNAME and UV_INDEX_<NAME>_PASSWORD for an index with a name"
)


def secret_problem(text: str) -> str | None:
    """Why a URL, or a text with one, cannot be used with its secrets. Shows none of them."""
    if has_malformed_login(text):
        return (
            f"{quote(text)}: its user name or password has a character that URLs do not have there: "
            "write %20 for a blank, %2F for /, %23 for #, %3F for ?, %22 for a double quote, %5C for a backslash"
        )
    if parameter := secret_parameter(text):
        shown = quote(without_secrets(text).partition("?")[0].strip())
        return f"{shown}: {parameter} of the URL looks like a secret, which would be written to locks: {_INSTEAD}"
    rest, logins = taken_out(text)
    if without_secrets(rest) != rest:
        return f"{quote(text)}: a password is possible in URLs of http and https only"
    if any("\0" in urllib.parse.unquote(login.user + login.password) for login in logins):
        return f"{quote(text)}: its user name or password has a NUL"
    return None
