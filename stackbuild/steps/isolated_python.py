"""A Python to install with, which sees no installed package.

Every start of a Python executes what wheels put into `.pth` files and a `sitecustomize.py` of its `site-packages`, and
uv starts the one that it installs with. So a layer's packages are installed with an empty virtual environment of the
layer's runtime: nothing in the wheels of the layers below is executed where stacks are built.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stackbuild.environments.generated_files import pyvenv_cfg
from stackbuild.environments.layout import PYVENV_CFG
from stackbuild.environments.windows_launchers import windows_launchers
from stackbuild.project.layer import ProjectLayer
from stackbuild.system.files import link_or_copy, make_link, workplace, write_atomic


@contextmanager
def isolated_python(layer: ProjectLayer) -> Iterator[Path]:
    """The Python of `layer`'s built runtime, which must run here, in an empty environment that lasts for the block."""
    runtime = layer.runtime.environment
    base = runtime / layer.runtime.layout.python
    layout = layer.layout
    # Always the same folder, because uv remembers what it knows about a Python by its path.
    with workplace(layer.project.workspace.installing_folder(layer.build_name)) as folder:
        write_atomic(folder / PYVENV_CFG, pyvenv_cfg(layer.python.version, home=os.fspath(base.parent)))
        if layout.platform.is_windows:
            (folder / layout.scripts).mkdir()
            for name, source in windows_launchers(
                runtime, layer=layer.build_name, freethreaded=layout.kind.freethreaded
            ).items():
                link_or_copy(source, folder / layout.scripts / name)
        else:
            make_link(folder / layout.python, os.fspath(base))
        yield folder / layout.python
