"""What a server may answer, one case after the other: what it says, and whether the right file can come of it."""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Callable
from typing import NamedTuple

from ..runtime.test_lora_file import TWO, gguf
from .conftest import TINY, head_of, large_lora, lora_bytes, safetensors, shapes_of
from .wire import Exchange, linked, whole

DATA = lora_bytes(seed=1)
OTHER = lora_bytes(seed=2)
TEXT = b"<html>Please sign in to the network of the hotel. " * 800
TOKEN = "hf_ThisIsTheSecretToken"
QUERY = "X-Amz-Signature=ThisIsTheSecretSignature"

Behave = Callable[[Exchange], None]


class Case(NamedTuple):
    behave: Behave
    # "right" when the file comes whole, else the code of the error.
    outcome: str
    # A server that has to be waited for gets short limits.
    slow: bool = False


CASES: dict[str, Case] = {}


def case(name: str, outcome: str, behave: Behave, *, slow: bool = False) -> None:
    assert name not in CASES
    CASES[name] = Case(behave, outcome, slow)


def hub(x: Exchange, data: bytes = DATA, status: str = "302 Found", **changes: str) -> bool:
    """Send a request to the storage as the hub does; False when it is there already."""
    if x.stored:
        return False
    x.head(status, Location=f"/store?{QUERY}", Content_Length="0", **linked(data, **changes))
    return True


def stored(send: Behave, data: bytes = DATA, **changes: str) -> Behave:
    """The hub is fine, what its storage sends is not."""

    def behave(x: Exchange) -> None:
        if not hub(x, data, **changes):
            send(x)

    return behave


def direct(status: str = "200 OK", data: bytes = DATA, **headers: str) -> Behave:
    """Answer at once, with nothing but these headers."""

    def behave(x: Exchange) -> None:
        x.head(status, **headers)
        x.send(data)

    return behave


def resumed(second: Behave, first: int = 700, **headers: str) -> Behave:
    """Cut the first answer; the one to the request for the rest is what is tried."""

    def send(x: Exchange) -> None:
        if x.start:
            second(x)
        else:
            whole(x, DATA, first, **headers)

    return send


def raw(*parts: bytes) -> Behave:
    return lambda x: x.send(b"".join(parts))


def endless(*parts: bytes, then: bytes) -> Behave:
    def behave(x: Exchange) -> None:
        for part in itertools.chain(parts, itertools.repeat(then)):
            x.send(part)

    return behave


def after(*parts: Behave) -> Behave:
    def behave(x: Exchange) -> None:
        for part in parts:
            part(x)

    return behave


def briefly(x: Exchange) -> None:
    x.wire.over.wait(0.2)


def drops(part: bytes) -> Behave:
    return lambda x: x.drip(itertools.repeat(part))


def dripping(*parts: bytes, then: bytes) -> Behave:
    return lambda x: x.drip(itertools.chain((bytes([byte]) for byte in b"".join(parts)), itertools.repeat(then)))


# Answers as they should be -------------------------------------------------------------------------------------------

case("a file without a hub", "right", direct(Content_Length=str(len(DATA))))
case("a file without a length", "right", direct())
for code in ("301 Moved", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"):
    case(f"sent on with {code}", "right", lambda x, code=code: None if hub(x, status=code) else whole(x, DATA))
case("one cut", "right", stored(resumed(lambda x: whole(x, DATA))))
case("a cut after every 999 bytes", "right", stored(lambda x: whole(x, DATA, 999)))
case("100 Continue first", "right", stored(raw(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n", DATA)))
case("an older protocol", "right", stored(raw(b"HTTP/1.0 200 OK\r\n\r\n", DATA)))
case("a weak etag of the linked file", "right", stored(lambda x: whole(x, DATA), X_Linked_Etag=""))
case("identity named as encoding", "right", stored(lambda x: whole(x, DATA, Content_Encoding="identity")))

# Refusals ------------------------------------------------------------------------------------------------------------

REFUSALS = {
    "101 Switching Protocols": "refused", "199 Odd": "refused", "201 Created": "refused", "202 Accepted": "refused",
    "203 Changed On The Way": "refused", "204 No Content": "refused", "205 Reset": "refused", "207 Many": "refused",
    "226 Delta": "refused", "300 Choices": "refused", "304 Not Modified": "refused", "305 Proxy": "refused",
    "400 Bad": "refused", "401 Who": "token", "402 Pay": "refused", "403 No": "forbidden", "404 Gone": "missing",
    "405 Method": "refused", "406 Not": "refused", "407 Proxy": "proxy", "408 Slow": "server", "409 No": "refused",
    "410 Gone": "missing", "413 Large": "refused", "416 Range": "refused", "418 Teapot": "refused", "421 No": "refused",
    "425 Early": "refused", "429 Busy": "busy", "451 Law": "refused", "499 Odd": "refused", "500 Fault": "server",
    "501 Not": "server", "502 Gateway": "server", "503 Down": "server", "504 Late": "server", "511 Sign In": "server",
    "599 Odd": "server", "600 Odd": "server", "999 Odd": "server",
}  # fmt: skip
for status, kind in REFUSALS.items():
    case(f"refused with {status}", f"download-{kind}", stored(direct(status, b"", Content_Length="0")))
case("a reason that moves the cursor", "download-refused", raw(b"HTTP/1.1 418 \x1b[2J\x07oops\r\n\r\n"))
for wait in ("soon", "-1", "9" * 5000, "\xb2", "Wed, 99 Oct 99999 99:99:99 GMT", "1e999", "NaN"):
    name = f"Retry-After {wait[:12]!r}"
    case(name, "download-server", direct("503 Down", b"", Retry_After=wait, Content_Length="0"))

# Redirects -----------------------------------------------------------------------------------------------------------

LOCATIONS = {
    "nothing": ("", "redirects"),
    "blanks": ("  ", "redirects"),
    "half an address": ("http://[", "redirects"),
    "no host": ("http:///x", "redirects"),
    "only a port": ("http://:80/x", "redirects"),
    "a port in words": ("http://127.0.0.1:abc/x", "redirects"),
    "port 0": ("http://127.0.0.1:0/x", "redirects"),
    "a port too large": ("http://127.0.0.1:99999/x", "redirects"),
    "a half IPv6": ("http://[::1/x", "redirects"),
    "a false IPv6": ("http://[zz]/x", "redirects"),
    "ftp": ("ftp://127.0.0.1/x", "redirects"),
    "a file": ("file:///etc/passwd", "redirects"),
    "a script": ("javascript:alert(1)", "redirects"),
    "data": ("data:text/plain,x", "redirects"),
    "mail": ("mailto:a@b", "redirects"),
    "a bare word": ("https:x", "redirects"),
    "a blank in the host": ("http://127.0.0.1 evil/x", "redirects"),
    "a tab in the host": ("http://a\tb.invalid/x", "dns"),
    "bytes beyond ASCII": ("http://\xe2\x84\x80.example/\xff", "redirects"),
    "a name too long": ("http://" + "a" * 300, "redirects"),
    "nobody": ("http://nowhere.invalid/x?" + QUERY, "dns"),
    "a closed port": ("http://127.0.0.1:1/x?" + QUERY, "connection"),
    "a user and a password": (f"http://user:{TOKEN}@127.0.0.1:1/x", "redirects"),
    "sixty thousand signs": ("http://127.0.0.1:1/" + "x" * 60000, "connection"),
    "an escape": ("http://127.0.0.1:1/\x1b[2J", "connection"),
}
for name, (location, kind) in LOCATIONS.items():
    case(f"sent on to {name}", f"download-{kind}", direct("302 Found", b"", Location=location, Content_Length="0"))
case("sent on without an address", "download-redirects", direct("302 Found", b"", Content_Length="0"))
case("sent on to itself", "download-redirects", lambda x: x.head("302 Found", Location=x.path))
case("sent round in a circle", "download-redirects", lambda x: x.head("302 Found", Location=f"/{x.number % 2}"))
case("sent on without end", "download-redirects", lambda x: x.head("302 Found", Location=f"/{x.number}?{QUERY}"))
case("sent on by a name only", "right", lambda x: whole(x, DATA) if x.number else x.head("302 Found", Location="f"))
case("a signed address that is gone", "download-missing", stored(direct("404 Gone", b"", Content_Length="0")))
case("two addresses to go on to", "right", lambda x: whole(x, DATA) if x.stored else raw(
    b"HTTP/1.1 302 Found\r\nLocation: /store\r\nLocation: http://[\r\n\r\n")(x))  # fmt: skip

# Lengths -------------------------------------------------------------------------------------------------------------

size = str(len(DATA))
LENGTHS = {
    "negative": ("-5", "right"),
    "in words": ("many", "right"),
    "5,000 digits": ("9" * 5000, "right"),
    "60,000 digits": ("9" * 60000, "right"),
    "of another alphabet": ("\xb2\xb3", "right"),
    "a fraction": (f"{size}.0", "right"),
    "a list": (f"{size}, 5", "right"),
    "empty": (" ", "right"),
    "17 digits": ("9" * 17, "download-length"),
    "0": ("0", "download-length"),
    "one too few": (str(len(DATA) - 1), "download-length"),
    "one too many": (str(len(DATA) + 1), "download-length"),
    "hexadecimal": (hex(len(DATA)), "right"),
}
for name, (length, outcome) in LENGTHS.items():
    case(f"a length that is {name}", outcome, stored(direct(Content_Length=length)))
case("a shorter body", "download-cut", stored(lambda x: whole(x, DATA, 0)))
for name, length in {"5,000 digits": "9" * 5000, "another alphabet": "\xb2", "negative": "-1", "in words": "x"}.items():
    case(f"a linked size in {name}", "right", stored(lambda x: whole(x, DATA), X_Linked_Size=length))
case("a linked size that is another", "download-length", stored(lambda x: whole(x, DATA), X_Linked_Size="900"))
case("a linked size of an exabyte", "download-length", stored(lambda x: whole(x, DATA), X_Linked_Size="9" * 18))

# Ranges --------------------------------------------------------------------------------------------------------------

rest = f"bytes 700-{len(DATA) - 1}/{len(DATA)}"
RANGES = {
    "missing": ("", "range"),
    "5,000 digits": ("bytes " + "7" * 5000 + "-9/9", "range"),
    "60,000 digits": ("bytes 700-" + "7" * 60000 + "/*", "range"),
    "in words": ("bytes all of it", "range"),
    "of another unit": (rest.replace("bytes", "items"), "range"),
    "backwards": (f"bytes 900-800/{len(DATA)}", "range"),
    "from elsewhere": (f"bytes 0-{len(DATA) - 701}/{len(DATA)}", "range"),
    "beyond the end": (f"bytes 700-{len(DATA)}/{len(DATA)}", "range"),
    "negative": ("bytes -700--1/-1", "range"),
    "of another alphabet": ("bytes \xb7-\xb2/\xb3", "range"),
    "unsatisfied": (f"bytes */{len(DATA)}", "range"),
    "of a longer file": (f"bytes 700-{len(DATA) - 1}/{len(DATA) + 9}", "length"),
    "with words behind": (rest + " and more", "range"),
}
for name, (range_, kind) in RANGES.items():
    case(
        f"a range that is {name}",
        f"download-{kind}",
        stored(resumed(lambda x, r=range_: whole(x, DATA, Content_Range=r))),
    )
case(
    "a range of unknown total",
    "right",
    stored(resumed(lambda x: whole(x, DATA, Content_Range=rest.split("/", maxsplit=1)[0] + "/*"))),
)
case("several parts at once", "download-range", stored(resumed(
    direct("206 Partial Content", b"--x\r\n", Content_Type="multipart/byteranges; boundary=x"))))  # fmt: skip
case("all instead of the rest", "download-restarts", stored(resumed(direct(Content_Length=size))))
case("no such range", "download-range", stored(resumed(direct("416 Range", b"", Content_Length="0"))))
case("a range that was not asked for", "download-range", stored(lambda x: x.start or x.head(
    "206 Partial Content", Content_Range=rest, Content_Length=str(len(DATA) - 700))))  # fmt: skip

# Two versions of one file --------------------------------------------------------------------------------------------


def spliced(tag: str, **changes: str) -> Behave:
    """The file changes between two answers, and the server sends the rest of the new one whatever it is asked."""

    def behave(x: Exchange) -> None:
        if not x.start and x.number == 0:
            whole(x, OTHER, 700, ETag=tag)
        else:
            whole(x, DATA, ETag=changes.get("then", tag))

    return behave


case("two versions under one weak etag", "right", spliced('W/"same"'))
case("two versions without an etag", "right", spliced(""))
case("two versions under an etag without quotes", "right", spliced("same"))
case("two versions under an empty etag", "right", spliced('""'))
case("two versions under an etag too long", "right", spliced(f'"{"x" * 5000}"'))
case("two versions under two etags", "right", spliced('"one"', then='"two"'))
case("the etag loses its strength", "right", spliced('"one"', then='W/"one"'))

# Chunks --------------------------------------------------------------------------------------------------------------

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
chunk = b"%x\r\n%s\r\n" % (len(DATA), DATA)
case("chunks", "right", stored(raw(CHUNKED, chunk, b"0\r\n\r\n")))
case(
    "chunks with remarks", "right", stored(raw(CHUNKED, b"%x;a=b\r\n%s\r\n" % (len(DATA), DATA), b"0\r\nA: b\r\n\r\n"))
)
case("chunks and a length", "right", stored(raw(CHUNKED[:-2], b"Content-Length: 5\r\n\r\n", chunk, b"0\r\n\r\n")))
for name, bad in {"in words": b"many\r\n", "negative": b"-5\r\n", "of 5,000 digits": b"f" * 5000 + b"\r\n",
                  "without end": b"f" * 70000, "empty": b"\r\n", "cut": chunk[:800]}.items():  # fmt: skip
    case(f"a chunk {name}", "download-restarts" if name == "cut" else "download-connection", stored(raw(CHUNKED, bad)))
case("a chunk size without end", "download-connection", stored(endless(CHUNKED, then=b"0" * 1000)))
case("trailers without end", "download-timeout", endless(CHUNKED, chunk, b"0\r\n", then=b"A: b\r\n"), slow=True)
case("trailers drop by drop", "download-timeout", after(
    raw(CHUNKED, chunk, b"0\r\n"), drops(b"A: b\r\n")), slow=True)  # fmt: skip
case("chunks without end", "download-endless", endless(CHUNKED, then=b"10000\r\n" + bytes(65536) + b"\r\n"))

# Packed --------------------------------------------------------------------------------------------------------------

PACKED = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"
case("packed", "right", stored(raw(PACKED, gzip.compress(DATA))))
case("packed, with something behind", "right", stored(raw(PACKED, gzip.compress(DATA) + b"behind")))
case("packed and cut", "download-restarts", stored(raw(PACKED, gzip.compress(DATA)[:800])))
case("packed, but it is not", "download-encoded", stored(raw(PACKED, DATA)))
case("packed and damaged", "download-encoded", stored(raw(PACKED, gzip.compress(DATA)[:-6] + b"xxxxxx")))
case("packed without end", "download-endless", endless(PACKED, gzip.compress(b"")[:10],
    then=b"\x00\xff\xff\x00\x00" + bytes(65535)))  # fmt: skip
case("a file name without end", "download-encoded", endless(PACKED, b"\x1f\x8b\x08\x08" + bytes(6), then=b"x" * 4096))
case("empty blocks without end", "download-encoded", endless(
    PACKED, gzip.compress(b"")[:10], then=b"\x00\x00\x00\xff\xff" * 800))  # fmt: skip
case("a packed file drop by drop", "download-encoded", after(
    raw(PACKED, b"\x1f\x8b\x08\x08", bytes(6)), drops(b"x")), slow=True)  # fmt: skip
for how in ("br", "deflate", "zstd", "gzip, gzip", "x\x1b[2J"):
    case(f"packed as {how!r}", "download-encoded", stored(lambda x, h=how: whole(x, DATA, Content_Encoding=h)))
case("a packed part", "download-encoded", stored(resumed(lambda x: whole(x, DATA, Content_Encoding="gzip"))))

# Heads ---------------------------------------------------------------------------------------------------------------

OK = b"HTTP/1.1 200 OK\r\n"
case("a head drop by drop", "download-timeout", dripping(OK, then=b"X"), slow=True)
case("lines of a head drop by drop", "download-timeout", dripping(OK, then=b"X: y\r\n"), slow=True)
case("100 Continue without end", "download-timeout", dripping(b"", then=b"HTTP/1.1 100 Continue\r\n\r\n"), slow=True)
case(
    "a redirect drop by drop", "download-timeout", dripping(b"HTTP/1.1 302 Found\r\nLocation: /", then=b"x"), slow=True
)
case("silence", "download-timeout", lambda x: x.drip(itertools.repeat(b"")), slow=True)
case("silence behind the head", "download-timeout", after(
    direct("200 OK", b"", Content_Length=size), drops(b"")), slow=True)  # fmt: skip
case("a head without end", "download-connection", endless(OK, then=b"X: y\r\n"))
case("a line without end", "download-connection", endless(OK + b"X: ", then=b"y" * 4096))
case("a status line without end", "download-connection", endless(b"HTTP/1.1 200 ", then=b"y" * 4096))
case("100 Continue in a flood", "download-timeout", endless(then=b"HTTP/1.1 100 Continue\r\n\r\n"), slow=True)
case("an answer of another protocol", "download-connection", raw(b"SSH-2.0-OpenSSH_9.2\r\n"))
case("bytes", "download-connection", raw(bytes(range(256)) * 8))
case("a status in words", "download-connection", raw(b"HTTP/1.1 fine\r\n\r\n"))
case("a status of 5,000 digits", "download-connection", raw(b"HTTP/1.1 " + b"2" * 5000 + b" OK\r\n\r\n"))
case("a protocol of the future", "download-connection", raw(b"HTTP/9.9 200 OK\r\n\r\n", DATA))
case("nothing at all", "download-connection", lambda x: None)
case("a reset", "download-connection", lambda x: x.reset())
case("a zero byte in the head", "right", raw(OK, b"X: \0\r\n\r\n", DATA))
case("a line without a colon", "download-not-a-lora", raw(OK, b"nonsense\r\nContent-Length: 5\r\n\r\n", TEXT))

# Bodies --------------------------------------------------------------------------------------------------------------

case("a body without end", "download-endless", endless(OK + b"\r\n", then=bytes(65536)))
case("a body drop by drop", "download-restarts", after(
    direct("200 OK", b"", Content_Length=size), drops(b"x")), slow=True)  # fmt: skip
case("a byte and a cut, again and again", "download-cut", stored(after(
    briefly, lambda x: whole(x, DATA, 1))), slow=True)  # fmt: skip
case("a reset in the body", "right", stored(resumed(lambda x: whole(x, DATA))))


def vouched(data: bytes) -> Behave:
    """Wrong bytes whose hash the hub publishes: the hash is right, the file is not."""
    return stored(lambda x: whole(x, data), data)


half = shapes_of(TINY, "", "")
head, body = head_of(half, "F16")
WRONG = {
    "a page": TEXT, "a short page": TEXT[:100], "nothing": b"", "a byte": b"x", "zeros": bytes(50_000),
    "a model": safetensors({"blocks.0.weight": [40, 40]}), "another LoRA": large_lora(4000),
    "half of the blocks": lora_bytes(TINY._replace(blocks=1)), "too many blocks": lora_bytes(TINY._replace(blocks=3)),
    "another rank": lora_bytes(TINY._replace(rank=3)), "other numbers": head + bytes(body),
    "no tensors": safetensors({}), "the head alone": DATA[: 8 + int.from_bytes(DATA[:8], "little")],
    "a byte too few": DATA[:-1], "a byte too many": DATA + b"x", "a GGUF file": gguf(TWO, body=172),
    "a list that does not end": (50_000).to_bytes(8, "little") + b"{" * 40_000, "an archive": b"PK\3\4" + bytes(5000),
    "a pointer of Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64,
}  # fmt: skip
for name, content in WRONG.items():
    case(f"{name}, with its hash", "download-not-a-lora", vouched(content))
    if content:
        case(f"{name}, without a hash", "download-not-a-lora", direct(data=content, Content_Length=str(len(content))))
    case(f"{name}, with another hash", "download-wrong-bytes", stored(direct(data=content), DATA, X_Linked_Size=""))
case("a changed byte", "download-wrong-bytes", stored(lambda x: whole(x, DATA[:-1] + b"\0")))
case("a changed byte, once", "right", stored(lambda x: whole(x, DATA[:-1] + b"\0" if x.number < 2 else DATA)))
case("another version than the hash says", "download-wrong-bytes", stored(lambda x: whole(x, OTHER)))
case("a hash in capital letters", "right", stored(lambda x: whole(x, DATA), X_Linked_Etag='"' + "A" * 64 + '"'))
case("a hash that is too long", "right", stored(lambda x: whole(x, DATA), X_Linked_Etag='"' + "a" * 65 + '"'))
