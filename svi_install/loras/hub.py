"""What only the hub knows, asked of huggingface_hub: its address, the token, offline, its cache, commits and hashes.

It decides what to ask and what an answer means. The requests themselves go over `transport`, because huggingface_hub's
own client limits the wait for a byte but not for an answer, and knows neither REQUESTS_CA_BUNDLE nor our rule that a
token goes to one address alone. The bytes of a file come by `download`: `hf_hub_download` starts again after a kill and
compares no hash (``python benchmarks/download.py``).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import urljoin

from ..errors import EXIT_DOWNLOAD, SviError
from ..writing.files import plain
from ..writing.own_files import write_over
from . import catalogue
from .catalogue import Place
from .transfer.failures import (
    TransferError,
    clean,
    failure_of,
    host_of,
    number_in,
    origin_of,
    refused,
    shown_headers,
    status_of,
)
from .transfer.settings import Settings

if TYPE_CHECKING:
    import httpx2

_T = TypeVar("_T")
# What a token may hold in a header (RFC 6750).
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{1,512}")
_LARGEST_TOKEN_FILE = 65536
_SHA256 = re.compile(r"[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_LARGEST_ANSWER = 4 * 1024 * 1024
_SENT = ("Authorization", "Content-Type", "Accept")
# The client of huggingface_hub is one for the whole process.
_ONE_AT_A_TIME = threading.Lock()


def from_environment(mirror: str = "") -> Settings:
    """Read what the environment says about the hub; a mirror goes before ``HF_ENDPOINT`` and never gets the token."""
    constants = _constants()
    bundle = next((os.environ[name] for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE") if os.environ.get(name)), "")
    settings = Settings(
        endpoint=(mirror or constants.ENDPOINT).strip().rstrip("/"),
        offline=constants.HF_HUB_OFFLINE,
        cache=Path(constants.HF_HUB_CACHE),
        ca_bundle=Path(bundle) if bundle else None,
    )
    token, fault = ("", "") if mirror or settings.offline else _token(constants, settings)
    return replace(settings, token=token, token_fault=fault)


def _constants() -> Any:
    """Return what huggingface_hub has read from the environment; it does so once, when it is imported."""
    try:
        from huggingface_hub import constants
    except ValueError as error:
        raise SviError(
            "hub-settings",
            f"One of the HF_ variables should be a number but is not ({clean(error)}). Nothing was downloaded.",
            "Correct or unset it, then run the same command again.",
            EXIT_DOWNLOAD,
        ) from error
    return constants


def _token(constants: Any, settings: Settings) -> tuple[str, str]:
    """Return the token and what is wrong with it; a wrong one is kept nowhere, so that nothing can show it."""
    if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN:
        return "", ""
    path = Path(constants.HF_TOKEN_PATH)
    names = [name for name in ("HF_OIDC_RESOURCE", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN") if os.environ.get(name)]
    try:
        # It would wait for a pipe and read whatever is there to its end.
        if not names and not (path.is_file() and path.stat().st_size <= _LARGEST_TOKEN_FILE):
            return "", ""
        from huggingface_hub import get_token

        with _client(settings):
            token = get_token() or ""
    except Exception as error:  # noqa: BLE001 - what its ways to a token raise has no common class
        # A token file that cannot be read is none; a variable that is set is meant.
        why = error.message if isinstance(error, TransferError) else type(error).__name__
        return "", f"{names[0]} is set, but brought no token ({why})." if names else ""
    if not token or _TOKEN.fullmatch(token):
        return token, ""
    return "", f"{names[0] if names else path} contains characters that no token has. It was not sent anywhere."


class Stated(NamedTuple):
    """What the hub states about a file; empty or None where it says nothing.

    Args:
        sha256: of its bytes; only files in the hub's large-file storage have one.
        size: bytes.
        commit: of the repository, which the address was resolved to.
        host: who states it.
    """

    sha256: str = ""
    size: int | None = None
    commit: str = ""
    host: str = ""


def stated(place: Place, settings: Settings, revision: str = "") -> Stated:
    """Ask the hub about a file, in one commit or as it is today, without its bytes.

    Raises:
        TransferError: it does not answer, or refuses.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    url = hf_hub_url(place.repository, place.path, revision=revision or "main", endpoint=settings.endpoint)

    def ask(token: str) -> Stated:
        with _client(settings, "/resolve/") as works:
            if not works:
                return _stated(*_head(url, token, settings), settings)
            found = get_hf_file_metadata(url, token=token or False, timeout=settings.limits.connect)
        return _stated(found.etag, found.size, found.commit_hash, settings)

    return _asked(ask, url, settings)


def _stated(etag: str | None, size: int | None, commit: str | None, settings: Settings) -> Stated:
    sha256 = etag if etag and _SHA256.fullmatch(etag) else ""
    return Stated(
        sha256,
        size,
        commit if commit and _COMMIT.fullmatch(commit) else "",
        host_of(settings.endpoint) if sha256 else "",
    )


def _head(url: str, token: str, settings: Settings) -> tuple[str | None, int | None, str | None]:
    """Ask as `get_hf_file_metadata` does: hash, size and commit of a file, without following it to its storage."""
    from .transfer.transport import Transport

    transport, seen = Transport(settings), {url}
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    while True:
        status, found, _ = transport.exchange("HEAD", url, headers, b"", 0)
        if status == 401 and token:
            # The hub refuses even public files to a token that has run out.
            headers, token = {}, ""
            continue
        following = urljoin(url, found.get("Location") or url)
        # A repository that has another name today; storage has another address.
        if status not in (301, 302, 303, 307, 308) or origin_of(following) != origin_of(url) or following in seen:
            break
        url = following
        seen.add(url)
    if status >= 400:
        raise refused(status, found, url, bool(settings.token))
    size = number_in(found.get("X-Linked-Size") or found.get("Content-Length"))
    return (found.get("X-Linked-Etag") or "").strip('W/"') or None, size, found.get("X-Repo-Commit")


def licence(repository: str, settings: Settings) -> str:
    """Return the licence that a repository states, empty when it states none or cannot be asked."""
    from huggingface_hub import HfApi

    def ask(token: str) -> str:
        with _client(settings, "/api/models/"):
            card = HfApi(endpoint=settings.endpoint, token=token or False).model_info(repository).card_data
        said: dict[str, Any] = dict(card.__dict__) if card else {}
        found = said.get("license_name") or said.get("license")
        return found if isinstance(found, str) else ""

    try:
        return _asked(ask, settings.endpoint, settings)
    except TransferError:
        return ""


def _asked(ask: Callable[[str], _T], url: str, settings: Settings) -> _T:
    if settings.offline:
        raise TransferError("offline", "HF_HUB_OFFLINE does not allow asking the hub.", url)
    if settings.token_fault:
        raise TransferError("token-form", settings.token_fault, url)
    try:
        try:
            return ask(settings.token)
        except TransferError:
            raise
        except Exception as error:
            if not settings.token or status_of(error) != 401:
                raise
            # The hub refuses even public files to a token that has run out.
            return ask("")
    except TransferError:
        raise
    except Exception as error:
        raise failure_of(error, url, bool(settings.token)) from error


def cached(place: Place, cache: Path, sha256: str) -> Iterator[Path]:
    """Find a file in the hub's cache, in whatever version of its repository; a hash finds it without any."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.file_download import repo_folder_name

    folder = cache / repo_folder_name(repo_id=place.repository, repo_type="model")
    if sha256:
        yield folder / "blobs" / sha256
    for commit in sorted(folder.glob("snapshots/*")):
        found = try_to_load_from_cache(place.repository, place.path, cache_dir=cache, revision=commit.name)
        if isinstance(found, str):
            yield Path(found)


@contextlib.contextmanager
def _client(settings: Settings, wanted: str = "") -> Iterator[bool]:
    """Let huggingface_hub ask over our own transport: the endpoint alone, and only what has `wanted` in its address.

    Yields:
        False where it is an older one, as in many a WanGP's Python, whose requests are made by another library.
    """
    try:
        import httpx2
        from huggingface_hub import close_session, set_client_factory
    except ImportError:
        yield False
        return

    from .transfer.transport import Transport

    transport = Transport(settings)

    class Ours(httpx2.BaseTransport):
        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            url = str(request.url)
            if wanted not in request.url.path:
                # Unasked, it fetches a list of programs that use it, and keeps that on the disk.
                return httpx2.Response(404)
            if wanted and origin_of(url) != origin_of(settings.endpoint):
                why = f"{host_of(settings.endpoint)} redirects to another hub, {host_of(url)}."
                raise TransferError("redirects", why, url)
            headers = {name: text for name in _SENT if (text := request.headers.get(name))}
            status, found, body = transport.exchange(request.method, url, headers, request.read(), _LARGEST_ANSWER)
            return httpx2.Response(status, headers=shown_headers(found), content=body)

    with _ONE_AT_A_TIME:
        # Its own client would keep cookies, log the warnings of a server and read .netrc.
        set_client_factory(lambda: httpx2.Client(transport=Ours(), trust_env=False))
        try:
            yield True
        finally:
            close_session()


class Pinned(NamedTuple):
    """What became of one file of the catalogue."""

    filename: str
    changes: tuple[tuple[str, str, str], ...] = ()
    failure: str = ""


def pin(
    names: Sequence[str] | None = None,
    *,
    settings: Settings | None = None,
    path: Path | None = None,
    say: Callable[[str], None] = lambda _line: None,
) -> tuple[Pinned, ...]:
    """Write what the hub says of every file into the catalogue; what it does not say stays as it was.

    Raises:
        SviError: a name is unknown, or the catalogue cannot be read or written.
    """
    path = path or catalogue.CATALOGUE
    known = catalogue.load(path)
    wanted = {lora.name for lora in (known.loras if names is None else known.select(names))}
    run = settings or from_environment()
    data = json.loads(path.read_text(encoding="utf-8"))
    licences: dict[str, str] = {}
    report = []
    for file in (file for lora in data["loras"] if lora["name"] in wanted for file in lora["files"]):
        place = Place(file["repository"], file["path"])
        filename = place.path.rsplit("/", 1)[-1]
        say(filename)
        try:
            found = stated(place, run)
        except TransferError as failure:
            report.append(Pinned(filename, failure=failure.message))
            continue
        if place.repository not in licences:
            licences[place.repository] = licence(place.repository, run)
        said = {"licence": licences[place.repository], "commit": found.commit, "size": found.size}
        facts = {name: value for name, value in (said | {"sha256": found.sha256}).items() if value}
        changes = ((name, str(file[name] or ""), str(value)) for name, value in facts.items() if file[name] != value)
        report.append(Pinned(filename, tuple(changes)))
        file.update(facts)
    try:
        write_over(path, json.dumps(data, indent=2) + "\n")
    except OSError as error:
        failed = plain(error, path, "write")
        hint = "Run this in a source tree of svi-install."
        raise SviError(failed.code, f"{failed.message} The LoRA catalogue was left as it is.", hint) from error
    return tuple(report)
