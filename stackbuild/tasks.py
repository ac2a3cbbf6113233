"""What a `dodo.py` needs: `DOIT_CONFIG, task_stack = load_stack("venvstacks.toml")`."""

import gc
import sys

# Importing allocates much and frees nothing: looking for garbage in it, now or later, takes a tenth of a run in which
# nothing changed.
gc.disable()

from stackbuild.system.interrupts import leave_at_interrupts  # noqa: E402

if "doit.loader" in sys.modules:  # doit reads a dodo.py: else this is another program's process
    leave_at_interrupts()  # until doit runs or cleans steps, which handle Ctrl-C themselves

from stackbuild.engine.running import load_stack  # noqa: E402

gc.freeze()
gc.enable()

__all__ = ["load_stack"]
