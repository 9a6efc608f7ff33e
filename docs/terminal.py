"""Makes docs/terminal.svg, the picture of a terminal in the README, from real runs: ``python docs/terminal.py WANGP``.

WANGP is a folder with an unpatched WanGP; it is copied first. Needs the package in the environment that runs this.
"""

from __future__ import annotations

import re
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

from svi_install.commands.install import install
from svi_install.commands.revert import revert
from svi_install.commands.status import status
from svi_install.report.output import Output, spoken
from svi_install.report.result import Result
from svi_install.report.table import show_rich
from svi_install.report.text import plain_lines

WIDTH = 98
SHOWN = Path("/home/me/Wan2GP")
PICTURE = Path(__file__).with_name("terminal.svg")


def show(console: Console, command: str, result: Result, root: Path) -> None:
    """Print a command and its result as a person sees them, with a plain folder name instead of the copy's."""
    to = Output(sys.stdout, sys.stderr, color=True, rich=True, program="./install.sh")
    console.print(Text.assemble(("$ ", "bold cyan"), (command, "bold")))
    with console.capture() as capture:
        if result.changes:
            show_rich(result, to, console)
        else:
            console.print(Text.from_ansi("\n".join(spoken(line, to) for line in plain_lines(result, color=True))))
    console.print(Text.from_ansi(capture.get().replace(str(root), str(SHOWN))))


def main() -> int:
    """Run the three commands on a copy and write the picture."""
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    console = Console(record=True, width=WIDTH, force_terminal=True, color_system="truecolor", highlight=False)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve() / "Wan2GP"
        names = shutil.ignore_patterns("ckpts", "outputs", "*.safetensors")
        shutil.copytree(sys.argv[1], root, ignore=names, symlinks=True)
        path = shlex.quote(str(SHOWN))
        show(console, f"./install.sh --no-lora {path}", install(root), root)
        show(console, f"./install.sh --status {path}", status(root), root)
        show(console, f"./install.sh --revert {path}", revert(root), root)
    # Fonts from elsewhere are not loaded in a README; without them the viewer's own monospace font is taken.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", console.export_svg(title="svi-install"), flags=re.DOTALL)
    PICTURE.write_text(svg, "utf-8")
    print(f"{PICTURE} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
