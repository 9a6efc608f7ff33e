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
from shlex import quote

import click
import pytest

from svi_install import bootstrap
from svi_install.cli.app import commands
from svi_install.commands.install import install
from svi_install.runtime import png
from svi_install.storyboard.script.variants import variant_of
from tests import documented, documented_plugin, miniature, story, updating
from tests.checkout.test_mp4 import TEXT, box, meta, video
from tests.crash.layer import tree
from tests.documented import ROOT
from tests.documented_reasons import NOT_RUN
from tests.drift.documented import anchors, measures, watches
from tests.loras.conftest import lora_bytes, svi_file
from tests.person import Person, executable, hub, person, repository, run, upstream
from tests.releases.test_install_all import releases
from tests.storyboard import standin
from tests.storyboard.conftest import ffmpeg_program
from tests.storyboard.documented import ENDS, ends_on_an_image
from tests.trees import posix
from tests.wangp.lab.checkout import git_directory

__all__ = ["ffmpeg_program", "hub", "person"]
pytestmark = posix

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
    executable(person.wangp / "venv" / "bin" / "python", f'exec {quote(sys.executable)} "$@"')
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
    assert run(person, f'{LABORATORY[0]} && {LABORATORY[1]} && git -C "$WANGP_GIT" rev-parse HEAD')


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
    **documented_plugin.RUN,
    "svi-install --revert /path/to/WanGP": reverts,
    "svi-install --revert": reverts,
    "svi-install --dry-run": only_says("diff --git", installed=False),
    "svi-install --status": only_says("SVI is in WanGP"),
    "svi-install --status video.mp4": tells_of_a_video,
    "svi-install doctor --report": only_says("svi-install"),
    "svi-install launch": launches,
    "svi-install status": only_says("SVI is in WanGP"),
    "svi-install doctor": only_says("updates"),
    **updating.RUN,
    "svi-install render --help": only_says("--redo"),
    "svi-install render --schema": only_says("A story for svi-install render"),
    "svi-install fetch": fetches("svi-shot"),
    "svi-install fetch svi-2.0": fetches("svi-2.0"),
    "svi-install fetch --list": only_says("svi-shot", "svi-2.0"),
    "svi-install check": judges,
    "svi-install check --all-commits": judges,
    "svi-install repair-patches REV": repairs,
    "svi-install render story.yaml --watch": watches,
    "svi-install render story.yaml --anchor-colour": anchors,
    **dict.fromkeys(ENDS, ends_on_an_image),
    "svi-install drift film.mp4": measures,
    "svi-install drift film.mp4 --goal 3:bridge.png": measures,
    "svi-install drift film.mp4 --html film.drift.html": measures,
    "svi-install drift window.mp4 svi.mp4 --html both.html": measures,
    "svi-install drift film.mp4 --clip-frames 81 --json": measures,
    **dict.fromkeys((*BY_HAND, "git apply -R"), patches_by_hand),
    **dict.fromkeys(LABORATORY, clones),
}
FILM = 'svi-install render start.png "she walks | she runs | she flies" --variant fast -o film.mp4'
STORY = "svi-install render story.yaml"
PUBLISH = "svi-install render story.yaml --fps 24 --scale 1080p --audio music.mp3"
GOES_ON = 'svi-install render clip.mp4 "she runs | she flies" -o film.mp4'
AGAIN = ("svi-install status film.mp4", "svi-install render film.mp4 -o again.mp4")
# Behind the line that renders the story, in the order of the page.
TAKES = ("--takes 3", "--pick 4:2")
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
OTHERS |= {"--hard", "--remove-section", "--own-work", "--cpu"}
OTHERS |= {
    "--scenes",
    "--clean",
    "--jumps",
    "--half",
    "--strengths",
    "--no-cache-dir",
    "--ends",
    "--host",
    "--workers",
    "--clips",
    "--held",
    "--curves",
    "--first",
}
TESTS = re.compile(r"((?:[A-Z_]+=\S+ )*)pytest (.*)")


def test_every_command_line_is_run_or_listed() -> None:
    written = {line.text for line in documented.lines()}
    known = {*RUN, *NOT_RUN, FILM, STORY, GOES_ON, PUBLISH, *AGAIN, *FURTHER, *(f"{STORY} {each}" for each in TAKES)}
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
    folder = studio(person, "start") / "loras" / "wan_i2v"
    for name in variant_of("2.0-fast").settings["activated_loras"]:
        svi_file(folder / name.rpartition("/")[2])
    run(person, FILM)
    assert (person.folder / "film.mp4").is_file()
    assert [task["prompt"] for task in standin.asked(person.wangp)] == ["she walks", "she runs", "she flies"]
    assert {task["num_inference_steps"] for task in standin.asked(person.wangp)} == {4}


def test_a_story_as_it_is_written(person: Person, ffmpeg_program: Path) -> None:
    """The story file of the page, then every option that the page lists behind it."""
    text = page("docs/films.md", "yaml")
    folder = studio(person, "start", "other") / "loras" / "wan_i2v"
    for name in re.findall(r"[\w.-]+\.safetensors", text):
        (folder / name).write_bytes(lora_bytes())
    (person.folder / "story.yaml").write_text(text)
    made = {}
    for option in ("--preview", "", *TAKES, *FURTHER):
        before = len(standin.asked(person.wangp))
        run(person, f"{STORY} {option}")
        made[option] = made.get(option, 0) + len(standin.asked(person.wangp)) - before
    # Five clips and three takes of the sixth; two more takes of five; one more of the fifth, and three that follow.
    assert made == {
        **{"--preview": 8, "": 0, "--takes 3": 10, "--pick 4:2": 0},
        **{"--redo 5": 4, "--from 5": 2, "--lint": 0, "--dry-run": 0},
    }
    film = person.folder / "story-film.mp4"
    assert film.is_file()
    assert film.with_suffix(".json").is_file()


def test_a_file_to_publish_as_it_is_written(person: Person, ffmpeg_program: Path) -> None:
    """With a story of two tiny clips: ffmpeg takes minutes for the frames between those of the page's story."""
    studio(person, "start")
    settings = "{resolution: 64x32, clip_frames: 9, steps: 2}"
    (person.folder / "story.yaml").write_text(f"image: start.png\ndefaults: {settings}\nshots: [one, two]\n")
    sound = ("-f", "lavfi", "-i", "sine=d=1", person.folder / "music.mp3")
    subprocess.run([ffmpeg_program, "-v", "error", *sound], check=True)
    run(person, PUBLISH)
    assert (person.folder / "story-film-24fps-1080p-music.mp4").is_file()
    (person.folder / "story-film.mp4").rename(person.folder / "film.mp4")
    assert "- prompt: one" in run(person, AGAIN[0])
    run(person, AGAIN[1])
    assert (person.folder / "again.mp4").is_file()


def test_a_film_that_goes_on_from_a_video_as_it_is_written(person: Person, ffmpeg_program: Path) -> None:
    studio(person)
    source = ("-f", "lavfi", "-i", "testsrc2=s=64x48:r=16:d=1", "-pix_fmt", "yuv420p", person.folder / "clip.mp4")
    subprocess.run([ffmpeg_program, "-v", "error", *source], check=True)
    run(person, GOES_ON)
    assert (person.folder / "film.mp4").is_file()
    assert [task["prompt"] for task in standin.asked(person.wangp)] == ["she runs", "she flies"]


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
