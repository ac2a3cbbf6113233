"""Ctrl-C before any work has begun."""

import os
import signal
import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["stackbuild.tasks", "stackbuild.system.interrupts"])
def test_an_interrupt_before_any_work_is_a_sentence(module: str) -> None:
    calls = "" if module.endswith("tasks") else f"{module}.leave_at_interrupts(); "
    code = f"import os, signal, time, {module}; {calls}os.kill(os.getpid(), signal.SIGINT); time.sleep(60)"
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # else the child ignores it in some shells
    try:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=os.environ)
    finally:
        signal.signal(signal.SIGINT, before)
    assert (done.returncode, done.stderr) == (130, "error: interrupted\n")
