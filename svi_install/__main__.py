"""Entry point; answers ``--version`` before anything else is imported, because scripts ask for it often."""

from __future__ import annotations

import gc
import os
import sys


def main() -> int:
    """Run the command line with the arguments of the process."""
    # Nothing to be collected comes up while a command starts; where it goes on for longer, `gc.enable` follows.
    gc.disable()
    stopped = False
    while True:
        # Ctrl-C in these few milliseconds is kept for what can answer it in words or in JSON.
        try:
            if sys.argv[1:] == ["--version"] and _version():
                return 0
            _open_closed_streams()
            from . import signals

            signals.catch()
            break
        except KeyboardInterrupt:
            stopped = True
    from .cli.main import main as run

    code = run(sys.argv[1:], stopped=stopped)
    signals.ignore()
    return code


def _version() -> bool:
    from . import __version__

    try:
        # Nothing may stay in a buffer that cannot be written, and print says nothing where there is no output.
        return sys.stdout is not None and os.write(1, f"svi-install {__version__}\n".encode()) > 0
    except OSError:
        return False


def _open_closed_streams() -> None:
    """Put nothing in the place of standard streams that are closed, or the next file to be opened would take it."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


if __name__ == "__main__":
    sys.exit(main())
