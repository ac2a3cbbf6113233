"""Projects made to be run by both tools: specifications, wheels and modules that use what the format has.

The texts are formatted with the values of `write_project`.
"""

import sys
from pathlib import Path

from stackbuild.targets.platforms import current_platform

PYTHON = f"cpython@{'.'.join(map(str, sys.version_info[:3]))}"
HERE = current_platform()
ELSEWHERE = "win_amd64"

FEATURES = """
[[tool.uv.index]]
url = "{first}"
default = true

[[runtimes]]
name = "py"
fully_versioned_name = "{python}"
build_requirements = ["setuptools"]
requirements = ["base", "shade==1.0 ; sys_platform == 'win32'", "mixed ; platform_machine == 'x86_64'"]

[[runtimes]]
name = "py@2.0 second"
python_implementation = "{python}"
platforms = ["{here}", "macosx_arm64"]
versioned = true
requirements = []

[[frameworks]]
name = "A"
runtime = "py"
requirements = ["alpha"]

[[frameworks]]
name = "B"
frameworks = ["A"]
requirements = ["Beta[fast]>=1"]

[[frameworks]]
name = "C"
frameworks = ["A"]
build_requirements = ["wheel"]
requirements = ["shade==2.0 ; sys_platform == 'linux'", "mixed", "gamma"]

[[frameworks]]
name = "D"
frameworks = ["B", "C"]
versioned = true
requirements = ["delta", "shade==3.0 ; sys_platform == 'darwin'"]

[[frameworks]]
name = "E"
frameworks = ["B"]
linux_target = "glibc@2.34"
macosx_target = "14"
requirements = ["native"]

[[frameworks]]
name = "F"
frameworks = ["E"]
requirements = []

[[frameworks]]
name = "second.one"
runtime = "py@2.0 second"
versioned = true
requirements = ["alpha", "dropped ; sys_platform == 'win32'", "kept ; os_name == 'posix'"]

[[frameworks]]
name = "off"
runtime = "py"
platforms = []
requirements = ["no-such-package"]

[[applications]]
name = "main"
frameworks = ["D", "F"]
launch_module = "main.py"
support_modules = ["helpers", "a_helper.py"]
requirements = ["shade", "mixed", "epsilon"]

[[applications]]
name = "web"
frameworks = ["second.one"]
launch_module = "web_app"
versioned = true
requirements = ["alpha"]

[[applications]]
name = "outside"
runtime = "py"
launch_module = "../outside/tool.py"
support_modules = ["../outside/kit"]
requirements = ["base"]

[[applications]]
name = "odd @1.2 name"
frameworks = ["A"]
launch_module = "main_alone.py"
requirements = ["alpha", "beta"]

[[applications]]
name = "elsewhere"
runtime = "py"
platforms = ["{elsewhere}"]
launch_module = "main_alone.py"
requirements = ["shade", "windows-only"]

[[applications]]
name = "here"
frameworks = ["C"]
platforms = ["{here}"]
launch_module = "main_alone.py"
requirements = ["local-only", "shade", "dropped ; sys_platform == 'win32'"]

[[applications]]
name = "off"
runtime = "py"
platforms = []
launch_module = "main_alone.py"
requirements = ["no-such-package"]
"""

INDEXES = """
[[tool.uv.index]]
name = "first"
url = "{first}"
default = true

[[tool.uv.index]]
name = "second"
url = "{second}"
explicit = true

[tool.uv.sources]
Gamma = {{ index = "second" }}

[[runtimes]]
name = "py"
python_implementation = "{python}"
package_indexes = {{ alpha = "second" }}
requirements = ["base"]

[[frameworks]]
name = "left"
runtime = "py"
package_indexes = {{ "Del.ta" = "second" }}
requirements = ["alpha", "gamma", "delta"]

[[frameworks]]
name = "right"
runtime = "py"
package_indexes = {{ delta = "first" }}
requirements = ["delta", "epsilon"]

[[frameworks]]
name = "hurried"
runtime = "py"
priority_indexes = ["second"]
requirements = ["base", "epsilon"]

[[applications]]
name = "both"
frameworks = ["left", "right"]
index_overrides = {{ first = "second" }}
package_indexes = {{ kept = "second" }}
launch_module = "main_alone.py"
requirements = ["delta", "kept", "epsilon"]
"""

_COUNTED = """
[[runtimes]]
name = "py"
python_implementation = "{python}"
versioned = true
requirements = ["base"]

[[frameworks]]
name = "low"
runtime = "py"
versioned = true
requirements = ["alpha"]

[[frameworks]]
name = "aside"
runtime = "py"
requirements = ["gamma"]

[[frameworks]]
name = "high"
frameworks = ["low"]
requirements = ["beta"]

[[applications]]
name = "counted"
frameworks = ["high"]
versioned = true
launch_module = "main_alone.py"
support_modules = ["a_helper.py"]
requirements = ["delta"]

[[applications]]
name = "plain"
frameworks = ["aside"]
launch_module = "main_alone.py"
requirements = []
"""

CHANGES = f"""
[[tool.uv.index]]
url = "{{first}}"
default = true
{_COUNTED}"""

FOUND_LINKS = f"""
[tool.uv]
no-index = true
find-links = ["{{wheels}}"]
{_COUNTED}"""

RUNTIME_ONLY = """
[[runtimes]]
name = "py"
python_implementation = "{python}"
requirements = []
"""

PARTLY = """
[[tool.uv.index]]
url = "{first}"
default = true

[[runtimes]]
name = "py"
python_implementation = "{python}"
requirements = ["base"]

[[frameworks]]
name = "partly"
runtime = "py"
platforms = ["linux_x86_64", "linux_aarch64", "win_amd64", "macosx_arm64"]
requirements = [
    "kept ; sys_platform != 'darwin'",
    "mixed ; platform_machine == 'x86_64' or sys_platform == 'darwin'",
    "dropped ; sys_platform == 'win32' and platform_machine == 'ARM64'",
    "shade==1.0 ; sys_platform == 'win32'",
    "shade==2.0 ; sys_platform == 'linux' and platform_machine == 'x86_64'",
    "delta ; os_name == 'posix'",
]

[[frameworks]]
name = "linux"
frameworks = ["partly"]
platforms = ["linux_x86_64", "linux_aarch64"]
requirements = ["kept", "shade ; platform_machine == 'x86_64'", "mixed ; sys_platform == 'linux'", "delta"]
"""

_MODULES = {
    "project/main.py": """
import a_helper, alpha, beta, epsilon, gamma, helpers.deep, mixed, shade
print(a_helper.WORD, helpers.deep.WORD, __name__)
for package in (alpha, beta, epsilon, gamma, mixed, shade):
    print(package.__name__, package.VERSION, package.layer())
""",
    "project/main_alone.py": "import base, sys\nprint(base.layer(), len(sys.argv))\n",
    "project/a_helper.py": "WORD = 'helped'\n",
    "project/helpers/__init__.py": "",
    "project/helpers/deep.py": "WORD = 'deeply'\n",
    "project/helpers/data/words.txt": "data\n",
    "project/web_app/__init__.py": "",
    "project/web_app/__main__.py": "import alpha, kept\nprint(alpha.layer(), kept.layer(), __package__)\n",
    "outside/tool.py": "import base, kit.inner\nprint(base.layer(), kit.inner.WORD)\n",
    "outside/kit/__init__.py": "",
    "outside/kit/inner.py": "WORD = 'from outside'\n",
}


def write_files(root: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")


def write_project(root: Path, specification: str, **values: str) -> Path:
    """Put a specification and the modules it may name below `root`; returns the folder of the specification.

    Values: `first` and `second`, the URLs of indexes; `wheels`, a folder for `find-links`.
    """
    write_files(root, _MODULES)
    project = root / "project"
    text = specification.format(python=PYTHON, here=HERE, elsewhere=ELSEWHERE, **values)
    (project / "venvstacks.toml").write_text(text, encoding="utf-8")
    return project
