"""Ctrl-C before any work has begun."""

import os
import signal
import subprocess
import sys

import pytest

INTERRUPT = "import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(60)"


@pytest.mark.parametrize(
    "preparing",
    [
        "import doit.loader, stackbuild.tasks",  # as a dodo.py that doit reads
        "from stackbuild.system.interrupts import leave_at_interrupts; leave_at_interrupts()",
    ],
)
def test_an_interrupt_before_any_work_is_a_sentence(preparing: str) -> None:
    assert interrupted(preparing) == (130, "error: interrupted\n")


def test_another_program_keeps_its_own_handling() -> None:
    handled = "signal.signal(signal.SIGINT, lambda *_: os._exit(7))"
    assert interrupted("import stackbuild.tasks")[1].endswith("KeyboardInterrupt\n")
    assert interrupted(f"import os, signal, stackbuild.tasks; {handled}") == (7, "")


def interrupted(preparing: str) -> tuple[int, str]:
    """The exit code and the errors of a Python that is interrupted after this code."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # else the child ignores it in some shells
    try:
        code = f"{preparing}\n{INTERRUPT}"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=os.environ)
    finally:
        signal.signal(signal.SIGINT, before)
    return done.returncode, done.stderr
