"""Programs that wheels bring in `.data/scripts`, in exports and archives."""

import subprocess
from pathlib import Path

from stackbuild.archive_reader import unpack_archive
from tests.integration.small_stack import entry, runtime, settings, small_stack, specify
from tests.integration.stack_project import make_wheel, module


def test_native_programs_and_shell_scripts_run_and_those_of_python_are_left_out(
    tmp_path: Path, clean_env: dict[str, str]
) -> None:
    scripts: dict[str, str | bytes] = {
        "tool-1.0.data/scripts/native": Path("/bin/echo").resolve().read_bytes(),
        "tool-1.0.data/scripts/shell": "#!/bin/sh\necho from a shell\n",
        "tool-1.0.data/scripts/installed": "#!python\nprint(1)\n",
    }
    stack = small_stack(tmp_path / "project", clean_env)
    make_wheel(stack.root / "wheels", "tool", "1.0", {**module("tool", "1.0"), **scripts}, scripts=("made",))
    specify(stack, settings("no-index = true", 'find-links = ["wheels"]'), runtime("tool"))
    stack.doit()
    assert entry(stack, "tool")
    (archive,) = stack.root.glob("_artifacts/py.tar*")
    unpack_archive(archive, tmp_path / "unpacked")
    for layer in (stack.root / "_export" / "py", tmp_path / "unpacked" / "py"):
        assert not {"installed", "made"} & {path.name for path in (layer / "bin").iterdir()}
        said = [subprocess.check_output([layer / "bin" / name, "hello"], text=True) for name in ("native", "shell")]
        assert said == ["hello\n", "from a shell\n"]
    assert "0 tasks run" in stack.doit().stdout
