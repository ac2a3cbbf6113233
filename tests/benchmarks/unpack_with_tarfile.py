"""Unpack archives as users of venvstacks do, then finish the layers: `unpack_with_tarfile.py TARGET ARCHIVE…`.

The archives come lowest layer first. The trusting filter is the fastest.
"""

import subprocess
import sys
import tarfile
from pathlib import Path

target, *archives = map(Path, sys.argv[1:])
layers = []
for archive in archives:
    with tarfile.open(archive) as opened:
        first = opened.next()
        assert first is not None
        layers.append(target / first.name.split("/")[0])
        opened.extractall(target, filter="fully_trusted")
for layer in layers:
    subprocess.run([sys.executable, "-I", layer / "postinstall.py"], check=True)
