"""The cache folder that all projects of a user share."""

import os
from collections.abc import Mapping
from pathlib import Path


def cache_folder(environ: Mapping[str, str]) -> Path:
    """The cache folder: `STACKBUILD_CACHE_DIR`, else `stackbuild` in the user's cache folder."""
    named = environ.get("STACKBUILD_CACHE_DIR")
    if named:
        return Path(os.path.abspath(named))
    from platformdirs import user_cache_dir  # slow to import

    return Path(user_cache_dir("stackbuild", appauthor=False))
