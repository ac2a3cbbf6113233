"""Debian's changes to `site` and `sysconfig` are undone exactly, or the text is refused."""

import pytest

from stackbuild.runtimes.debian import upstream_site, upstream_sysconfig, with_frozen_modules

DEBIAN_SITE = """
import sys
import os

def getsitepackages(prefixes=None):
    sitepackages = []
    is_virtual_environment = sys.base_prefix != sys.prefix or hasattr(sys, "real_prefix")

    for prefix in prefixes:
        if os.sep == '/':
            libdirs = [sys.platlibdir]

            if is_virtual_environment:
                sitepackages.append(os.path.join(prefix, "lib",
                                                 "python%d.%d" % sys.version_info[:2],
                                                 "site-packages"))
            sitepackages.append(os.path.join(prefix, "local/lib",
                                             "python%d.%d" % sys.version_info[:2],
                                             "dist-packages"))
            # this one is deprecated for Debian
            for libdir in libdirs:
                path = os.path.join(prefix, libdir,
                                    "python%d.%d" % sys.version_info[:2],
                                    "dist-packages")
                sitepackages.append(path)
"""
FOLDER = '"python%d.%d" % sys.version_info[:2]'
UPSTREAM_SITE = """
import sys
import os

def getsitepackages(prefixes=None):
    sitepackages = []
    for prefix in prefixes:
        if os.sep == '/':
            libdirs = [sys.platlibdir]

            for libdir in libdirs:
                path = os.path.join(prefix, libdir,
                                    "python%d.%d" % sys.version_info[:2],
                                    "site-packages")
                sitepackages.append(path)
"""


@pytest.mark.parametrize(
    "folder", ['"python%d.%d" % sys.version_info[:2]', 'f"{implementation}{ver[0]}.{ver[1]}{abi_thread}"']
)
def test_site_gives_upstreams_folders(folder: str) -> None:
    before, last, after = DEBIAN_SITE.rpartition(FOLDER)
    text = f"{before}{folder}{after}"
    assert last
    assert upstream_site(text) == UPSTREAM_SITE.replace(FOLDER, folder)


def test_sysconfig_prefers_upstreams_scheme() -> None:
    text = "    return {\n        'prefix': prefix_scheme,\n        'home': 'posix_home',\n"
    assert (
        upstream_sysconfig(text) == "    return {\n        'prefix': 'posix_prefix',\n        'home': 'posix_home',\n"
    )


@pytest.mark.parametrize(
    "marker", ["is_virtual_environment:", "deprecated for Debian", "hasattr", '"dist-packages")\n']
)
def test_unknown_site_is_refused(marker: str) -> None:
    with pytest.raises(ValueError, match="has "):
        upstream_site(DEBIAN_SITE.replace(marker, "something else"))


def test_unknown_sysconfig_and_imports_are_refused() -> None:
    with pytest.raises(ValueError, match="has 0 times, instead of once, \"'prefix': prefix_scheme,\""):
        upstream_sysconfig("nothing")
    with pytest.raises(ValueError, match="instead of once"):
        with_frozen_modules("import os\n")


def test_site_allows_frozen_modules_first_of_all() -> None:
    assert with_frozen_modules(DEBIAN_SITE).startswith(
        "\nimport sys\nimport _imp\n_imp._override_frozen_modules_for_tests(0)\nimport os\n"
    )
