"""URLs without secrets."""

import re
import time
import urllib.parse

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stackbuild.system.urls import (
    Login,
    has_credentials,
    has_malformed_login,
    is_remote,
    secret_parameter,
    taken_out,
    without_secrets,
)


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


# Hostile secrets

LETTERS = st.characters(blacklist_categories=["Cs"], blacklist_characters="\n")
LOOKS_OTHERWISE = re.compile(r"[0-9]{0,5}[/\\]|.*@[^\s/]+[\s/\"`]")
"""A port and a slash, which is an address, or a whole login and then something else."""
SPECIAL = st.sampled_from("@/?#&=;:. \t\r\"'`[]0$%\\")
PASSWORDS = (st.text(LETTERS, min_size=1, max_size=12) | st.text(SPECIAL, min_size=1, max_size=6)).filter(
    lambda it: not LOOKS_OTHERWISE.match(it)
)
QUOTED = st.text(LETTERS, min_size=1, max_size=12).map(lambda it: urllib.parse.quote(it, safe="!$&'()*+,;=:@"))
AROUND = st.sampled_from(
    ["{}", "a @ {} ; os_name == 'nt'", "× Failed to fetch: `{}`\n  cause: 401", 'error: "{}", and']  # noqa: RUF001 (the sign that uv prints)
)


@example(scheme="https://", password="@#", rest="h.example/simple", around="{}")
@example(scheme="https://", password="@0?", rest="h.example/simple", around="{}")
@example(scheme="https://", password="@\r", rest="h.example/simple", around="{}")
@example(scheme="https://", password="@ ", rest="h:80", around="a @ {} ; os_name == 'nt'")
@given(
    scheme=st.sampled_from(["https://", "HTTP://", "git+ssh://", "ftp://"]),
    password=st.one_of(PASSWORDS, QUOTED),
    rest=st.sampled_from(["h.example/simple", "[::1]:8080/a@b", "h:80"]),
    around=AROUND,
)
def test_no_password_is_left_whatever_is_in_it(scheme: str, password: str, rest: str, around: str) -> None:
    marked = f"Q{password}Q7"
    assert "Q7" not in without_secrets(around.format(f"{scheme}me:{marked}@{rest}"))
    told = without_secrets(around.format(f"{scheme}me:{password}@{rest}"))
    assert "me:" not in told


@given(
    name=st.sampled_from(["token", "access_token", "X-Amz-Signature", "sig", "api-key", "t%6Fken", "private_token"]),
    value=st.text(LETTERS, min_size=1).map(lambda it: urllib.parse.quote(f"{it}Q7")),
    before=st.sampled_from(["?", "?a=1&", "#egg=a&", "?job=build;"]),
    around=AROUND,
)
def test_no_token_is_left(name: str, value: str, before: str, around: str) -> None:
    text = around.format(f"https://h/simple{before}{name}={value}")
    assert "Q7" not in without_secrets(text)
    assert secret_parameter(text) is not None


@given(st.text(st.sampled_from("ab:/@?#&=;. \"'`[]0\\$%-\n"), max_size=60))
def test_what_is_safe_stays_as_it_is(text: str) -> None:
    safe = without_secrets(f"https://me:secret@h/ {text}")
    assert without_secrets(safe) == safe


@pytest.mark.parametrize(
    "text",
    [
        "https://h.example:8443/@scope/simple",
        "https://h/a-1-py3-none-any.whl?job=build-linux&ref=5f3a0c&raw#sha256=00&subdirectory=a",
        "a @ https://h/a.whl?download=true ; python_version == '3.11'",
        "http://[::1]:80/x@y",
        "file:///C:/wheels/a@b#c",
        "is it there? https://h/simple, asked by a@b",
        "C:\\wheels\\a@b",
    ],
)
def test_texts_without_secrets_stay(text: str) -> None:
    assert without_secrets(text) == text
    assert (secret_parameter(text), has_malformed_login(text), taken_out(text)) == (None, False, (text, []))


@given(user=QUOTED.filter(lambda it: ":" not in it and "@" not in it), password=QUOTED)
def test_logins_are_taken_out_whole(user: str, password: str) -> None:
    safe, logins = taken_out(f"a @ https://{user}:{password}@h:80/a.whl#sha256=00 ; os_name == 'nt'")
    assert safe == "a @ https://h:80/a.whl#sha256=00 ; os_name == 'nt'"
    assert logins == [Login(url="https://h:80/a.whl", user=user, password=password)]


@pytest.mark.parametrize("text", ["http:" * 9999, "://a:b/" * 9999, "?token=" * 9999, "x:1 " * 9999, "://a:b" * 9999])
def test_long_texts_take_no_long_time(text: str) -> None:
    began = time.process_time()
    without_secrets(f"{text}@ {text}")
    assert time.process_time() - began < 5
