"""The tasks of an example stack: `doit`, or `doit spec=specs/sklearn/venvstacks.toml` for another one."""

from doit import get_var

from stackbuild.tasks import load_stack

DOIT_CONFIG, task_stack = load_stack(get_var("spec", "specs/quickstart/venvstacks.toml"))
