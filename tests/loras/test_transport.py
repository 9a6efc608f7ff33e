from __future__ import annotations

import gc
import http.client
import shutil
import socket
import ssl
import subprocess
import threading
import urllib.error
from dataclasses import replace
from pathlib import Path

import pytest

from svi_install.loras.catalogue import Place
from svi_install.loras.hub import Stated, stated
from svi_install.loras.transfer.failures import TransferError
from svi_install.loras.transfer.settings import Limits, Settings
from svi_install.loras.transfer.transport import Answer, Transport, of_exception

from .hub import COMMIT, Fault, Hub

DATA = bytes(range(256)) * 8
KEY = "owner/name/f.bin"


@pytest.fixture
def url(hub: Hub) -> str:
    return hub.add("owner/name", "f.bin", DATA)


PLACE = Place("owner/name", "f.bin")


def settings(hub: Hub, **changes: object) -> Settings:
    return replace(Settings(endpoint=hub.url, limits=Limits(connect=5.0)), **changes)  # type: ignore[arg-type]


def transport(hub: Hub, **changes: object) -> Transport:
    return Transport(settings(hub, **changes))


def body(answer: Answer) -> bytes:
    found = b""
    view = memoryview(bytearray(100))
    while count := answer.body.readinto(view):
        found += view[:count]
    answer.body.close()
    return found


def kind_of(call: object) -> str:
    with pytest.raises(TransferError) as caught:
        call()  # type: ignore[operator]
    assert caught.value.message
    return caught.value.kind


def test_what_the_hub_says_is_kept(hub: Hub, url: str) -> None:
    answer = transport(hub).get(url)
    assert (answer.start, answer.size, answer.ranges) == (0, len(DATA), True)
    assert answer.sha256 == hub.sha256(KEY)
    assert answer.validator.startswith('"1-')
    assert body(answer) == DATA


def test_a_small_file_has_no_published_hash(hub: Hub, url: str) -> None:
    hub.large = False
    answer = transport(hub).get(url)
    assert (answer.sha256, answer.size) == ("", len(DATA))
    assert answer.etag == answer.validator.strip('"')
    assert body(answer) == DATA


def test_a_head_answers_without_bytes(hub: Hub, url: str) -> None:
    assert stated(PLACE, settings(hub)) == Stated(hub.sha256(KEY), len(DATA), COMMIT, "127.0.0.1")
    assert hub.downloads() == []
    hub.large = False
    assert stated(PLACE, settings(hub)) == Stated("", len(DATA), COMMIT)
    assert {seen.method for seen in hub.seen} == {"HEAD"}


def test_a_range(hub: Hub, url: str) -> None:
    answer = transport(hub).get(url, 100, 110)
    assert (answer.start, body(answer)) == (100, DATA[100:110])
    assert hub.downloads()[0].headers["range"] == "bytes=100-109"


def test_an_etag_that_no_longer_holds_brings_the_whole_file(hub: Hub, url: str) -> None:
    answer = transport(hub).get(url, 100, None, '"other"')
    assert (answer.start, body(answer)) == (0, DATA)


def test_a_range_behind_the_end(hub: Hub, url: str) -> None:
    assert kind_of(lambda: transport(hub).get(url, len(DATA) + 5)) == "range"


def test_the_token_goes_to_the_hub_and_nowhere_else(hub: Hub, url: str) -> None:
    hub.token = "secret"
    body(transport(hub, token="secret").get(url))
    assert [seen.headers.get("authorization") for seen in hub.seen] == ["Bearer secret", None]


def test_a_token_that_has_run_out_does_not_keep_from_a_public_file(hub: Hub, url: str) -> None:
    hub.token = "new"
    assert body(transport(hub, token="old").get(url)) == DATA


def test_names_with_spaces_and_signs(hub: Hub) -> None:
    url = hub.add("owner/name", "v 1/Größe & Co.bin", DATA)
    assert body(transport(hub).get(url)) == DATA


def test_a_gated_file(hub: Hub, url: str) -> None:
    hub.gated = True
    assert kind_of(lambda: transport(hub).get(url)) == "gated"
    assert kind_of(lambda: transport(hub, token="wrong").get(url)) == "gated"
    assert kind_of(lambda: stated(PLACE, settings(hub))) == "gated"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "refused"),
        (401, "token"),
        (403, "forbidden"),
        (404, "missing"),
        (407, "proxy"),
        (410, "missing"),
        (429, "busy"),
        (500, "server"),
        (451, "refused"),
    ],
)
def test_refusals(hub: Hub, url: str, status: int, kind: str) -> None:
    hub.faults.append(Fault(status=status, at="hub"))
    assert kind_of(lambda: transport(hub).get(url)) == kind


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [("3", 3.0, 3.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0, 0.0), ("Wed, 21 Oct 2065 07:28:00 GMT", 1e8, 1e10)],
)
def test_retry_after(hub: Hub, url: str, value: str, low: float, high: float) -> None:
    hub.faults.append(Fault(status=503, headers={"Retry-After": value}, at="hub"))
    with pytest.raises(TransferError) as caught:
        transport(hub).get(url)
    assert caught.value.wait is not None
    assert low <= caught.value.wait <= high


def test_a_retry_after_that_says_nothing(hub: Hub, url: str) -> None:
    hub.faults.append(Fault(status=503, headers={"Retry-After": "soon"}, at="hub"))
    with pytest.raises(TransferError) as caught:
        transport(hub).get(url)
    assert caught.value.wait is None


def test_a_redirect_to_itself(hub: Hub, url: str) -> None:
    hub.always = Fault(location="{path}", at="hub")
    assert kind_of(lambda: transport(hub).get(url)) == "redirects"


def test_redirects_without_end(hub: Hub, url: str) -> None:
    hub.always = Fault(location="{path}x", at="hub")
    assert kind_of(lambda: transport(hub).get(url)) == "redirects"
    assert len(hub.seen) == Limits().redirects + 1


def test_a_repository_that_was_renamed(hub: Hub, url: str) -> None:
    hub.faults.append(Fault(location="/owner/name/resolve/main/f.bin", at="hub"))
    assert body(transport(hub).get(f"{hub.url}/old/name/resolve/main/f.bin")) == DATA


@pytest.mark.parametrize("location", ["ftp://example.org/f", "file:///etc/passwd", ""])
def test_redirects_that_are_not_followed(hub: Hub, url: str, location: str) -> None:
    hub.faults.append(Fault(location=location or " ", at="hub"))
    assert kind_of(lambda: transport(hub).get(url)) == "redirects"


@pytest.mark.parametrize("url", ["ftp://example.org/f", "huggingface.co/x", "file:///etc/passwd", "http:///x"])
def test_what_is_no_web_address(hub: Hub, url: str) -> None:
    assert kind_of(lambda: transport(hub).get(url)) == "refused"


def test_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    closed = Transport(Settings(endpoint=f"http://127.0.0.1:{port}"))
    assert kind_of(lambda: closed.get(f"http://127.0.0.1:{port}/f")) == "connection"


def test_a_server_that_never_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/f"
        slow = Transport(Settings(endpoint=url, limits=Limits(connect=0.2)))
        assert kind_of(lambda: slow.get(url)) == "timeout"


def test_a_server_that_speaks_something_else() -> None:
    with socket.create_server(("127.0.0.1", 0)) as odd:
        url = f"http://127.0.0.1:{odd.getsockname()[1]}/f"

        def talk() -> None:
            connection, _ = odd.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

        thread = threading.Thread(target=talk)
        thread.start()
        assert kind_of(lambda: Transport(Settings(endpoint=url)).get(url)) == "connection"
        thread.join()


def test_through_a_proxy(hub: Hub, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # The hub itself plays the proxy: it gets the whole address and answers for whoever is meant.
    monkeypatch.setenv("http_proxy", hub.url)
    assert stated(PLACE, Settings(endpoint="http://hub.invalid")).sha256 == hub.sha256(KEY)
    assert hub.seen[0].headers["host"] == "hub.invalid"


def test_no_proxy_counts(hub: Hub, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert stated(PLACE, settings(hub)).size == len(DATA)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_proxy_that_lets_nothing_through(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", hub.url)
    assert kind_of(lambda: transport(hub).get("https://hub.invalid/f")) == "proxy"
    # Python 3.10 itself leaves the refused answer of a proxy open; the warning must not hit a later test.
    gc.collect()


def test_an_unknown_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "create_connection", unknown)
    assert kind_of(lambda: Transport(Settings()).get("http://hub.invalid/f")) == "dns"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")
def test_a_certificate_that_nobody_vouches_for(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    )
    subprocess.run([*command.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    hub = Hub()
    try:
        server = hub._hub._server
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        url = hub.add("owner/name", "f.bin", DATA).replace("http:", "https:")
        endpoint = hub.url.replace("http:", "https:")
        assert kind_of(lambda: stated(PLACE, Settings(endpoint=endpoint))) == "tls"
        trusting = Settings(endpoint=endpoint, ca_bundle=certificate)
        assert stated(PLACE, trusting).sha256 == hub.sha256(KEY)
        assert kind_of(lambda: Transport(trusting).get(url)) == "redirects", "no way back from https to http"
    finally:
        hub.close()


def test_a_bundle_that_is_not_there(tmp_path: Path) -> None:
    broken = Transport(Settings(ca_bundle=tmp_path / "none.pem"))
    assert kind_of(lambda: broken.get("https://hub.invalid/f")) == "tls"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (urllib.error.URLError(socket.gaierror(-3, "Temporary failure")), "dns"),
        (TimeoutError(), "timeout"),
        (ConnectionResetError(104, "reset"), "connection"),
        (http.client.IncompleteRead(b""), "connection"),
        (ssl.SSLEOFError(8, "EOF occurred in violation of protocol"), "connection"),
        (ssl.SSLError(1, "wrong version number"), "tls"),
        (ValueError("no address"), "refused"),
    ],
)
def test_exceptions_become_failures(error: Exception, kind: str) -> None:
    assert of_exception(error, "https://hub.invalid/f").kind == kind
