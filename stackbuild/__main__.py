"""`python -m stackbuild`."""

import gc
import os
import sys


def main() -> None:
    """The console script."""
    # Most of a short run is importing, which frees nothing. `cli.commands` enables it before anything runs.
    gc.disable()
    from stackbuild.system.terminal import prepare_streams

    prepare_streams()
    _leave_at_interrupts()
    if sys.argv[1:] in (["--version"], ["-V"]):
        _print_version()
        return
    from stackbuild.cli import app as cli  # slow: only the program needs it

    cli.main()


def _leave_at_interrupts() -> None:
    """Until a command begins its work, Ctrl-C has nothing to clean up, and must not raise inside of imports."""
    import signal

    from stackbuild.errors import EXIT_INTERRUPTED

    def leave(_number: int, _frame: object) -> None:
        os.write(2, b"error: interrupted\n")
        os._exit(EXIT_INTERRUPTED)

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, leave)


def _print_version() -> None:
    """Print the version as `cli` does, without the time that importing it takes."""
    from stackbuild import __version__
    from stackbuild.system.terminal import print_text

    print_text(f"stackbuild {__version__}")


if __name__ == "__main__":
    main()
