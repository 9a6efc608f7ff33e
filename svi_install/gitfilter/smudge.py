"""Git runs this file for each of WanGP's files that it writes: text in, text with hooks out."""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> int:
    """Let the text through as it is when anything is wrong: an update must never fail because of SVI."""
    text = sys.stdin.buffer.read()
    out, said = text, ""
    try:
        # Started by its path, and with -I, so Python has not looked for the package where this file lies.
        sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
        from svi_install.gitfilter.hooking import hooked

        out, said = hooked(Path.cwd(), sys.argv[1], text)
    except Exception as error:  # noqa: BLE001
        said = f"SVI is not in {' '.join(sys.argv[1:])}: {error}"
    sys.stdout.buffer.write(out)
    sys.stdout.buffer.flush()
    if said:
        sys.stderr.write(f"svi-install: {' '.join(said.split())}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
