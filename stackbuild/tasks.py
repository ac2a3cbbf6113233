"""What a `dodo.py` needs: `DOIT_CONFIG, task_stack = load_stack("venvstacks.toml")`."""

from stackbuild.engine.tasks import load_stack

__all__ = ["load_stack"]
