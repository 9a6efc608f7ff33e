"""``launch``: makes sure that SVI is in WanGP, then starts WanGP with its own Python."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from .. import signals
from ..checkout.inspection import inspect
from ..errors import SviError
from ..patching import patchset, state
from ..report.result import Result
from ..storyboard.headless.wangp import python_of
from .install import install
from .interrupted import recover

# What points a Python at the environment of svi-install instead of its own.
_OURS = ("PYTHONHOME", "PYTHONPATH", "__PYVENV_LAUNCHER__", "VIRTUAL_ENV")


def launch(
    root: Path,
    arguments: Sequence[str] = (),
    *,
    python: Path | None = None,
    apart: bool = False,
    env: Mapping[str, str] = os.environ,
    say: Callable[[str], None] = lambda _line: None,
) -> Result:
    """Start WanGP with SVI.

    A WanGP into which SVI cannot go is started as it is: a person who starts WanGP wants WanGP.

    Args:
        root: the folder that holds ``wgp.py``.
        python: WanGP's Python, None to look for it.
        apart: let WanGP print on the error output, because the standard output is for the result alone.
        say: told what is going on, line by line.

    Returns:
        The result; its exit code is WanGP's.

    Raises:
        SviError: the folder is no WanGP, or its Python was not found.
    """
    checkout = inspect(root)
    program = python_of(checkout.root, python, env)
    notes = (*recover(checkout.root), *_make_sure(checkout.root))
    for note in notes:
        say(note)
    code = _run([str(program), "wgp.py", *arguments], checkout.root, env, 2 if apart else None)
    name = state.read(checkout.root, patchset.load()).name
    headline = f"WanGP {checkout.version} ended." if code == 0 else f"WanGP ended with exit code {code}."
    extra = {"python": str(program), "arguments": list(arguments), "before": list(notes), "wangp_exit_code": code}
    return Result("launch", "done", headline, checkout, name, extra=extra, exit_code=code)


def _make_sure(root: Path) -> tuple[str, ...]:
    now = state.read(root, patchset.load())
    if now.name == "installed":
        return ()
    try:
        return (install(root).headline,)
    except SviError as error:
        return ("SVI is off in this WanGP.", error.message, *((error.hint,) if error.hint else ()))


def _run(command: list[str], root: Path, env: Mapping[str, str], out: int | None) -> int:
    clean = {name: value for name, value in env.items() if name not in _OURS or not _is_ours(value)}
    # A signal between the start and the wait would leave WanGP behind without anybody to end it.
    ready = signals.put_off()
    try:
        process = subprocess.Popen(command, cwd=root, env=clean, stdout=out)
    except BaseException:
        signals.let_in(ready)
        raise
    with process:
        while True:
            try:
                signals.let_in(ready)
                code = process.wait()
            except KeyboardInterrupt:
                # WanGP got the same Ctrl-C and ends by itself, after it has put its work away. What another program
                # told this process alone is passed on.
                if signals.ended_from_outside():
                    process.terminate()
                continue
            return code if code >= 0 else 128 - code


def _is_ours(value: str) -> bool:
    return sys.prefix != sys.base_prefix and os.path.normcase(value) == os.path.normcase(sys.prefix)
