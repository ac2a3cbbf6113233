"""What a person reads when uv fails: texts that several releases of uv wrote, and what is made of them."""

import sys
from pathlib import Path

import pytest

from stackbuild.locking.pylock import LockedPackage, LowerPackage
from stackbuild.locking.refinement import LockTarget
from stackbuild.spec.models import BuildName
from stackbuild.spec.stack import read_stack
from stackbuild.targets.platforms import TargetPlatform
from stackbuild.targets.pythons import PythonKind
from stackbuild.uv.conflicts import Resolution
from stackbuild.uv.failures import installation_error, resolution_error
from stackbuild.uv.report import UvReport

SPECIFICATION = """
[tool.uv]
resolution = "oldest"
[[tool.uv.index]]
name = "my-index"
url = "http://me:secret@127.0.0.1:8000/simple"
[[tool.uv.index]]
url = "http://127.0.0.1:9000/root/simple"

[[runtimes]]
name = "py"
python_implementation = "cpython@3.11.13"
requirements = ["alpha"]

[[frameworks]]
name = "f"
runtime = "py"
requirements = ["beta"]
"""
PIN = LockedPackage(name="alpha", version="1.0")
WINDOWS_PIN = LockedPackage(name="alpha", version="1.0", marker="sys_platform == 'win32'")


def asked(folder: Path, *pins: LockedPackage, text: str = SPECIFICATION, query_index: bool = True) -> Resolution:
    path = folder / "venvstacks.toml"
    path.write_text(text, encoding="utf-8")
    stack = read_stack(path)
    linked = stack.by_build_name[BuildName("framework-f")]
    return Resolution(
        linked=linked,
        settings=stack.spec.uv,
        lower=[LowerPackage(package=pin, provider="py") for pin in pins],
        target=LockTarget(
            platforms=tuple(sorted(TargetPlatform)),
            python_version="3.11.13",
            kind=PythonKind.CPYTHON,
            linux_target=linked.layer.parsed_linux_target,
            macos_target=(13, 0),
        ),
        files={
            "pyproject.toml": '[project]\nname = "x"\ndependencies = [\n    "a",\n]\n\n[tool.uv]\nenvironments = [\n    "x",\n]\n',
            "uv.toml": 'resolution = "oldest"\n\n[[index]]\nname = "my-index"\nformat = "round"\n',
        },
        query_index=query_index,
    )


# Layouts

OF_0_13 = """\
error: No solution found when resolving dependencies for split (markers: sys_platform == 'win32')
  cause: Because all versions of beta depend on alpha>=2 and alpha{sys_platform == 'win32'}==1.0, we can conclude that all versions of beta cannot be used.
         And because your project depends on beta, we can conclude that your project's requirements are unsatisfiable.

hint: The resolution failed for an environment that is not the current one, consider limiting the environments with `tool.uv.environments`.
"""
OF_0_12 = """\
  × No solution found when resolving dependencies for split (markers:
  │ sys_platform == 'win32'):
  ╰─▶ Because all versions of beta depend on alpha>=2 and alpha{sys_platform ==
      'win32'}==1.0, we can conclude that all versions of beta cannot be used.
      And because your project depends on beta, we can conclude that your
      project's requirements are unsatisfiable.

hint: The resolution failed for an environment that is not the current one, consider limiting the environments with `tool.uv.environments`.
"""
OF_0_9 = """\
  × No solution found when resolving dependencies for split (markers:
  │ sys_platform == 'win32'):
  ╰─▶ Because all versions of beta depend on alpha>=2 and alpha{sys_platform ==
      'win32'}==1.0, we can conclude that all versions of beta cannot be used.
      And because your project depends on beta, we can conclude that your
      project's requirements are unsatisfiable.

      hint: The resolution failed for an environment that is not the current
      one, consider limiting the environments with `tool.uv.environments`.
"""


@pytest.mark.parametrize("said", [OF_0_13, OF_0_12, OF_0_9])
def test_conflict_with_a_conditional_pin_is_told_alike_for_all_layouts_of_uv(said: str, tmp_path: Path) -> None:
    error = resolution_error(asked(tmp_path, WINDOWS_PIN), said)
    assert str(error) == (
        "framework-f: its requirements cannot be resolved\n"
        "  on win_amd64, win_arm64 (where sys_platform == 'win32'):\n"
        "  Because all versions of beta depend on alpha>=2 and alpha==1.0 (pinned by py where sys_platform ==\n"
        "    'win32'), all versions of beta cannot be used.\n"
        "  And because framework-f depends on beta, the requirements of framework-f are unsatisfiable.\n"
        "\n"
        "hint: layers below pin alpha==1.0 ; sys_platform == 'win32' (from py): "
        "change the requirement here or in that layer"
    )


def test_report_keeps_the_lines_of_what_is_no_prose_and_leaves_out_warnings() -> None:
    said = "warning: old\nerror: Git failed\n  cause: it said:\n         --- stderr\n         fatal: no\n\n         Try again"
    assert UvReport.parse(said) == UvReport(
        headline="Git failed", causes=("it said:\n--- stderr\nfatal: no\nTry again",), hints=()
    )


def test_report_leaves_out_what_went_well_before() -> None:
    went_well = (
        "Using CPython 3.12.7 interpreter at: /b/bin/python\nResolved 3 packages in 1.83s\nDownloading big (5.7MiB)\n"
        "Downloading cpython-3.12.7-linux-x86_64-gnu (download) (20.1MiB)\n Downloaded big\n"
        "Prepared 3 packages in 1ms\nUninstalled 1 package in 1ms\nInstalled 3 packages in 2ms\n + big==1.0\n"
    )
    said = f"{went_well}error: Failed to install: x\n  cause: Downloading it failed, as was said\n  - x==1 is broken\n"
    assert UvReport.parse(said) == UvReport(
        headline="Failed to install: x", causes=("Downloading it failed, as was said\n- x==1 is broken",), hints=()
    )
    assert UvReport.parse(went_well).headline == "uv said nothing"


def test_silence_is_told(tmp_path: Path) -> None:
    error = resolution_error(asked(tmp_path), "")
    assert error.message == "framework-f: its requirements cannot be resolved\n  uv said nothing"


# Conflicts


def no_solution(proof: str, *hints: str) -> str:
    return "\n\n".join([f"error: No solution found when resolving dependencies\n  cause: {proof}", *hints])


END = "we can conclude that your project's requirements are unsatisfiable."
TOLD_END = "the requirements of framework-f are unsatisfiable."


def hint(said: str, folder: Path, *pins: LockedPackage, query_index: bool = True) -> str | None:
    return resolution_error(asked(folder, *pins, query_index=query_index), said).hint


def test_pin_of_a_lower_layer_is_told_with_its_layer(tmp_path: Path) -> None:
    said = no_solution(f"Because your project depends on alpha==2.0 and alpha==1.0, {END}")
    error = resolution_error(asked(tmp_path, PIN), said)
    assert error.message.splitlines()[1:] == [
        "  Because framework-f depends on alpha==2.0 and alpha==1.0 (pinned by py), the requirements of",
        "    framework-f are unsatisfiable.",
    ]
    assert error.hint == "layers below pin alpha==1.0 (from py): change the requirement here or in that layer"


def test_longer_names_and_versions_are_not_taken_for_the_pin(tmp_path: Path) -> None:
    said = no_solution(f"Because your project depends on my-alpha==1.0 and alpha-x==1.0.1, {END}")
    error = resolution_error(asked(tmp_path, PIN), said)
    assert "pinned" not in str(error)
    assert error.hint == "the requirements of framework-f exclude each other: change one of them"


def test_generated_project_is_told_as_the_layer(tmp_path: Path) -> None:
    said = "error: Failed to build `stackbuild-layer-framework-f @ file:///x`\n  cause: stackbuild-layer-framework-f==0 and stackbuild-layer-framework-f-x"
    assert resolution_error(asked(tmp_path), said).message.splitlines()[1:] == [
        "  Failed to build `framework-f @ file:///x`",
        "  framework-f and stackbuild-layer-framework-f-x",
    ]


def test_package_that_exists_nowhere_is_told_with_where_was_looked(tmp_path: Path) -> None:
    said = no_solution(
        f"Because nosuch was not found in the package registry and your project depends on nosuch, {END}"
    )
    assert hint(said, tmp_path) == (
        "check its name, and the indexes that are asked: my-index, http://127.0.0.1:9000/root/simple"
    )
    without = "check its name; with no-index only the folders of find-links and of local wheels are searched"
    assert hint(said.replace("package registry", "provided package locations"), tmp_path, query_index=False) == without


def test_package_without_wheels_is_told_that_nothing_is_built(tmp_path: Path) -> None:
    said = no_solution(
        f"Because only src==1.0 is available and src==1.0 has no usable wheels, we can conclude that all versions of src cannot be used.\n"
        f"         And because your project depends on src, {END}",
        "hint: Wheels are required for `src` because building from source is disabled for all packages (i.e., with `--no-build`)",
    )
    assert hint(said, tmp_path) == (
        "only wheels are used, nothing is built from source or from a repository: build the missing wheels "
        "beforehand and offer them with find-links in [tool.uv]"
    )


def test_package_for_another_python_is_told_with_the_python_of_the_layer(tmp_path: Path) -> None:
    said = no_solution(
        f"Because only new==1.0 is available and new==1.0 requires Python >=3.13, we can conclude that all versions of new cannot be used.\n"
        f"         And because your project depends on new, {END}",
        "hint: The `requires-python` value (==3.11.*) includes Python versions that are not supported by your dependencies",
    )
    assert hint(said, tmp_path) == (
        "the layer is locked for cpython 3.11.13: ask for a release that supports it, or change python_implementation"
    )


def test_version_that_is_not_offered_is_told(tmp_path: Path) -> None:
    said = no_solution(f"Because only alpha<=2.0 is available and your project depends on alpha>=3, {END}")
    error = resolution_error(asked(tmp_path), said)
    assert " ".join(error.message.split()).endswith(
        f"Because only alpha<=2.0 is available and framework-f depends on alpha>=3, {TOLD_END}"
    )
    assert error.hint == (
        "ask for a version that is offered, or name an index or a folder (find-links) that offers this one"
    )


def test_platforms_without_wheels_are_told_with_the_line_without_them(tmp_path: Path) -> None:
    said = (
        "error: No solution found when resolving dependencies for split (markers: sys_platform == 'darwin')\n"
        f"  cause: Because lin==1.0 has no macOS-compatible wheels and your project depends on lin, {END}"
    )
    assert hint(said, tmp_path) == (
        "offer the missing wheels with find-links, or leave out macosx_arm64, macosx_x86_64, which lack some: "
        'platforms = ["linux_aarch64", "linux_x86_64", "win_amd64", "win_arm64"]'
    )


def test_hints_of_uv_about_options_are_told_as_settings(tmp_path: Path) -> None:
    proof = f"Because there is no version of alpha==2.0 and your project depends on alpha==2.0, {END}"
    strategy = (
        "`alpha` was found on http://127.0.0.1:8000/simple, but not at the requested version (alpha==2.0). "
        "If all indexes are equally trusted, use {} to consider all versions from all indexes."
    )
    option, setting = "`--index-strategy unsafe-best-match`", 'index-strategy = "unsafe-best-match" in [tool.uv]'
    assert hint(no_solution(proof, f"hint: {strategy.format(option)}"), tmp_path) == strategy.format(setting)
    prerelease = (
        "hint: Pre-releases are available for `a` (e.g., 1.0rc1), but weren't enabled (try: `--prerelease=allow`)"
    )
    assert hint(no_solution(proof, prerelease), tmp_path) == (
        'Pre-releases are available for `a` (e.g., 1.0rc1), but weren\'t enabled (try: prerelease = "allow" in [tool.uv])'
    )
    assert hint(no_solution(proof, "hint: use `--refresh` to look again"), tmp_path) == (
        "ask for a version that is offered, or name an index or a folder (find-links) that offers this one"
    )


def test_several_hints_stand_below_each_other(tmp_path: Path) -> None:
    said = no_solution(
        f"Because alpha was not found in the package registry and your project depends on alpha, {END}",
        "hint: `alpha` was filtered by `exclude-newer`",
    )
    assert str(resolution_error(asked(tmp_path, PIN), said)).partition("\n\n")[2].splitlines() == [
        "hint: layers below pin alpha==1.0 (from py): change the requirement here or in that layer",
        "hint: check its name, and the indexes that are asked: my-index, http://127.0.0.1:9000/root/simple",
        "hint: `alpha` was filtered by `exclude-newer`",
    ]


# Indexes


REFUSED = no_solution(
    f"Because alpha was not found in the package registry and your project depends on alpha, {END}",
    "hint: An index URL (http://127.0.0.1:8000/simple) could not be queried due to a lack of valid authentication credentials (401 Unauthorized)",
)


def test_index_that_refuses_access_is_named_with_its_variables(tmp_path: Path) -> None:
    error = resolution_error(asked(tmp_path), REFUSED)
    assert error.message == (
        'framework-f: the index "my-index" (http://127.0.0.1:8000/simple) refuses access (401 Unauthorized)'
    ), "that alpha was not found there would be no news"
    assert error.hint == (
        "set UV_INDEX_MY_INDEX_USERNAME and UV_INDEX_MY_INDEX_PASSWORD to credentials that the index accepts"
    )


def test_index_without_a_name_that_refuses_access_should_get_one(tmp_path: Path) -> None:
    error = resolution_error(asked(tmp_path), REFUSED.replace("8000", "9000/root"))
    assert "the index http://127.0.0.1:9000/root/simple refuses access" in error.message
    assert error.hint is not None
    assert "UV_INDEX_<NAME>_USERNAME" in error.hint


@pytest.mark.parametrize(
    "said",
    [
        "error: Request failed after 3 retries in 7.1s\n  cause: Failed to fetch: http://127.0.0.1:8000/simple/alpha/\n  cause: tcp connect error",
        "error: Failed to fetch: `http://127.0.0.1:8000/simple/alpha/`\n  Caused by: Request failed after 3 retries\n  Caused by: tcp connect error",
    ],
)
def test_index_that_does_not_answer_is_named(said: str, tmp_path: Path) -> None:
    error = resolution_error(asked(tmp_path), said)
    assert error.message.splitlines()[0] == (
        'framework-f: the index "my-index" (http://127.0.0.1:8000/simple) cannot be reached'
    )
    assert error.message.splitlines()[-1] == "  tcp connect error"
    assert error.hint == (
        "check its URL, the network and the proxy variables; "
        "to lock without it, offer wheels with find-links and set no-index = true in [tool.uv]"
    )


def test_server_that_is_no_index_is_told_by_its_url(tmp_path: Path) -> None:
    said = "error: error sending request for url (http://elsewhere.example/a.whl)"
    assert (
        "framework-f: http://elsewhere.example/a.whl cannot be reached"
        in resolution_error(asked(tmp_path), said).message
    )


def test_credentials_in_what_uv_says_are_not_shown(tmp_path: Path) -> None:
    said = "error: Failed to fetch: `http://me:secret@127.0.0.1:8000/simple/alpha/`"
    assert "secret" not in str(resolution_error(asked(tmp_path), said))


# Settings


@pytest.mark.parametrize(
    ("file", "line", "reason", "told"),
    [
        ("uv.toml", 1, "unknown variant `oldest`, expected one of `highest`, `lowest`", None),
        ("uv.toml", 5, "unknown variant `round`", None),
        ("pyproject.toml", 9, "Expected a marker", None),
        (
            "uv.toml",
            1,
            "unknown field `resolutions`, expected one of `index`, `resolution`",
            'uv has no setting `resolutions` — did you mean "resolution"?',
        ),
    ],
)
def test_setting_that_uv_rejects_is_named(tmp_path: Path, file: str, line: int, reason: str, told: str | None) -> None:
    said = (
        f"error: Failed to parse: `/build/resolve/{file}`\n  Caused by: TOML parse error at line {line}, column 1\n"
        f"      |\n    {line} | something\n      | ^^^^^^^^\n    {reason}\n"
    )
    key = {("uv.toml", 1): "resolution", ("uv.toml", 5): "index.format"}.get((file, line), "environments")
    assert str(resolution_error(asked(tmp_path), said)) == (
        f'framework-f: uv does not accept "{key}" in [tool.uv] of {tmp_path}/venvstacks.toml\n  {told or reason}'
    )


def test_setting_in_a_file_of_its_own_is_told_with_that_file(tmp_path: Path) -> None:
    (tmp_path / "venvstacks.uv.toml").write_text('resolution = "oldest"\n', encoding="utf-8")
    text = "[[runtimes]]" + SPECIFICATION.partition("[[runtimes]]")[2]
    said = "error: Failed to parse: uv.toml\n  cause: TOML parse error at line 1, column 1\n  |\n1 | a\n  | ^^\nno"
    assert str(resolution_error(asked(tmp_path, text=text), said)) == (
        f'framework-f: uv does not accept "resolution" in {tmp_path}/venvstacks.uv.toml\n  no'
    )


def test_requirement_that_uv_rejects_is_told_as_such(tmp_path: Path) -> None:
    said = (
        "error: Failed to parse: pyproject.toml\n  cause: TOML parse error at line 4, column 1\n  |\n4 | a\n  | ^^\nno"
    )
    assert str(resolution_error(asked(tmp_path), said)) == "framework-f: uv does not accept its requirements\n  no"


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        (
            "error: Failed to read `--find-links` directory: /nowhere\n  cause: No such file or directory (os error 2)",
            "correct find-links in [tool.uv]: its paths are relative to the file that they stand in",
        ),
        (
            "error: Failed to download `a @ http://h/a.whl`\n  cause: HTTP status client error (404 Not Found) for url (http://h/a.whl)",
            "the server has no such file: correct the URL",
        ),
    ],
)
def test_a_place_that_does_not_exist_is_told_with_what_to_correct(said: str, hint: str, tmp_path: Path) -> None:
    error = resolution_error(asked(tmp_path), said)
    assert "--find-links" not in str(error)
    assert error.hint == hint


# Installing


def test_a_file_with_another_hash_than_the_locked_one_is_told_with_both(tmp_path: Path) -> None:
    resolution = asked(tmp_path)
    said = "error: Failed to download `alpha==1.0`\n  cause: Hash mismatch for `alpha==1.0`\n\n         Expected:\n           sha256:aa\n"
    error = installation_error(resolution.linked, said, settings=resolution.settings)
    assert str(error) == (
        "framework-f: its packages cannot be installed\n"
        "  Failed to download `alpha==1.0`\n"
        "  Hash mismatch for `alpha==1.0`\n"
        "  Expected:\n"
        "  sha256:aa\n"
        "\n"
        "hint: the server gives another file than the one that was locked: find out why before you lock the layer again"
    )


def test_a_locked_file_that_its_server_has_no_longer_is_told_with_what_to_do(tmp_path: Path) -> None:
    resolution = asked(tmp_path)
    said = (
        "error: Failed to download `a==1`\n  cause: HTTP status client error (404 Not Found) for url (http://h/a.whl)"
    )
    error = installation_error(resolution.linked, said, settings=resolution.settings)
    assert error.hint == "the server no longer has the file that was locked: lock the layer again: stackbuild lock"


def test_installation_failure_of_another_kind_keeps_what_uv_says(tmp_path: Path) -> None:
    resolution = asked(tmp_path)
    said = "error: Failed to install: a.whl\n  cause: it is broken\n\nhint: mend it"
    assert str(installation_error(resolution.linked, said, settings=resolution.settings)) == (
        "framework-f: its packages cannot be installed\n  Failed to install: a.whl\n  it is broken\n\nhint: mend it"
    )


@pytest.mark.skipif(sys.platform == "win32", reason="has other numbers for these errors")
def test_a_full_disk_is_no_conflict(tmp_path: Path) -> None:
    resolution = asked(tmp_path)
    said = "error: failed to flush file `/w/uv.lock`: No space left on device (os error 28)\n"
    told = (
        "framework-f: uv cannot use a file or folder\n"
        "  failed to flush file `/w/uv.lock`: No space left on device (os error 28)\n\n"
        "hint: free some space and run the same command again: it goes on where it stopped"
    )
    assert str(resolution_error(resolution, said)) == told
    assert str(installation_error(resolution.linked, said, settings=resolution.settings)) == told


def test_installation_from_an_index_that_refuses_access_names_it(tmp_path: Path) -> None:
    resolution = asked(tmp_path)
    said = "error: Failed to download `a==1`\n  cause: HTTP status client error (403 Forbidden) for url (http://127.0.0.1:8000/files/a.whl)"
    error = installation_error(resolution.linked, said, settings=resolution.settings)
    assert 'framework-f: the index "my-index" (http://127.0.0.1:8000/simple) refuses access (403 Forbidden)' in str(
        error
    )


def test_wheels_that_cannot_be_used_are_told_instead_of_what_uv_says(tmp_path: Path) -> None:
    resolution = asked(tmp_path)
    error = installation_error(
        resolution.linked, "error: no", settings=resolution.settings, bad_wheels=["/w/a.whl is missing (a 1)"]
    )
    assert str(error) == (
        "framework-f: wheels that its lock names cannot be used\n"
        "  /w/a.whl is missing (a 1)\n"
        "\n"
        "hint: put them back as they were, or lock the layer again: stackbuild lock"
    )
