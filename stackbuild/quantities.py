"""Sizes and times for people. Needs nothing that is slow to import."""


def format_size(size: int) -> str:
    """Bytes for people, decimal: `38.1 MB`, `4.0 kB`."""
    value = float(size)
    for unit in ("B", "kB", "MB"):
        if value < 1000:  # noqa: PLR2004 (decimal units)
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.2f} GB"


def format_seconds(seconds: float) -> str:
    """Seconds for people: `0.4 s`, `2 min 5 s`."""
    if seconds < 60:  # noqa: PLR2004 (a minute)
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60} s"
