"""Names that files cannot have on Windows."""

import re

_BAD = re.compile(
    r"""[\x00-\x1f<>:"|?*\\]  # not in names
    | (?:^|/)(?!\.\.?(?:/|$))[^/]*[.\ ](?:/|$)  # dropped from the end
    | (?:^|/)(?:aux|con|nul|prn|(?:com|lpt)[0-9¹²³])\ *(?:[./]|$)  # devices, in every folder""",
    re.IGNORECASE | re.VERBOSE,
)


def is_bad_on_windows(path: str) -> bool:
    """Whether some name of a `/`-separated path is one that Windows cannot have, or takes for something else."""
    return _BAD.search(path) is not None
