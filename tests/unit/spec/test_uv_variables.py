"""What the specification says of connections: the environment variables of uv, and the hosts that it asks."""

from typing import Any

import pytest

from stackbuild.spec.uv_settings import UvIndex, UvSettings
from stackbuild.spec.uv_variables import with_connection_settings


@pytest.mark.parametrize(
    ("given", "environ", "expected"),
    [
        ({}, {"UV_OFFLINE": "1", "HOME": "/h"}, {"UV_OFFLINE": "1", "HOME": "/h"}),
        ({"resolution": "lowest", "no-index": True}, {}, {}),
        ({"cache-dir": "/c"}, {}, {"UV_CACHE_DIR": "/c"}),
        ({"cache-dir": "/c"}, {"UV_CACHE_DIR": ""}, {"UV_CACHE_DIR": "/c"}),
        ({"cache-dir": "/c"}, {"UV_CACHE_DIR": "/mine"}, {"UV_CACHE_DIR": "/mine"}),
        ({"concurrent-downloads": 3}, {}, {"UV_CONCURRENT_DOWNLOADS": "3"}),
        ({"system-certs": True, "offline": False}, {}, {"UV_SYSTEM_CERTS": "true"}),
        ({"native-tls": True}, {"UV_NATIVE_TLS": "0"}, {"UV_NATIVE_TLS": "true"}),
        (
            {"allow-insecure-host": ["a.example", "b.example:8443"]},
            {"UV_INSECURE_HOST": "mine.example"},
            {"UV_INSECURE_HOST": "mine.example a.example b.example:8443"},
        ),
        (
            {"http-proxy": "http://proxy:3128", "no-proxy": ["a.example", "b.example"]},
            {"http_proxy": "http://mine"},
            {
                "HTTP_PROXY": "http://proxy:3128",
                "http_proxy": "http://proxy:3128",
                "NO_PROXY": "a.example,b.example",
                "no_proxy": "a.example,b.example",
            },
        ),
        (
            {"python-install-mirror": "https://m.example", "keyring-provider": "subprocess", "link-mode": "copy"},
            {},
            {
                "UV_PYTHON_INSTALL_MIRROR": "https://m.example",
                "UV_KEYRING_PROVIDER": "subprocess",
                "UV_LINK_MODE": "copy",
            },
        ),
    ],
)
def test_settings_become_variables(given: dict[str, Any], environ: dict[str, str], expected: dict[str, str]) -> None:
    assert with_connection_settings(UvSettings(other=given), environ) == expected


@pytest.mark.parametrize(
    ("settings", "hosts"),
    [
        (UvSettings(), ("pypi.org",)),
        (UvSettings(indexes=(UvIndex(url="https://user:secret@one.example/simple"),)), ("one.example", "pypi.org")),
        (
            UvSettings(
                indexes=(UvIndex(url="https://one.example:8443/simple", default=True), UvIndex(url="/folder")),
                other={"find-links": ["https://one.example/wheels", "https://two.example", "/wheels"]},
            ),
            ("one.example", "two.example"),
        ),
        (
            UvSettings(other={"index-url": "https://one.example", "extra-index-url": ["https://two.example"]}),
            ("two.example", "one.example"),
        ),
        (UvSettings(indexes=(UvIndex(url="https://one.example"),), other={"no-index": True}), ()),
        (UvSettings(indexes=(UvIndex(url="https://[broken", default=True),)), ()),
    ],
)
def test_the_hosts_that_may_be_slow_are_known(settings: UvSettings, hosts: tuple[str, ...]) -> None:
    assert settings.hosts == hosts
