from __future__ import annotations

import pytest

from svi_install.loras.web import clean, fault, host, number, shown


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        (" 12 ", 12),
        ("0", 0),
        ("9" * 18, 10**18 - 1),
        ("9" * 19, None),
        ("9" * 5000, None),
        ("-1", None),
        ("1.0", None),
        ("\xb2", None),
        ("", None),
        (None, None),
        ("1_0", None),
        ("+1", None),
    ],
)
def test_numbers_of_this_world(text: str | None, value: int | None) -> None:
    assert number(text) == value


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://host/a/b?X-Amz-Signature=secret&x=y#z", "https://host/a/b"),
        ("https://user:secret@host:8/a", "https://host:8/a"),
        ("https://user:secret@host", "https://host"),
        ("https://us?er:secret@host/a", "https://us"),
        ("no address?secret", "no address"),
        ("http://[", "http://["),
        ("https://host/\x1b[2J\n\u202e", "https://host/?[2J??"),
    ],
)
def test_what_is_shown_of_an_address(url: str, text: str) -> None:
    assert shown(url) == text


def test_long_texts_are_cut() -> None:
    assert len(clean("x" * 10**6)) < 300
    assert len(shown("https://host/" + "x" * 10**6)) < 300


@pytest.mark.parametrize(
    ("url", "name"),
    [("https://user:secret@Host/a", "host"), ("http://[", "http://["), ("http:///x?secret", "http:///x")],
)
def test_the_name_of_a_computer(url: str, name: str) -> None:
    assert host(url) == name


@pytest.mark.parametrize(
    "url",
    [
        "", "x", "ftp://h/x", "file:///x", "http:///x", "http://:80/x", "http://[", "http://[zz]/", "http://h:x/",
        "http://h:0/", "http://h:99999/", "http://a b/", "http://" + "a" * 64 + "/", "http://a..b/", "http://u@h/",
        "http://u:p@h/", "https:x", "javascript:alert(1)", "http://a\x7fb/",
    ],
)  # fmt: skip
def test_what_cannot_be_asked(url: str) -> None:
    assert fault(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://h",
        "https://h:443/a b?c=d",
        "http://127.0.0.1:8/x",
        "http://[::1]:8/x",
        "https://größe.example/ü",
        "HTTP://H/",
    ],
)
def test_what_can(url: str) -> None:
    assert fault(url) == ""
