"""Ctrl-C and signals that end a run."""

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

from stackbuild.errors import EXIT_INTERRUPTED
from stackbuild.run.results import RunResults
from stackbuild.system import process


def catch_signals(results: RunResults) -> None:
    """From now on Ctrl-C, SIGTERM and SIGHUP stop the children, then raise `KeyboardInterrupt` in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        return

    def interrupt(_number: int, _frame: object) -> None:
        if results.unfinished is not None:
            return  # it is stopping already
        results.unfinished = tuple(results.running)  # no lock: the thread that holds it may be this one
        process.stop_all()
        raise KeyboardInterrupt

    _handle_signals(interrupt)


def exit_on_signals(told: str) -> None:
    """From now on Ctrl-C, SIGTERM and SIGHUP end the program with this message. Called in the main thread."""

    def end(_number: int, _frame: object) -> None:
        _handle_signals(lambda _number, _frame: None)  # it is ending already
        os.write(2, f"error: {told}\n".encode())  # not `print`, which may be what is interrupted
        raise SystemExit(EXIT_INTERRUPTED)

    _handle_signals(end)


def wait_until_stopped(results: RunResults, *, seconds: float) -> None:
    """After an interrupt: give the steps in other threads some time to clean up."""
    with results.changed:
        results.changed.wait_for(lambda: not results.running, timeout=seconds)


def _handle_signals(handler: Callable[[int, FrameType | None], None]) -> None:
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # Windows has no SIGHUP
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # ignored: nohup
            signal.signal(number, handler)
