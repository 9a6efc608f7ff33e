"""Runs parts of the laboratory by hand. Trees are made once under the user's cache folder and copied.

python tests/wangp/run.py tree VERSION FOLDER            a WanGP tree with tiny checkpoints, without SVI; 13.0, 13.14
                                                         and 17.17 are 12.60 with their behaviour, see lab/flavours.py
python tests/wangp/run.py generate TREE SETTINGS.json    wgp.py --process, and what came out of it
python tests/wangp/run.py parity TREE [CASE ...]         comparison with the official SVI program
python tests/wangp/run.py lora FILE --format FORMAT      a LoRA of the tiny model with the names of a format
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from lab import checkout, flavours, media, parity, tools, trees
from lab.generate import complete, generate, place_loras


def tree(arguments: argparse.Namespace) -> bool:
    git_dir = checkout.git_directory()
    if git_dir is None:
        sys.exit(f"WanGP's git directory is in neither WANGP_GIT nor {checkout.GIT_SETTING}")
    print(trees.make(arguments.version, git_dir, tools.default_environment(), arguments.folder))
    return True


def run_settings(arguments: argparse.Namespace) -> bool:
    read = json.loads(arguments.settings.read_text("utf-8"))
    tasks = [complete(each, arguments.settings.parent) for each in (read if isinstance(read, list) else [read])]
    place_loras(arguments.tree, arguments.lora)
    report = generate(arguments.tree.resolve(), tools.default_environment(), tasks, arguments.out.resolve())
    print(f"{'ok' if report.ok else 'FAILED'}: {report.ended}, queue {report.completed}, {report.out}")
    for generation in report.generations:
        print(f"{generation.frames} frames, md5 {generation.md5}")
        for window in generation.windows:
            print(f"  window {window['window_no']}: seed {window['seed']}, {window['input_prompt']!r}")
    print("\n".join(report.svi_lines if report.ok else report.why().splitlines()))
    return report.ok


def compare(arguments: argparse.Namespace) -> bool:
    out, golden = arguments.out.resolve(), arguments.golden.resolve()
    cases = arguments.case or list(parity.ENDS if arguments.ends else parity.OFFICIAL)
    if arguments.ends:
        out.mkdir(parents=True, exist_ok=True)
        golden = out / "ends.npz"
        tools.prepare(arguments.tree, tools.default_environment(), parity=True)
        parity.reference(arguments.tree.resolve(), tools.default_environment(), parity.ENDS, golden)
    jobs = [
        parity.Job(case, feed, not arguments.official_sigmas, arguments.padding)
        for case in cases
        for feed in ("own", "golden")
    ]
    report, results = parity.measure(arguments.tree.resolve(), tools.default_environment(), jobs, out, golden)
    parity.show(results)
    if not report.ok:
        print(report.why())
    return report.ok and all(result.ok for result in results)


def lora(arguments: argparse.Namespace) -> bool:
    print(media.write_lora(arguments.file, arguments.format), "tensors in", arguments.file)
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, function in (("tree", tree), ("generate", run_settings), ("parity", compare), ("lora", lora)):
        command = commands.add_parser(name)
        command.set_defaults(function=function)
        if name == "tree":
            command.add_argument("version", choices=(*checkout.RELEASES, *flavours.FLAVOURS))
            command.add_argument("folder", type=Path)
        if name == "lora":
            command.add_argument("file", type=Path)
            command.add_argument("--format", choices=media.FORMATS, default="pipe.dit")
        if name in {"generate", "parity"}:
            command.add_argument("tree", type=Path)
            command.add_argument("--out", type=Path, default=Path(tempfile.gettempdir(), "wangp-lab"))
        if name == "generate":
            command.add_argument("settings", type=Path)
            command.add_argument("--lora", type=Path, action="append", default=[], help="a LoRA file; repeatable")
        if name == "parity":
            command.add_argument("case", nargs="*")
            command.add_argument("--golden", type=Path, default=parity.GOLDEN, help="another .npz file")
            command.add_argument("--ends", action="store_true", help="clips that arrive at an image; lab/reference.py")
            command.add_argument("--padding", type=int, help="reference padding of a case that parity.py does not know")
            command.add_argument(
                "--official-sigmas", action="store_true", help="put the noise schedule in from outside"
            )
    arguments = parser.parse_args()
    return 0 if arguments.function(arguments) else 1


if __name__ == "__main__":
    sys.exit(main())
