"""The stacks that are measured, and one of them in the hands of one tool."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.measuring import Measured, measure
from tests.integration.peer.pair import SPECIFICATION, Tool
from tests.integration.peer.specifications import HERE, PYTHON, write_files

SIX_LAYERS = """
[[runtimes]]
name = "python"
python_implementation = "{python}"
platforms = ["{here}"]
requirements = ["numpy"]

[[frameworks]]
name = "scipy"
runtime = "python"
versioned = true
requirements = ["scipy"]

[[frameworks]]
name = "sklearn"
frameworks = ["scipy"]
requirements = ["scikit-learn"]

[[frameworks]]
name = "httpx"
runtime = "python"
requirements = ["httpx"]

[[applications]]
name = "classify"
launch_module = "classify.py"
frameworks = ["sklearn", "httpx"]
requirements = []

[[applications]]
name = "fetch"
launch_module = "fetch.py"
frameworks = ["httpx"]
requirements = []
"""

SIX_LAYERS_MODULES = {
    "classify.py": "import httpx, numpy, scipy.integrate, scipy.stats, sklearn.ensemble, sklearn.linear_model\n",
    "fetch.py": "import httpx, numpy\n",
}
APPLICATIONS = tuple(module.removesuffix(".py") for module in SIX_LAYERS_MODULES)

LARGE_LAYER = """
[[runtimes]]
name = "python"
python_implementation = "{python}"
platforms = ["{here}"]
requirements = []

[[frameworks]]
name = "large"
runtime = "python"
requirements = ["catboost", "jax", "numba", "onnxruntime", "polars", "pyarrow", "ray", "scikit-learn"]
"""


@dataclass(frozen=True, kw_only=True)
class Program:
    """A tool at work in a project folder of its own."""

    folder: Path
    tool: Tool

    @classmethod
    def start(cls, folder: Path, tool: Tool, specification: str, modules: dict[str, str]) -> "Program":
        """A tool in a new project. `folder` is made, and must not be there yet."""
        folder.mkdir(parents=True)
        text = specification.format(python=PYTHON, here=HERE)
        write_files(folder, {SPECIFICATION: text, **modules})
        return cls(folder=folder, tool=tool)

    def checkout(self, folder: Path) -> "Program":
        """The same tool in a new project of the same files and locks, in which nothing is built."""
        made = {"_build", "_artifacts", "_export"}
        shutil.copytree(self.folder, folder, ignore=lambda _folder, names: made.intersection(names))
        return Program(folder=folder, tool=self.tool)

    def run(self, *commands: str) -> Measured:
        """Run commands one after another, each with its options: what they took together."""
        return Measured.total(self._run(*command.split()) for command in commands)

    def _run(self, command: str, *options: str) -> Measured:
        argv = (*self.tool.command, command, SPECIFICATION, *options)
        return measure(argv, cwd=self.folder, env=self.tool.env)

    def launch(self, folder: str, applications: Sequence[str]) -> Measured:
        """Run deployed applications to their end, one after another."""
        pythons = [(self.folder / folder / f"app-{name}" / "bin" / "python", name) for name in applications]
        return Measured.total(
            measure((python, "-I", "-m", name), cwd=self.folder, env={"PATH": self.tool.env["PATH"]})
            for python, name in pythons
        )

    def environments(self) -> list[Path]:
        """The build environments of the layers."""
        return sorted(path for path in (self.folder / "_build").iterdir() if not path.name.startswith("."))

    def archives(self, folder: str) -> dict[str, Path]:
        """The archives that a publication made, by the names of their layers, in an order to unpack them."""
        root = self.folder / folder
        manifest = json.loads((root / "__venvstacks__" / "venvstacks.json").read_text(encoding="utf-8"))
        layers = manifest["layers"]
        return {
            layer["layer_name"]: root / layer["archive_name"]
            for category in ("runtimes", "frameworks", "applications")
            for layer in layers[category]
        }
