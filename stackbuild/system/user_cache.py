"""Where things are kept that serve every project of a user."""

import os
from collections.abc import Mapping
from pathlib import Path


def cache_folder(environ: Mapping[str, str]) -> Path:
    """The folder for caches: `STACKBUILD_CACHE_DIR`, else ours in the user's folder for caches."""
    named = environ.get("STACKBUILD_CACHE_DIR")
    if named:
        return Path(os.path.abspath(named))
    from platformdirs import user_cache_dir  # noqa: PLC0415 (slow to import)

    return Path(user_cache_dir("stackbuild", appauthor=False))
