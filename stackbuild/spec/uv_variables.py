"""The settings of `[tool.uv]` that say how to reach things, as environment variables for every call of uv. Pure.

uv reads its settings from a file only when it locks. Where uv would combine a variable with a setting, both count;
elsewhere it prefers the variable, except for proxies.
"""

from collections.abc import Mapping

from stackbuild.spec.uv_settings import UvSettings

_SWITCHES = {
    "native-tls": ("UV_NATIVE_TLS",),
    "no-cache": ("UV_NO_CACHE",),
    "offline": ("UV_OFFLINE",),
    "system-certs": ("UV_SYSTEM_CERTS",),
}
"""Settings that are true or false. For uv, a variable does not turn off what a setting turns on."""
_PROXIES = {
    "http-proxy": ("HTTP_PROXY", "http_proxy"),
    "https-proxy": ("HTTPS_PROXY", "https_proxy"),
    "no-proxy": ("NO_PROXY", "no_proxy"),
}
_DEFAULTS = {
    "cache-dir": "UV_CACHE_DIR",
    "concurrent-downloads": "UV_CONCURRENT_DOWNLOADS",
    "concurrent-installs": "UV_CONCURRENT_INSTALLS",
    "keyring-provider": "UV_KEYRING_PROVIDER",
    "link-mode": "UV_LINK_MODE",
    "pypy-install-mirror": "UV_PYPY_INSTALL_MIRROR",
    "python-downloads-json-url": "UV_PYTHON_DOWNLOADS_JSON_URL",
    "python-install-mirror": "UV_PYTHON_INSTALL_MIRROR",
}
"""Settings that count if their variable is not set."""
_HOSTS = "UV_INSECURE_HOST"


def with_connection_settings(settings: UvSettings, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment variables together with those that the settings stand for."""
    given, found = settings.other, dict(environ)
    for key, names in (_SWITCHES | _PROXIES).items():
        if value := given.get(key):
            found |= dict.fromkeys(names, _text(value))
    for key, name in _DEFAULTS.items():
        if (value := given.get(key)) and not environ.get(name):
            found[name] = _text(value)
    if hosts := given.get("allow-insecure-host"):
        found[_HOSTS] = " ".join([*environ.get(_HOSTS, "").split(), *hosts])
    return found


def _text(value: object) -> str:
    """A value as uv reads it from a variable."""
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
