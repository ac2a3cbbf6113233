"""URLs without credentials."""

import pytest

from stackbuild.system.urls import has_credentials, is_remote, without_secrets


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://me:secret@index.example/simple", "https://index.example/simple"),
        ("http://token@127.0.0.1:80/simple", "http://127.0.0.1:80/simple"),
        ("HTTPS://:secret@index.example", "HTTPS://index.example"),
        ("a @ https://me:p%40ss@h/a.whl#sha256=00 and https://b:c@d", "a @ https://h/a.whl#sha256=00 and https://d"),
        ("https://index.example/simple?user=a@b", "https://index.example/simple?user=a@b"),
        ("https://index.example/@scope/a", "https://index.example/@scope/a"),
        ("http://me:p@s's@h/simple", "http://h/simple"),
        ("Failed to fetch: `http://me:a@h/b`, asked by c@d", "Failed to fetch: `http://h/b`, asked by c@d"),
        ("`https://h` or you@h", "`https://h` or you@h"),
        ("git+ssh://git@host.example/a", "git+ssh://git@host.example/a"),
        ("a @ git+ssh://me:secret@host.example:22/a@v1", "a @ git+ssh://host.example:22/a@v1"),
        ("ssh://host.example:22/a@v1", "ssh://host.example:22/a@v1"),
        ("file:///C:/wheels/a@b", "file:///C:/wheels/a@b"),
        ("../wheels", "../wheels"),
    ],
)
def test_credentials_are_taken_out_of_urls(url: str, safe: str) -> None:
    assert without_secrets(url) == safe


def test_url_tells_whether_it_brings_credentials_and_whether_it_is_of_the_web() -> None:
    urls = ["https://me@h/", "https://h/", "file:///wheels", "C:\\wheels", "HTTP://h"]
    assert [has_credentials(url) for url in urls] == [True, False, False, False, False]
    assert [is_remote(url) for url in urls] == [True, True, False, False, True]
