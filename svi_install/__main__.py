"""Entry point; answers ``--version`` before anything else is imported, because scripts ask for it often."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line with the arguments of the process.

    Returns:
        The exit code.
    """
    if sys.argv[1:] == ["--version"]:
        from . import __version__

        print(f"svi-install {__version__}")
        return 0
    from .funnel import main as run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
