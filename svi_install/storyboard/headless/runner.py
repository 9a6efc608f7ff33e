"""Runs WanGP headless for a row of segments and says when each of them is done."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import subprocess
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ..archive.store import plainly, remove, usable
from . import failures
from .driver import MARK
from .wangp import WanGP

# A notebook names a drawing program here that WanGP's Python lacks.
FOREIGN = ("MPLBACKEND",)
# WanGP opens the start image of every task of a batch before it makes the first one.
BATCH = 16
PATIENCE = 30.0
LOG = "wangp.log"
# Its folder in that of a film.
OUT = "wangp"
_STEP = re.compile(r"^\[(\d+)/(\d+)\]")
_COMPLETED = re.compile(r"^Task \d+ completed")
_FAILED = re.compile(r"^\[(?:ERROR|SKIP)\]")


@dataclass(frozen=True)
class Step:
    """How far WanGP is with a segment.

    Args:
        index: of the task in the row.
        step: denoising steps that are done.
        steps: of all.
    """

    index: int
    step: int
    steps: int


Report = Callable[[Step], None]


@dataclass(frozen=True)
class Job:
    """What WanGP is to do.

    Args:
        wangp: which WanGP.
        out: folder for WanGP's own videos and its log.
        options: further command line options of WanGP.
        env: environment variables of its process.
        model: WanGP's model type where it is not the one of the tasks, such as a quantization chosen for this card.
        kept: a WanGP that stays loaded for the next film, None to end it after this one.
        patience: seconds without a word of WanGP after which it is taken for dead, None to wait.
    """

    wangp: WanGP
    out: Path
    options: tuple[str, ...] = ()
    env: Mapping[str, str] | None = None
    model: str | None = None
    kept: Kept | None = None
    patience: float | None = None

    @property
    def videos(self) -> Path:
        """The folder into which WanGP puts its own videos."""
        return self.kept.out if self.kept is not None and self.kept.out is not None else self.out


def run(
    job: Job, tasks: Sequence[Mapping[str, Any]], report: Report, *, ahead: bool = True
) -> Generator[int, None, None]:
    """Make segments, one after the other, and keep WanGP at work while the caller looks at the last one.

    Args:
        report: is told how far the current one is.
        ahead: begin the next one meanwhile; if not, the caller may add to the tasks before it asks for the next index.

    Yields:
        The index of each task as soon as WanGP is done with it.

    Raises:
        SviError: WanGP failed; what it said is in the message.
    """
    with plainly(job.out / LOG, "write"):
        job.out.mkdir(parents=True, exist_ok=True)
        usable(job.out / LOG)
    if job.wangp.headless == "api":
        yield from _served(job, tasks, report, ahead=ahead)
        return
    start, most = 0, BATCH if ahead else 1
    while start < len(tasks):
        batch = tasks[start : start + most]
        for index in _batch(job, batch, lambda step, at=start: report(_later(step, at))):  # type: ignore[misc]
            yield start + index
        start += len(batch)


def _check(line: str) -> None:
    if failures.LOST.match(line):
        raise failures.lost(line)


def said(job: Job, since: int = 0) -> list[str]:
    """Return the lines that WanGP has said.

    Args:
        since: size of its log before.
    """
    try:
        usable(job.out / LOG)
        with (job.out / LOG).open("rb") as file:
            file.seek(since)
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    return [line.strip() for line in re.split(r"[\r\n]+", text)]


def size(job: Job) -> int:
    """Return the size of WanGP's log, to be given to `said` later."""
    try:
        return (job.out / LOG).stat().st_size
    except OSError:
        return 0


def _later(step: Step, start: int) -> Step:
    return Step(step.index + start, step.step, step.steps)


def _served(job: Job, tasks: Sequence[Mapping[str, Any]], report: Report, *, ahead: bool) -> Iterator[int]:
    with _process(job, "api", job.options) if job.kept is None else job.kept.lend(job) as wangp:
        wangp.send(tasks[0])
        index = 0
        for line in wangp.lines(job.patience):
            if not line.startswith(MARK):
                _check(line)
                continue
            event = json.loads(line.removeprefix(MARK))
            if event["event"] == "progress":
                report(Step(index, int(event["step"]), int(event["steps"])))
            elif event["event"] == "done":
                if not event["ok"]:
                    raise failures.explain([*wangp.said, *event["errors"]], None, job.wangp.root)
                index += 1
                if ahead and index < len(tasks):
                    wangp.send(tasks[index])
                yield index - 1
                if index == len(tasks):
                    if job.kept is None:
                        wangp.send(None)
                    return
                if not ahead:
                    wangp.send(tasks[index])
        raise failures.explain(wangp.said, wangp.code(), job.wangp.root)


def _batch(job: Job, tasks: Sequence[Mapping[str, Any]], report: Report) -> Iterator[int]:
    file = job.out / "tasks.json"
    with plainly(file, "write"):
        remove(file)
        file.write_text(json.dumps(list(tasks)), "utf-8")
    with _process(job, "process", ("--process", str(file), *job.options)) as wangp:
        index = 0
        for line in wangp.lines(job.patience):
            _check(line)
            step = _STEP.match(line)
            if step and int(step[2]) > 1:
                report(Step(index, int(step[1]), int(step[2])))
            elif _COMPLETED.match(line):
                index += 1
                yield index - 1
            elif _FAILED.search(line):
                raise failures.explain(wangp.said, None, job.wangp.root)
        if index < len(tasks):
            raise failures.explain(wangp.said, wangp.code(), job.wangp.root)


class _Process:
    """A running WanGP with its console."""

    def __init__(self, process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
        self._process = process
        self._log, self._logging = log, threading.Lock()
        self._queue: queue.Queue[bytes | None] = queue.Queue()
        self.said: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def send(self, task: Mapping[str, Any] | None) -> None:
        """Hand WanGP a task, or None for its end."""
        pipe = self._process.stdin
        assert pipe is not None
        # A WanGP that has died says why on its console, which is read next.
        with contextlib.suppress(OSError):
            pipe.write(json.dumps(task).encode() + b"\n")
            pipe.flush()

    def lines(self, patience: float | None = None) -> Iterator[str]:
        """The lines of the console until it is closed; progress bars end in a carriage return.

        Raises:
            SviError: nothing was said for so many seconds.
        """
        rest = b""
        while (chunk := self._next(patience)) is not None:
            *whole, rest = re.split(rb"[\r\n]+", rest + chunk)
            for raw in whole:
                line = raw.decode("utf-8", "replace").strip(" \t")
                if line:
                    self._remember(line)
                    yield line

    def _next(self, patience: float | None) -> bytes | None:
        try:
            return self._queue.get(timeout=patience)
        except queue.Empty:
            raise failures.silent(patience or 0, self.said) from None

    def log_to(self, path: Path) -> None:
        """Write from here on what WanGP says into another file.

        Raises:
            SviError: the disk refuses.
        """
        with plainly(path, "write"):
            log = path.open("ab")
        with self._logging:
            before, self._log = self._log, log
        before.close()
        self.said.clear()

    def ended(self) -> bool:
        """Tell whether WanGP has gone."""
        return self._process.poll() is not None

    def code(self) -> int:
        """The exit code."""
        return self._process.wait()

    def end(self) -> None:
        """End WanGP, in the middle of anything: that is what the end of its standard input means to it."""
        pipe, output = self._process.stdin, self._process.stdout
        assert pipe is not None
        assert output is not None
        with contextlib.suppress(OSError):
            pipe.close()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        # A program that WanGP has started may keep the pipe open for a while longer.
        self._reader.join(PATIENCE)
        if not self._reader.is_alive():
            output.close()
        self._log.close()

    def _remember(self, line: str) -> None:
        if not line.startswith(MARK):
            self.said.append(line)
            del self.said[:-400]

    def _read(self) -> None:
        pipe = self._process.stdout
        assert pipe is not None
        # A thread of its own, so that a full pipe never holds WanGP up.
        while chunk := os.read(pipe.fileno(), 65536):
            with self._logging:
                self._log.write(chunk)
                self._log.flush()
            self._queue.put(chunk)
        self._queue.put(None)


@contextlib.contextmanager
def _process(job: Job, mode: str, options: Sequence[str]) -> Iterator[_Process]:
    driver = Path(__file__).with_name("driver.py")
    command = [str(job.wangp.python), str(driver), mode, str(job.wangp.root), str(job.out), *options]
    given = os.environ if job.env is None else job.env
    env = {name: value for name, value in given.items() if name not in FOREIGN}
    env |= {"PYTHONIOENCODING": "utf-8", "PYTHONUNBUFFERED": "1"}
    with plainly(job.out / LOG, "write"):
        log = (job.out / LOG).open("ab")
    try:
        process = subprocess.Popen(
            command,
            cwd=job.wangp.root,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except BaseException:
        log.close()
        raise
    running = _Process(process, log)
    try:
        yield running
    finally:
        running.end()


class Kept:
    """A WanGP that stays loaded from one film to the next; only where it takes tasks one by one.

    Args:
        out: the folder of the film that it was started for, None before.
    """

    def __init__(self) -> None:
        self.out: Path | None = None
        self._like: tuple[Any, ...] = ()
        self._running: _Process | None = None
        self._open = contextlib.ExitStack()

    @contextlib.contextmanager
    def lend(self, job: Job) -> Iterator[_Process]:
        """Give the WanGP that is there, or start one; whatever goes wrong while it is lent ends it."""
        like = (job.wangp, job.options, job.env)
        if self._running is None or self._like != like or self._running.ended():
            self.end()
            self._running = self._open.enter_context(_process(job, "api", job.options))
            self._like, self.out = like, job.out
        else:
            self._running.log_to(job.out / LOG)
        try:
            yield self._running
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        """End it."""
        self._running, self.out = None, None
        self._open.close()
