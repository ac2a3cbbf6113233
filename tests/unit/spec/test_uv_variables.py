"""What the specification says of connections, as the environment variables of uv."""

from typing import Any

import pytest

from stackbuild.spec.uv_settings import UvSettings
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
