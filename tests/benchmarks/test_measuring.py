"""What the benchmarks say of a program: of its children as well."""

import os
import sys
from pathlib import Path

import pytest

from tests.benchmarks.measuring import ProgramFailed, measure

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is looked up in /proc")

USE_MEMORY = "data = bytearray(100 << 20)"
IN_A_CHILD = f"""
import subprocess, sys
subprocess.run([sys.executable, "-c", "import time; {USE_MEMORY}; time.sleep(0.4)"], check=True)
"""


def test_memory_and_time_of_children_count(tmp_path: Path) -> None:
    measured = measure((sys.executable, "-c", IN_A_CHILD), cwd=tmp_path, env=os.environ)
    assert 100e6 < measured.peak < 200e6
    assert measured.wall > 0.4
    assert 0 < measured.cpu < measured.wall
    assert not list(tmp_path.iterdir())


def test_cpu_seconds_of_children_count(tmp_path: Path) -> None:
    busy = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'sum(range(10**7))'], check=True)"
    assert measure((sys.executable, "-c", busy), cwd=tmp_path, env=os.environ).cpu > 0.1


def test_a_program_that_fails_ends_the_benchmark_with_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(ProgramFailed, match="exit 3\nno such thing"):
        measure((sys.executable, "-c", "print('no such thing'); exit(3)"), cwd=tmp_path, env=os.environ)
