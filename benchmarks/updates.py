"""What the filter costs, each beside its yardstick in the same run: ``python benchmarks/updates.py GIT [ROUNDS]``.

GIT is a clone of WanGP with its history. ``git status`` in a whole WanGP with SVI, against the same without; what git
waits for when it writes `wgp.py`, of a known and of an unknown release, beside an empty Python (the goal there is in
milliseconds); an install into a git clone against patch-package applying the same diffs. The runs alternate, and the
best of each counts.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from start import command, compare, environment, node_package, nothing, patch_package  # noqa: E402

from svi_install.patching import patchset  # noqa: E402

RELEASE = "12.60"


def git(root: Path, *words: str, stdin: bytes = b"") -> bytes:
    """Run git as a person does."""
    return subprocess.run(["git", *words], cwd=root, input=stdin, check=True, stdout=subprocess.PIPE).stdout


def clone(folder: Path, history: Path) -> Path:
    """Make a clone of the whole release; what the history itself lacks is left out."""
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    (folder / ".git" / "objects" / "info" / "alternates").write_text(f"{history.resolve() / 'objects'}\n")
    listed = git(folder, "ls-tree", "-r", patchset.load().commits[RELEASE]).splitlines()
    ids = b"\n".join(row.split()[2] for row in listed)
    sizes = git(folder, "cat-file", "--batch-check", stdin=ids).splitlines()
    there = [row for row, size in zip(listed, sizes, strict=True) if not size.endswith(b"missing")]
    git(folder, "update-index", "--index-info", stdin=b"\n".join([*there, b""]))
    tree = git(folder, "write-tree").decode().strip()
    person = ("-c", "user.name=a", "-c", "user.email=a@b")
    commit = git(folder, *person, "commit-tree", tree, "-m", RELEASE).decode().strip()
    git(folder, "reset", "--quiet", "--hard", commit)
    print(f"WanGP {RELEASE}: {len(there)} files")
    return folder


def main() -> int:
    """Run every comparison and print one line for each."""
    if len(sys.argv) < 2:
        print(__doc__)
        return 2
    history, rounds = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 10
    history = history / ".git" if (history / ".git").is_dir() else history
    # A shell may keep Python from storing what it compiled; nobody's installation is like that.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        programs = environment(folder / "environment")
        script, python = programs / "svi-install", programs / "python"
        plain, root = clone(folder / "plain", history), clone(folder / "with SVI", history)
        command(script, "--no-lora", "--quiet", root)()
        status = (command("git", "status", "--porcelain", cwd=root), nothing)
        compare(
            {"git status": status, "without SVI": (command("git", "status", "--porcelain", cwd=plain), nothing)},
            rounds,
            1.2,
        )
        known = git(root, "cat-file", "blob", ":wgp.py")
        new = known.replace(b"\nimport ", b"\nOF_ITS_OWN = 1\nimport ", 1).replace(RELEASE.encode(), b"12.60.1")
        inner = next((folder / "environment").rglob("gitfilter/smudge.py"))
        for what, text in (("known", known), ("unknown", new)):
            file = folder / f"{what}.py"
            file.write_bytes(text)

            def smudge(file: Path = file) -> None:
                with file.open("rb") as source:
                    done = subprocess.run(
                        [python, "-I", inner, "wgp.py"], cwd=root, stdin=source, stdout=subprocess.PIPE, check=True
                    )
                assert done.stdout.count(b"# svi-install") > 2

            bare = (command(python, "-I", "-c", "pass"), nothing)
            compare({f"smudge, {what}": (smudge, nothing), "python -I -c pass": bare}, rounds, 250)
        command(script, "--revert", "--quiet", root)()
        tool = patch_package(folder / "npm")
        if tool is None:
            print("install: there is no npm to bring patch-package, so there is nothing to compare with")
            return 0
        app = node_package(folder / "app", small(plain, folder / "small"))
        install = (command(script, "--no-lora", "--quiet", root), command(script, "--revert", "--quiet", root))
        other = (command(tool, cwd=app), command(tool, "--reverse", cwd=app))
        compare({"install into a clone": install, "patch-package": other}, max(3, rounds // 2), 1.0)
    return 0


def small(root: Path, folder: Path) -> Path:
    """Copy what is patched, since patch-package would hash the rest of WanGP too."""
    for path in patchset.load().paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes((root / path).read_bytes())
    return folder


if __name__ == "__main__":
    sys.exit(main())
