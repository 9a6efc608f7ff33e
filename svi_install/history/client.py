"""GitPython as this package uses it: started in our own environment, never left waiting, always ended."""

from __future__ import annotations

import io
import os
import threading
from subprocess import PIPE
from typing import Any

from git.cmd import Git
from git.exc import GitCommandNotFound
from git.util import RemoteProgress

from .git_environment import Progress, applied, no_git

_WORDS = {RemoteProgress.RECEIVING: "Downloading the history", RemoteProgress.RESOLVING: "Unpacking the history"}


class Client(Git):
    """Starts git for one folder. GitPython hands on the environment of this process, so that is cleaned meanwhile."""

    def execute(self, command: Any, *args: Any, **kwargs: Any) -> Any:
        """Start git; see GitPython."""
        try:
            with applied():
                started = super().execute(command, *args, **kwargs)
        except (OSError, GitCommandNotFound) as error:
            raise no_git("git could not be started") from error
        if "cat-file" in command:
            # Nobody reads what it says there, and a partial clone says something for every object that it fetches:
            # with the pipe full, git would wait forever.
            threading.Thread(target=_drain, args=(os.dup(started.proc.stderr.fileno()),), daemon=True).start()
        return started


def run(client: Client, words: tuple[str, ...], stdin: bytes) -> tuple[int, bytes, bytes]:
    """Run git to its end, or end it when we are stopped; return its exit code and what it wrote."""
    process = getattr(client, words[0])(*words[1:], istream=PIPE, as_process=True)
    try:
        out, err = process.communicate(stdin)
        return process.returncode, out, err
    finally:
        # Ctrl-C may have reached us alone: a merge must not go on behind our back.
        process.__del__()


def follow(client: Client, words: tuple[str, ...], progress: Progress) -> tuple[int, bytes, bytes]:
    """Run git like `run` and tell how far its transfer has come."""
    told = _Transfer(progress)
    handle = told.new_message_handler()
    process = getattr(client, words[0])(*words[1:], as_process=True)
    try:
        # GitPython's own way stops at a byte that is not UTF-8. Git ends the lines of its progress with a return.
        with io.TextIOWrapper(process.proc.stderr, "utf-8", "replace") as lines:
            for line in lines:
                handle(line)
        process.proc.wait()
        return process.proc.returncode, b"", "\n".join(told.error_lines or told.other_lines).encode()
    finally:
        process.__del__()


def _drain(descriptor: int) -> None:
    # Its own: what git has started may hold the other end longer than we hold ours.
    with open(descriptor, "rb", buffering=0) as stream:
        while stream.read(1 << 16):
            pass


class _Transfer(RemoteProgress):
    """Puts what git counts into words for people."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress

    def update(self, op_code: int, cur_count: Any, max_count: Any = None, message: str = "") -> None:
        """Hear from GitPython."""
        what = _WORDS.get(op_code & self.OP_MASK)
        if what is not None:
            self._progress(what, int(cur_count or 0), int(max_count or 0))
