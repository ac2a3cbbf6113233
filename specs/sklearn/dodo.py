"""The tasks of this stack: run `doit` in this folder."""

from stackbuild.tasks import load_stack

DOIT_CONFIG, task_stack = load_stack("venvstacks.toml")
