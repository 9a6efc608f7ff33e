"""Every command line in the documents, run as it stands there from a person's own folder, or listed with the reason.

A person's folder has spaces, an umlaut and a quote in its name; WanGP lies beside it and is named with a relative path.
Only what the documents themselves call a placeholder is filled in: /path/to/WanGP, REV, GIT and so on.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from svi_install import bootstrap
from svi_install.cli.app import commands
from svi_install.commands.install import install
from svi_install.runtime import png
from tests import documented, miniature, story
from tests.checkout.test_mp4 import TEXT, box, meta, video
from tests.crash.layer import tree
from tests.documented import ROOT
from tests.loras.conftest import lora_bytes, svi_file
from tests.person import Person, executable, hub, person, repository, run, upstream
from tests.releases.test_install_all import releases
from tests.storyboard import standin
from tests.storyboard.conftest import ffmpeg_program
from tests.trees import posix
from tests.wangp.lab.checkout import git_directory

__all__ = ["ffmpeg_program", "hub", "person"]
pytestmark = posix

ASSUMED = "a mention of what the sentence is about"
BY_HAND_THERE = "the laboratory; tests/wangp/test_by_hand.py runs it"
MINUTES = "a benchmark; minutes"
NOT_RUN = {
    "install.bat": "Windows; tests/test_install_bat.py runs it there and under wine",
    r"install.bat C:\path\to\WanGP": "Windows; tests/test_install_bat.py runs it there and under wine",
    "git apply": ASSUMED,
    "git apply --check": ASSUMED,
    "python wgp.py --process": ASSUMED,
    ".venv-test/bin/python -m pytest": ASSUMED,
    "python3 tests/run.py": "it would run this test; tests/test_run.py tests its parts",
    "python .github/lock.py": "asks the package index, and writes the locks",
    "python -m svi_install.history.contents GIT": "minutes over the real history; tests/releases holds what it writes",
    "python benchmarks/download.py": MINUTES,
    "python benchmarks/crash.py": MINUTES,
    "python benchmarks/start.py": MINUTES,
    "python benchmarks/check.py GIT": MINUTES,
    "python benchmarks/gpu_cost.py WANGP": "a graphics card",
    "python benchmarks/gpu_cost.py WANGP --vae 32 --size 416x240 --frames 17 --steps 1 --rounds 1": "a graphics card",
    "python benchmarks/precision.py /path/to/WanGP": "WanGP's environment; tests/wangp/test_precision.py runs it",
    "python benchmarks/precision.py WANGP": "WanGP's environment; tests/wangp/test_precision.py runs it",
    "python docs/survival.py GIT": "minutes, and it writes docs/survival.svg",
    ".venv-wangp/bin/python -m pytest tests/runtime/test_precision.py -s": "torch; tests/run.py runs it there",
    "python tests/wangp/setup_lab.py": "3 GB; tests/run.py runs it",
    "python tests/wangp/run.py parity WANGP": BY_HAND_THERE,
    "python tests/wangp/run.py tree 12.60 /tmp/WanGP": BY_HAND_THERE,
    "svi-install /tmp/WanGP --no-lora": BY_HAND_THERE,
    "python tests/wangp/run.py generate /tmp/WanGP settings.json --out /tmp/out": BY_HAND_THERE,
    "python tests/wangp/run.py parity /tmp/WanGP svi-2.0": BY_HAND_THERE,
    "python tests/wangp/run.py lora /tmp/lora.safetensors --format pipe.dit": BY_HAND_THERE,
    "apt-get install ffmpeg chromium chromium-driver": "changes this computer; .ci/run installs the same",
}


# What a line leads to: run it, then look at what came of it.
Case = Callable[[Person, str], None]


def installs(person: Person, line: str) -> None:
    miniature.write(person.wangp)
    assert "SVI is now in WanGP" in run(person, line)
    assert (person.wangp / "svi_wangp").is_dir()


def reverts(person: Person, line: str) -> None:
    before = tree(miniature.write(person.wangp))
    install(person.wangp)
    run(person, line)
    assert tree(person.wangp) == before


def only_says(*words: str, installed: bool = True) -> Case:
    def case(person: Person, line: str) -> None:
        miniature.write(person.wangp)
        if installed:
            install(person.wangp)
        before = tree(person.wangp)
        said = run(person, line)
        assert [word for word in words if word not in said] == []
        assert tree(person.wangp) == before

    return case


def fetches(name: str) -> Case:
    def case(person: Person, line: str) -> None:
        install(miniature.write(person.wangp))
        run(person, line)
        assert (person.wangp / "loras" / "wan_i2v" / f"{name}.safetensors").is_file()

    return case


def launches(person: Person, line: str) -> None:
    miniature.write(person.wangp)
    wgp = person.wangp / "wgp.py"
    wgp.write_text(
        wgp.read_text().replace('if __name__ == "__main__":', 'open("begun", "w")\nif __name__ == "__main__":')
    )
    executable(person.wangp / "venv" / "bin" / "python", f'exec {sys.executable} "$@"')
    run(person, line)
    assert (person.wangp / "begun").exists()


def tells_of_a_video(person: Person, line: str) -> None:
    video(person.folder / "video.mp4", box(b"moov", box(b"udta", meta(TEXT))))
    assert "shot" in run(person, line)


def unpacked(case: Case) -> Case:
    """The same with the start script, in its own folder and an environment that is there already."""

    def with_script(person: Person, line: str) -> None:
        folder = repository(person)
        data = person.home / "data"
        # -I would keep Python from the package of this test.
        executable(bootstrap.interpreter(data / "venv"), 'shift 3\nexec svi-install "$@"')
        (data / "venv" / bootstrap.STAMP).write_text(bootstrap.fingerprint(folder))
        person.variables["SVI_INSTALL_HOME"] = str(data)
        case(person._replace(folder=folder), line)

    return with_script


def judges(person: Person, line: str) -> None:
    """One commit of WanGP's history, and some of that of the stand-in, hold what cannot be patched."""
    said = run(person, line, 0 if git_directory() and "--all-commits" not in line else 4)
    assert "can be patched" in said


def repairs(person: Person, line: str) -> None:
    """No release of the real WanGP is refused; one of the stand-in's history is."""
    told = story.tell(person.home)
    upstream(person.home, told.git)
    assert "review" in run(person, line.replace("REV", told.commits["rework"]))


def patches_by_hand(person: Person, line: str) -> None:
    """Runs the whole block in WanGP's folder, and out again as the sentence behind it says."""
    git = git_directory()
    if git is None:
        pytest.skip("WanGP's history is not here (WANGP_GIT)")
    for path in miniature.files("base"):
        (person.wangp / path).parent.mkdir(parents=True, exist_ok=True)
        show = ["git", "-C", str(git), "show", f"{dict(releases())['12.60']}:{path}"]
        (person.wangp / path).write_bytes(subprocess.run(show, capture_output=True, check=True).stdout)
    before = tree(person.wangp)
    name = shlex.quote(f"../{repository(person).name}")
    apply, copy = (each.replace("/path/to", name) for each in BY_HAND)
    run(person, apply, cwd=person.wangp)
    run(person, copy, cwd=person.wangp)
    assert "SVI is in WanGP 12.60" in run(person, f"svi-install --status {shlex.quote(str(person.wangp))}")
    run(person, apply.replace("git apply", "git apply -R"), cwd=person.wangp)
    shutil.rmtree(person.wangp / "svi_wangp")
    assert tree(person.wangp) == before


def clones(person: Person, line: str) -> None:
    """Both lines: the second one names what the first one made."""
    clone, name = LABORATORY
    assert run(person, f'{clone} && {name} && git -C "$WANGP_GIT" rev-parse HEAD')


BY_HAND = (
    "git apply /path/to/patches/wgp-9.0.diff /path/to/patches/any2video-10.0.diff /path/to/patches/model-9.0.diff",
    "cp -r /path/to/svi_install/runtime svi_wangp",
)
LABORATORY = (
    "git clone --bare https://github.com/deepbeepmeep/Wan2GP wangp.git",
    "export WANGP_GIT=$PWD/wangp.git",
)
RUN: dict[str, Case] = {
    "svi-install": installs,
    r"svi-install C:\path\to\WanGP": installs,
    "./install.sh": unpacked(installs),
    "./install.sh /path/to/WanGP": unpacked(installs),
    "svi-install --revert /path/to/WanGP": reverts,
    "svi-install --revert": reverts,
    "svi-install --dry-run": only_says("diff --git", installed=False),
    "svi-install --status": only_says("SVI is in WanGP"),
    "svi-install --status video.mp4": tells_of_a_video,
    "svi-install doctor --report": only_says("svi-install"),
    "svi-install launch": launches,
    "svi-install render --help": only_says("--redo"),
    "svi-install fetch": fetches("svi-shot"),
    "svi-install fetch svi-2.0": fetches("svi-2.0"),
    "svi-install fetch --list": only_says("svi-shot", "svi-2.0"),
    "svi-install check": judges,
    "svi-install check --all-commits": judges,
    "svi-install repair-patches REV": repairs,
    **dict.fromkeys((*BY_HAND, "git apply -R"), patches_by_hand),
    **dict.fromkeys(LABORATORY, clones),
}
FILM = 'svi-install render start.png "she walks | she runs | she flies" -o film.mp4'
STORY = "svi-install render story.yaml"
# Behind the line that renders the story, in the order of the page.
FURTHER = ("--redo 5", "--from 5", "--preview", "--lint", "--dry-run")
COUNT = """
import shlex, sys
import pytest
class Counts:
    def pytest_collection_finish(self, session):
        print("\\nchosen", len(session.items), flush=True)
for line in sys.argv[1:]:
    pytest.main([*shlex.split(line), "--collect-only", "-qq", "-p", "no:cacheprovider"], [Counts()])
"""
# Options of other programs that the documents name: WanGP's, git's, pip's, those of scripts here.
OTHERS = {"--lora-config", "--process", "--listen", "--bare", "--check", "--dist", "--out", "--format"}
OTHERS |= {"--vae", "--size", "--frames", "--steps", "--rounds", "--cpu"}
TESTS = re.compile(r"((?:[A-Z_]+=\S+ )*)pytest (.*)")


def test_every_command_line_is_run_or_listed() -> None:
    written = {line.text for line in documented.lines()}
    known = {*RUN, *NOT_RUN, FILM, STORY, *FURTHER}
    assert sorted(line for line in written - known if not TESTS.fullmatch(line)) == []
    assert sorted(known - written) == [], "no longer in the documents"
    assert sorted(set(RUN) & set(NOT_RUN)) == []


def test_what_a_document_may_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader of the documents sees every form in which one may say a command."""
    (tmp_path / "README.md").write_text(
        "Run `svi-install one`, `./install.sh`, ``no`` or\n`X=1 pytest\nthree`.\n\n    svi-install four   # five\n\n"
        "| a | `install.bat six` |\n\n```\nseven --eight\n```\n```text\nsvi-install nothing\n```\n`git` `nine/ten`\n"
    )
    monkeypatch.setattr(documented, "ROOT", tmp_path)
    found = [line.text for line in documented.lines()]
    assert found == [
        *("seven --eight", "svi-install four", "svi-install one", "./install.sh", "X=1 pytest three"),
        "install.bat six",
    ]
    assert documented.options() == {"--eight"}


@pytest.mark.parametrize("line", RUN)
def test_a_command_as_it_is_written(person: Person, line: str) -> None:
    RUN[line](person, line)


def page(name: str, language: str) -> str:
    """The first block of a document in a language."""
    blocks = documented.FENCE.findall((ROOT / name).read_text("utf-8"))
    return next(text for kind, text in blocks if kind == language)


def studio(person: Person, *images: str) -> Path:
    """A stand-in for WanGP, with the LoRA of SVI-Shot and these images in the person's folder."""
    root = standin.make(person.wangp)
    svi_file(root / "loras" / "wan_i2v" / "svi-shot.safetensors")
    for name in images:
        png.write(person.folder / f"{name}.png", png.Picture(64, 32, bytes(64 * 32 * 3)))
    return root


def test_a_film_as_it_is_written(person: Person, ffmpeg_program: Path) -> None:
    studio(person, "start")
    run(person, FILM)
    assert (person.folder / "film.mp4").is_file()
    assert [task["prompt"] for task in standin.asked(person.wangp)] == ["she walks", "she runs", "she flies"]


def test_a_story_as_it_is_written(person: Person, ffmpeg_program: Path) -> None:
    """The story file of the page, then every option that the page lists behind it."""
    text = page("docs/films.md", "yaml")
    folder = studio(person, "start", "other") / "loras" / "wan_i2v"
    for name in re.findall(r"[\w.-]+\.safetensors", text):
        (folder / name).write_bytes(lora_bytes())
    (person.folder / "story.yaml").write_text(text)
    made = {}
    for option in ("--preview", "", *FURTHER):
        before = len(standin.asked(person.wangp))
        run(person, f"{STORY} {option}")
        made[option] = made.get(option, 0) + len(standin.asked(person.wangp)) - before
    assert made == {"--preview": 5, "": 0, "--redo 5": 1, "--from 5": 1, "--lint": 0, "--dry-run": 0}
    film = person.folder / "story-film.mp4"
    assert film.is_file()
    assert film.with_suffix(".json").is_file()


def test_a_line_of_tests_selects_tests(tmp_path: Path) -> None:
    """tests/run.py runs the tests themselves; here only what each line chooses is counted, in one process."""
    lines = sorted({line.text for line in documented.lines() if TESTS.fullmatch(line.text)})
    assert len(lines) > 30
    done = subprocess.run(
        [sys.executable, "-c", COUNT, *(TESTS.sub(r"\2", line) for line in lines)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    counts = [int(line.removeprefix("chosen ")) for line in done.stdout.splitlines() if line.startswith("chosen ")]
    assert len(counts) == len(lines), done.stdout + done.stderr
    assert [line for line, count in zip(lines, counts, strict=True) if not count] == []


@pytest.mark.parametrize("line", [line for line in NOT_RUN if re.match(r"python \S+/", line)])
def test_a_script_that_is_not_run_is_there_and_takes_its_options(line: str) -> None:
    script, *words = shlex.split(line)[1:]
    source = (ROOT / script).read_text("utf-8")
    compile(source, script, "exec")
    if "argparse" in source and "venv" not in source:
        asked = [sys.executable, script, *words, "--help"]
        done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert all(word in done.stdout for word in words if word.startswith("--"))


def test_every_option_exists() -> None:
    context = click.Context(commands)
    known = {"--help", "--version", "--wangp-all", *OTHERS}
    for name in commands.list_commands(context):
        command = commands.get_command(context, name)
        assert command
        known |= {word for parameter in command.params for word in parameter.opts}
    assert sorted(documented.options() - known) == []


def test_every_path_exists() -> None:
    assert sorted(path for path in documented.paths() if not (ROOT / path).exists()) == []
