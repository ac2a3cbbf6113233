"""`python -m stackbuild`."""

import gc
import sys


def main() -> None:
    """The console script."""
    # Most of a short run is importing, which frees nothing. `cli.commands` enables it before anything runs.
    gc.disable()
    from stackbuild.system.interrupts import leave_at_interrupts
    from stackbuild.system.terminal import prepare_streams

    prepare_streams()
    leave_at_interrupts()
    if sys.argv[1:] in (["--version"], ["-V"]):
        _print_version()
        return
    from stackbuild.cli import app as cli  # slow: only the program needs it

    cli.main()


def _print_version() -> None:
    """Print the version as `cli` does, without the time that importing it takes."""
    from stackbuild import __version__
    from stackbuild.system.terminal import print_text

    print_text(f"stackbuild {__version__}")


if __name__ == "__main__":
    main()
