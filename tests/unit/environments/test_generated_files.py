"""Texts and links of a layer: exact, relative, and working where they are put."""

from dataclasses import replace
from pathlib import PurePosixPath

from stackbuild.environments.generated_files import (
    GeneratedFile,
    GeneratedLink,
    LayerConfig,
    LayerSurroundings,
    Peer,
    environment_files,
    launch_command,
    layer_config,
    postinstall_script,
    published_files,
    pyvenv_cfg,
    sitecustomize,
)
from stackbuild.environments.layout import EnvironmentLayout
from stackbuild.environments.python_wrapper import python_wrapper
from stackbuild.spec.models import InstallTarget
from stackbuild.targets.platforms import TargetPlatform
from stackbuild.targets.pythons import PythonKind


def layout(*, is_runtime: bool = False, platform: TargetPlatform = TargetPlatform.LINUX_X86_64) -> EnvironmentLayout:
    return EnvironmentLayout(python_version="3.11.13", platform=platform, is_runtime=is_runtime)


def peer(name: str, *, is_runtime: bool = False, platform: TargetPlatform = TargetPlatform.LINUX_X86_64) -> Peer:
    return Peer(target=InstallTarget(name), layout=layout(is_runtime=is_runtime, platform=platform))


def application(platform: TargetPlatform = TargetPlatform.LINUX_X86_64) -> LayerSurroundings:
    return LayerSurroundings(
        layout=layout(platform=platform),
        python_version="3.11.13",
        lower=(
            peer("framework-near@2", platform=platform),
            peer("framework-far's", platform=platform),
            peer("base", is_runtime=True, platform=platform),
        ),
        launch_module="shop",
    )


RUNTIME = LayerSurroundings(layout=layout(is_runtime=True), python_version="3.11.13", lower=())
SITE = "lib/python3.11/site-packages"


def test_layered_environment_has_links_configuration_and_import_path() -> None:
    assert environment_files(application(), wrapped=False) == (
        GeneratedLink(path=PurePosixPath("bin/python"), target=PurePosixPath("../share/venv/runtime/bin/python3.11")),
        GeneratedLink(path=PurePosixPath("share/venv/runtime"), target=PurePosixPath("../../../base")),
        GeneratedLink(path=PurePosixPath("bin/python3"), target=PurePosixPath("python")),
        GeneratedLink(path=PurePosixPath("bin/python3.11"), target=PurePosixPath("python")),
        GeneratedFile(
            path=PurePosixPath("pyvenv.cfg"),
            text="include-system-site-packages = false\nversion = 3.11.13\n",
        ),
        GeneratedFile(
            path=PurePosixPath(SITE, "00_layers_below.pth"),
            text=f"../../../../framework-near@2/{SITE}\n../../../../framework-far's/{SITE}\n../../../../base/{SITE}\n",
        ),
        GeneratedFile(path=PurePosixPath(SITE, "sitecustomize.py"), text=sitecustomize(application(), wrapped=False)),
    )


def test_above_dynamic_libraries_python_is_a_script_beside_the_link_to_the_runtime() -> None:
    plain, wrapped = (environment_files(application(), wrapped=wrapped) for wrapped in (False, True))
    assert wrapped[:2] == (
        GeneratedFile(
            path=PurePosixPath("bin/python"),
            text=python_wrapper(
                TargetPlatform.LINUX_X86_64,
                base_python=PurePosixPath("base/bin/python3.11"),
                folders=[
                    PurePosixPath(name, "share/venv/dynlib") for name in ("framework-near@2", "framework-far's", "base")
                ],
            ),
            mode=0o755,
        ),
        GeneratedLink(path=PurePosixPath("bin/python_"), target=PurePosixPath("../../base/bin/python3.11")),
    )
    assert wrapped[2:-1] == plain[2:-1]
    assert wrapped[-1] == GeneratedFile(
        path=PurePosixPath(SITE, "sitecustomize.py"), text=sitecustomize(application(), wrapped=True)
    )


def test_runtime_has_no_generated_files_of_an_environment() -> None:
    assert environment_files(RUNTIME, wrapped=False) == ()
    assert [str(item.path) for item in published_files(RUNTIME, wrapped=False)] == [
        "share/venv/metadata/venvstacks_layer.json",
        "postinstall.py",
    ]


def test_published_layer_has_its_configuration_and_post_install_script_too() -> None:
    published = published_files(application(), wrapped=False)
    assert published[:7] == environment_files(application(), wrapped=False)
    assert published[7:] == (
        GeneratedFile(
            path=PurePosixPath("share/venv/metadata/venvstacks_layer.json"),
            text=layer_config(application()).to_json(),
        ),
        GeneratedFile(path=PurePosixPath("postinstall.py"), text=postinstall_script()),
    )


def test_other_letters_than_ascii_get_into_no_pth_file() -> None:
    peer = Peer(target=InstallTarget("bäse"), layout=RUNTIME.layout)
    found = environment_files(replace(application(), lower=(peer,)), wrapped=False)
    assert not [item for item in found if item.path.suffix == ".pth"]


def test_pyvenv_cfg_has_no_home() -> None:
    assert pyvenv_cfg("3.12.1") == "include-system-site-packages = false\nversion = 3.12.1\n"


def test_configuration_of_a_layered_environment() -> None:
    lower = ["../framework-near@2", "../framework-far's", "../base"]
    assert layer_config(application()) == LayerConfig(
        python="bin/python",
        py_version="3.11.13",
        base_python="../base/bin/python",
        site_dir=SITE,
        pylib_dirs=tuple(f"{folder}/{SITE}" for folder in lower),
        dynlib_dirs=tuple(f"{folder}/share/venv/dynlib" for folder in lower),
        launch_module="shop",
    )


def test_configuration_of_a_runtime_is_about_itself() -> None:
    assert layer_config(RUNTIME) == LayerConfig(
        python="bin/python",
        py_version="3.11.13",
        base_python="bin/python",
        site_dir=SITE,
        pylib_dirs=(),
        dynlib_dirs=(),
    )


def test_configuration_on_windows() -> None:
    config = layer_config(application(TargetPlatform.WIN_AMD64))
    assert (config.python, config.base_python) == ("Scripts\\python.exe", "..\\base\\python.exe")
    assert config.pylib_dirs[0] == "..\\framework-near@2\\Lib\\site-packages"
    assert config.dynlib_dirs[-1] == "..\\base\\Library\\bin"


def test_environment_on_windows_has_no_links_and_knows_its_runtime_where_that_is_known() -> None:
    plan = application(TargetPlatform.WIN_AMD64)
    config, early, customize = environment_files(plan, wrapped=False)
    assert config == GeneratedFile(path=PurePosixPath("pyvenv.cfg"), text=pyvenv_cfg("3.11.13"))
    assert early.path == PurePosixPath("Lib/site-packages/00_layers_below.pth")
    assert customize.path == PurePosixPath("Lib/site-packages/sitecustomize.py")
    assert isinstance(customize, GeneratedFile)
    facts = [line for line in customize.text.splitlines() if line.startswith(("LIBRARIES", "BASE_PYTHON", "UPWARDS"))]
    folders = ("framework-near@2/Library/bin", "framework-far's/Library/bin", "base/Library/bin")
    assert facts == [
        "UPWARDS = '../..'  # from here to the layer's folder",
        f'LIBRARIES: "tuple[str, ...]" = {folders!r}  # folders of DLLs, on Windows',
        "BASE_PYTHON = 'base/python.exe'  # that of the runtime",
    ]
    home = environment_files(replace(plan, home="C:\\layers\\base"), wrapped=False)[0]
    assert isinstance(home, GeneratedFile)
    assert home.text.splitlines()[0] == "home = C:\\layers\\base"


def test_post_install_script_stands_alone() -> None:
    script = postinstall_script()
    compile(script, "postinstall.py", "exec")
    assert "stackbuild" not in script


def test_launch_command_runs_the_module_with_the_layers_python() -> None:
    assert launch_command("/out/app-shop", layout(), "shop") == ("/out/app-shop/bin/python", "-I", "-m", "shop")


def test_layer_of_a_free_threaded_python_has_its_command_and_folders() -> None:
    layouts = [
        EnvironmentLayout(
            python_version="3.13.2",
            platform=TargetPlatform.LINUX_X86_64,
            is_runtime=is_runtime,
            kind=PythonKind.FREETHREADED_CPYTHON,
        )
        for is_runtime in (False, True)
    ]
    runtime = Peer(target=InstallTarget("base"), layout=layouts[1])
    deployment = LayerSurroundings(layout=layouts[0], python_version="3.13.2", lower=(runtime,))
    links = {
        str(item.path): str(item.target)
        for item in environment_files(deployment, wrapped=False)
        if isinstance(item, GeneratedLink)
    }
    assert links == {
        "bin/python": "../share/venv/runtime/bin/python3.13t",
        "share/venv/runtime": "../../../base",
        **dict.fromkeys(("bin/python3", "bin/python3.13", "bin/python3.13t"), "python"),
    }
    config = layer_config(deployment)
    assert config.py_version == "3.13.2"
    assert config.site_dir == "lib/python3.13t/site-packages"
    assert config.pylib_dirs == ("../base/lib/python3.13t/site-packages",)
