"""The few commands of the WebDriver protocol that the form of WanGP needs, on headless chromium."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from . import tools

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # how the protocol marks an element
ARGUMENTS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-background-networking", "--window-size=1600,1500"),
)


def programs() -> tuple[str, str] | None:
    """Paths of chromium and chromedriver, None when one is missing."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    return (browser, driver) if browser and driver else None


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def process(
    command: Sequence[str], log: Path, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> Iterator:
    """Runs a command beside the block, and ends it afterwards."""
    with log.open("wb") as out:
        running = subprocess.Popen(
            command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=cwd, env=env
        )
        try:
            yield running
        finally:
            running.terminate()
            try:
                running.wait(10)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()


def wait_for(url: str, running: subprocess.Popen[bytes], log: Path, timeout: float) -> None:
    """Waits until a server answers.

    Raises:
        RuntimeError: it ended or did not answer in time; the message holds the end of its log.
    """
    end = time.monotonic() + timeout
    while time.monotonic() < end and running.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=60):
            return
        time.sleep(0.5)
    raise RuntimeError(f"no answer from {url}:\n" + "\n".join(tools.console_lines(log)[-15:]))


class Browser:
    """One page."""

    def __init__(self, driver: str, browser: str, profile: Path) -> None:
        self.base = driver
        # What a person had to press so far.
        self.clicks = 0
        options = {"binary": browser, "args": [*ARGUMENTS, f"--user-data-dir={profile}"]}
        # A page of WanGP's size on a busy machine may answer late.
        limits = {"script": 100_000, "pageLoad": 110_000}
        wanted = {"browserName": "chrome", "goog:chromeOptions": options, "timeouts": limits}
        reply = self.call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self.base += "/session/" + reply["sessionId"]

    def call(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as reply:
                return json.load(reply)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(json.load(error)["value"]["message"].splitlines()[0]) from None

    def open(self, url: str) -> None:
        self.call("POST", "/url", {"url": url})

    def close(self) -> None:
        self.call("DELETE", "")

    def script(self, code: str, *arguments: object) -> Any:
        return self.call("POST", "/execute/sync", {"script": code, "args": list(arguments)})

    def until(self, question: Callable[[], Any], timeout: float, what: str) -> Any:
        """Asks again and again until the answer is true, and returns it."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            answer = question()
            if answer:
                return answer
            time.sleep(0.3)
        raise RuntimeError(f"waited {timeout:g} s for {what}")

    def click(self, element: dict[str, str]) -> None:
        self.clicks += 1
        self.script("arguments[0].scrollIntoView({block: 'center'})", element)
        self.call("POST", f"/element/{element[ELEMENT]}/click", {})

    def write(self, element: dict[str, str], text: str) -> None:
        """Types into a field, or names the file for one that takes a file."""
        self.call("POST", f"/element/{element[ELEMENT]}/value", {"text": text})

    def clear(self, element: dict[str, str]) -> None:
        self.call("POST", f"/element/{element[ELEMENT]}/clear", {})

    def press(self, key: str) -> None:
        keys = [{"type": kind, "value": key} for kind in ("keyDown", "keyUp")]
        self.call("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": keys}]})

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.call("GET", "/screenshot")))
