"""The uv that comes with stackbuild, and the environment that it is run in."""

import functools
import os
from collections.abc import Mapping

_KEPT_VARIABLES = frozenset(
    {
        "UV_ASTRAL_MIRROR_URL",
        "UV_CACHE_DIR",
        "UV_NO_CACHE",
        "UV_CONCURRENT_DOWNLOADS",
        "UV_CONCURRENT_INSTALLS",
        "UV_CREDENTIALS_DIR",
        "UV_GITHUB_TOKEN",
        "UV_HTTP_CONNECT_TIMEOUT",
        "UV_HTTP_TIMEOUT",
        "UV_HTTP_RETRIES",
        "UV_INSECURE_HOST",
        "UV_KEYRING_PROVIDER",
        "UV_LINK_MODE",
        "UV_NATIVE_TLS",
        "UV_SYSTEM_CERTS",
        "UV_OFFLINE",
        "UV_PYTHON_INSTALL_MIRROR",
        "UV_PYPY_INSTALL_MIRROR",
        "UV_PYTHON_DOWNLOADS_JSON_URL",
        "UV_REQUEST_TIMEOUT",
    }
)


_DROPPED_VARIABLES = frozenset({"VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP"})


@functools.cache
def executable() -> str:
    """The uv that comes with stackbuild's own environment."""
    import uv  # looks for files at import

    return os.fspath(uv.find_uv_bin())


def clean_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment for uv, without variables that change what is resolved or where it is installed."""
    kept = {
        name: value
        for name, value in environ.items()
        if name not in _DROPPED_VARIABLES
        and (not name.startswith("UV_") or name in _KEPT_VARIABLES or _is_credential(name))
    }
    if kept.get("UV_LINK_MODE") == "symlink":
        del kept["UV_LINK_MODE"]  # layers must not have links into the cache of this machine
    return {**kept, "UV_NO_PROGRESS": "1", "NO_COLOR": "1", "UV_PREVIEW_FEATURES": "pylock"}


def _is_credential(name: str) -> bool:
    return name.startswith("UV_INDEX_") and name.endswith(("_USERNAME", "_PASSWORD"))
