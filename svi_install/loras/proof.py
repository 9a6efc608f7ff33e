"""What proves a LoRA: the sha256 of the file on the disk, and its head, which the runtime reads, too.

The hash is taken while the file arrives, in a thread of its own. Which bytes it covers depends on what is known:

* Somebody states the hash, and no other program has opened the file (`writing.lease`): what is hashed is read back from
  the file right behind who writes it, once. Nothing that is there is ever written over (`Part.write`), so that what was
  hashed is what gets the final name.
* Otherwise what arrives is hashed from memory, and the complete file is read again, with all cores: nothing else shows
  what another program has written to it meanwhile.

From the moment the file is complete, its date tells of every write (`Part.seal`). All of it is about other programs of
this computer, not about one that sets the date back on purpose or writes to the disk past its file system.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from io import FileIO
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from .catalogue import Layout, Lora, LoraFile

if TYPE_CHECKING:
    from ..runtime import lora_file
else:

    def _alone():
        name = f"{__package__.rpartition('.')[0]}.runtime.lora_file"
        if name not in sys.modules:
            path = Path(__file__).resolve().parent.parent / "runtime" / "lora_file.py"
            loader = SourceFileLoader(name, str(path))
            module = ModuleType(name)
            module.__spec__ = ModuleSpec(name, loader, origin=str(path))
            module.__file__, module.__package__ = str(path), name.rpartition(".")[0]
            # Known under its own name, there is only one of it, whoever imports it later.
            sys.modules[name] = module
            loader.exec_module(module)
        return sys.modules[name]

    lora_file = _alone()

Head = lora_file.Head
Unsound = lora_file.Unsound
read = lora_file.read

__all__ = ["Head", "Unsound", "lora_file", "read"]


_NAME = re.compile(
    r"(?:pipe\.dit\.|diffusion_model\.)?blocks\.(\d{1,4})\.((?:self|cross)_attn\.[qkvo]|ffn\.[02])"
    r"\.lora_([AB])(?:\.default)?\.weight"
)
_LONGEST_NAME = 80


def examine(path: Path, lora: Lora, file: LoraFile) -> Head:
    """Read the head of a file and compare it with all that is known of the LoRA.

    Raises:
        Unsound: it could not load or is another file; the text goes behind its name.
    """
    head = read(path)
    kind = "gguf" if file.filename.lower().endswith(".gguf") else "safetensors"
    if head.kind != kind:
        raise Unsound(f"is not a {'GGUF' if kind == 'gguf' else kind} file")
    if file.size is not None and head.size != file.size:
        raise Unsound(f"has {head.size:,} bytes instead of {file.size:,}")
    if lora.layout is not None:
        check_layout(head, lora.layout, file.dtype)
    elif kind == "safetensors" and not lora_file.holds_matrices(head.tensors):
        raise Unsound(lora_file.NO_LORA)
    if file.tensor_bytes is not None and head.tensor_bytes != file.tensor_bytes:
        raise Unsound(f"has {head.tensor_bytes:,} bytes of tensors instead of {file.tensor_bytes:,}")
    return head


def check_layout(head: Head, layout: Layout, dtype: str = "") -> None:
    """Compare the tensors of a file with those of an SVI LoRA.

    Raises:
        Unsound: a tensor is missing, too many, of another shape or of other numbers.
    """
    seen: set[tuple[int, str, str]] = set()
    for name, tensor in head.tensors.items():
        match = _NAME.fullmatch(name)
        if not match:
            raise Unsound(f"holds {_shown(name)}, which does not belong in an SVI LoRA")
        block, module, half = int(match[1]), match[2], match[3]
        outer = layout.inner if module == "ffn.0" else layout.width
        inner = layout.inner if module == "ffn.2" else layout.width
        wanted = (layout.rank, inner) if half == "A" else (outer, layout.rank)
        if tensor.shape != wanted:
            raise Unsound(f"is a different LoRA: {name} has the shape {list(tensor.shape)} instead of {list(wanted)}")
        if dtype and tensor.dtype != dtype:
            raise Unsound(f"is a different LoRA: its numbers are {tensor.dtype} instead of {dtype}")
        if block >= layout.blocks:
            raise Unsound(f"holds {name}, but the model has {layout.blocks} blocks")
        seen.add((block, module, half))
    if len(seen) != layout.tensors or len(head.tensors) != layout.tensors:
        raise Unsound(f"holds {len(head.tensors)} tensors instead of {layout.tensors}")


def _shown(name: str) -> str:
    # A name out of a file may hold anything, such as what moves the cursor of a terminal.
    text = ascii(name)[1:-1]
    return text if len(text) <= _LONGEST_NAME else f"{text[:_LONGEST_NAME]}..."


_READ = 1024 * 1024
# How far apart the places are from which the file can be read again at once.
_STRETCH = 16 * 1024 * 1024
_MOST_READERS = 8
# Blocks that wait in memory, so that a hash that is held up for a moment does not hold up the download.
_QUEUE = 16


# An offset and the hash of all bytes before it.
Mark = tuple[int, "hashlib._Hash"]


class TamperedError(OSError):
    """Another program has changed the file; the text says what, for people."""


class Follower:
    """Hashes a file up to its frontier in a thread of its own.

    It reads the file right behind who writes it, or takes blocks that arrive just where the hash stands from memory.

    Args:
        name: what the file is called.
        read: reads from the file at an offset into a buffer.
        frontier: tells up to where the file is there without a gap.
        expect: how much of it an earlier run has hashed, and its hash.
        from_memory: tells whether blocks are taken from memory.
    """

    def __init__(
        self,
        name: str,
        read: Callable[[int, memoryview], int],
        frontier: Callable[[], int],
        expect: tuple[int, str] | None = None,
        from_memory: Callable[[], bool] = lambda: True,
    ) -> None:
        self._name = name
        self._read = read
        self._frontier = frontier
        self._from_memory = from_memory
        self._hash = hashlib.sha256()
        self._expect = expect
        self._proof = (0, "")
        self._queue: deque[tuple[int, bytearray, int]] = deque()
        self._free: list[bytearray] = []
        self._marks: list[Mark] = [(0, self._hash.copy())]
        self._changed = threading.Condition()
        self._end: int | None = None
        self._stopped = False
        self._ended = False
        self._error: OSError | None = None
        # Looked up only when a block is handed over, so that a block is taken from memory and not from the file.
        self._written = frontier()
        self.position = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def buffer(self, size: int) -> bytearray:
        """Give a block to fill."""
        with self._changed:
            return self._free.pop() if self._free else bytearray(size)

    def give(self, offset: int, block: bytearray, length: int) -> None:
        """Hand a block over that has been written to the file."""
        wanted = self._from_memory()
        with self._changed:
            # Waiting for a slow hash costs less than reading the block from the file later; who has what the hash
            # cannot use yet does not wait.
            while wanted and self._head() == offset and len(self._queue) >= _QUEUE and not self._ended:
                self._changed.wait(1.0)
            if wanted and self._head() == offset and not self._ended:
                self._queue.append((offset, block, length))
            elif len(self._free) < _QUEUE:
                self._free.append(block)
            self._written = self._frontier()
            self._changed.notify_all()

    def _head(self) -> int:
        return self._queue[-1][0] + self._queue[-1][2] if self._queue else self.position

    def proof(self) -> tuple[int, str]:
        """Tell how many bytes are hashed, and their hash."""
        return self._proof

    def check(self) -> None:
        """Raise what has kept the hash from going on; `finish` does so too."""
        if self._error is not None:
            raise self._error

    def finish(self, size: int, wait: Callable[[int], None]) -> str:
        """Wait for the hash of the whole file."""
        with self._changed:
            self._end = self._written = size
            self._changed.notify_all()
        while self._thread.is_alive():
            self._thread.join(0.2)
            wait(self.position)
        self.check()
        return self._hash.hexdigest()

    def catch_up(self, seconds: float) -> None:
        """Wait a moment for the hash of all that is there without a gap."""
        until = time.monotonic() + seconds
        with self._changed:
            self._written = self._frontier()
            self._changed.notify_all()
            while self._proof[0] < self._written and not self._ended and time.monotonic() < until:
                self._changed.wait(0.05)

    def stop(self) -> None:
        """Give up on the hash."""
        with self._changed:
            self._stopped = self._ended = True
            self._changed.notify_all()
        self._thread.join()

    def marks(self) -> list[Mark]:
        """Return the hash at several offsets, the last one where it stands; only when it has finished or stopped."""
        return [*self._marks, (self.position, self._hash.copy())]

    def _run(self) -> None:
        try:
            scratch = bytearray(_READ)
            while self._step(memoryview(scratch)):
                if self.position - self._marks[-1][0] >= _STRETCH:
                    self._marks.append((self.position, self._hash.copy()))
                self._proof = self.position, self._hash.copy().hexdigest()
                if self._expect is not None and self.position == self._expect[0] and self._proof != self._expect:
                    raise TamperedError(f"What an earlier run left in {self._name} has been changed")
        except OSError as error:
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _step(self, scratch: memoryview) -> bool:
        with self._changed:
            while self._queue and self._queue[0][0] < self.position:
                self._free.append(self._queue.popleft()[1])
            while not self._stopped and not self._queue and self._written <= self.position:
                if self._end is not None and self.position >= self._end:
                    return False
                self._changed.wait(0.5)
            if self._stopped:
                return False
            item = self._queue[0] if self._queue and self._queue[0][0] == self.position else None
            limit = self._queue[0][0] if self._queue else self._written
            if self._expect is not None and self.position < self._expect[0]:
                limit = min(limit, self._expect[0])
        if item is not None:
            _, block, length = item
            self._hash.update(memoryview(block)[:length])
            with self._changed:
                self._queue.popleft()
                self.position += length
                self._free.append(block)
                self._changed.notify_all()
            return True
        got = self._read(self.position, scratch[: limit - self.position])
        if not got:
            raise TamperedError(f"Another program has written to {self._name}")
        self._hash.update(scratch[:got])
        with self._changed:
            self.position += got
        return True


def read_again(
    path: Path, marks: Sequence[Mark], size: int, check: Callable[[int], None], wait: Callable[[int], None]
) -> str:
    """Hash what is on the disk, with all cores, and return the sha256 in hexadecimal.

    sha256 goes through a file from begin to end; from a mark it can go on without what lies before. Every stretch up to
    the last mark must end in the hash of the next one, which was taken from the bytes as they arrived. `check` is shown
    every descriptor before it is read from, `wait` the bytes that are done.

    Raises:
        TamperedError: something else than what arrived lies between two marks.
    """
    stretches = deque((*first, *last) for first, last in itertools.pairwise(marks) if first[0] < last[0])
    done, failures, stop = [0] * (_readers() + 1), list[Exception](), threading.Event()

    def hashed(file: FileIO, start: int, end: int, digest: hashlib._Hash, reader: int) -> str:
        view = memoryview(bytearray(_READ))
        file.seek(start)
        while start < end and not stop.is_set():
            count = file.readinto(view[: end - start]) or 0
            if not count:
                raise TamperedError(f"Another program has written to {path.name}")
            digest.update(view[:count])
            start += count
            done[reader] += count
            if not reader:
                wait(sum(done))
        return digest.hexdigest()

    def stretch_by_stretch(reader: int) -> None:
        try:
            with path.open("rb", buffering=0) as file:
                check(file.fileno())
                while stretches and not stop.is_set():
                    with contextlib.suppress(IndexError):  # another reader was faster
                        start, before, end, after = stretches.popleft()
                        found = hashed(file, start, end, before.copy(), reader)
                        if found != after.hexdigest() and not stop.is_set():
                            raise TamperedError(f"Another program has written to {path.name}")
        except Exception as error:  # noqa: BLE001 - handed over to the thread that waits
            failures.append(error)
            stop.set()

    readers = [threading.Thread(target=stretch_by_stretch, args=(one,), daemon=True) for one in range(1, len(done))]
    try:
        for reader in readers[: len(stretches)]:
            reader.start()
        with path.open("rb", buffering=0) as file:
            check(file.fileno())
            offset, digest = marks[-1]
            found = hashed(file, offset, size, digest.copy(), 0)
        stretch_by_stretch(0)
        for reader in readers:
            while reader.is_alive():
                reader.join(0.1)
                wait(sum(done))
    finally:
        stop.set()
    if failures:
        raise failures[0]
    wait(size)
    return found


def _readers() -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, _MOST_READERS) - 1


def of_file(path: Path, wait: Callable[[int], None] = lambda _done: None) -> str:
    """Hash a file that is complete."""
    with path.open("rb", buffering=0) as file:
        return of_open(file, wait)


def of_open(file: FileIO, wait: Callable[[int], None]) -> str:
    """Hash an open file from where it stands to its end."""
    digest = hashlib.sha256()
    block = bytearray(_READ)
    view = memoryview(block)
    done = 0
    while count := file.readinto(block):
        digest.update(view[:count])
        done += count
        wait(done)
    return digest.hexdigest()
