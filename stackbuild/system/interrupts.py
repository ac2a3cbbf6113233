"""Ctrl-C before anything has begun that must be cleaned up."""

import contextlib
import os
import signal

from stackbuild.errors import EXIT_INTERRUPTED


def leave_at_interrupts() -> None:
    """Until a command begins its work, Ctrl-C ends the program at once: it must not raise inside of imports.

    Does nothing where somebody else handles Ctrl-C, or in another thread than the main one.
    """

    def leave(_number: int, _frame: object) -> None:
        os.write(2, b"error: interrupted\n")
        os._exit(EXIT_INTERRUPTED)

    with contextlib.suppress(ValueError):
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, leave)
