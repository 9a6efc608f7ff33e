"""Films on the real WanGP: clip by clip they are the same video that WanGP makes in one go."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from svi_install.cli import main
from svi_install.patching import patchset
from svi_install.storyboard.archive import images
from svi_install.storyboard.headless import hardware, quality
from svi_install.storyboard.media import clip_video
from tests.cli import test_notebook

from .conftest import NEWEST, OTHER_FLAVOURS, Run, Tree
from .lab import installer, media, tools
from .lab.generate import decoded, place_loras
from .tales import CLIP_FRAMES, PROMPTS, check, md5, tale

ROOT = Path(__file__).parents[2]
API, PROCESS = "12.60", "9.91"
# The flavours of lab/flavours.py: in all of them a film is made, clip by clip in the newest.
FILMS = [
    NEWEST,
    API,
    PROCESS,
    *(pytest.param(version, marks=pytest.mark.long) for version in (*OTHER_FLAVOURS, "10.01")),
]


@pytest.mark.parametrize("version", FILMS)
def test_clip_by_clip_is_the_same_video(
    wangp_tree: Tree, run_wangp: Run, start_image: Path, tmp_path: Path, version: str
) -> None:
    """Every pixel of it, for one and for five motion frames."""
    tales = [tale(name, start_image, tmp_path) for name in ("shot", "2.0")]
    report = run_wangp(wangp_tree(version), [each for one in tales for each in (one.whole, *one.clips)])
    assert report.ok, report.why()
    for number, one in enumerate(tales):
        check(one, report.generations[4 * number : 4 * number + 4])


def test_wan_22_and_pro(fresh_tree: Tree, run_wangp: Run, start_image: Path, tmp_path: Path) -> None:
    """Two experts, and WanGP's own SVI 2 Pro, which hands latents on.

    12.60 hands none to the second clip of a video (later releases do), so the second clip begins a scene here.
    """
    tree = fresh_tree(API)
    installer.install(tree)
    loras = [tmp_path / f"SVI_Wan2.2-I2V-A14B_{half}_noise_lora_v2.0_pro.safetensors" for half in ("high", "low")]
    for seed, lora in enumerate(loras):
        media.write_lora(lora, "bare", seed=seed)
    place_loras(tree, loras)
    wan22, pro = tale("wan22", start_image, tmp_path), tale("pro", start_image, tmp_path, cut=2)
    uncut = tale("pro", start_image, tmp_path / "uncut").whole
    report = run_wangp(tree, [wan22.whole, *wan22.clips, uncut, *pro.clips])
    assert report.ok, report.why()
    check(wan22, report.generations[:4])
    whole, *clips = report.generations[4:]
    assert whole.seeds == [each.seeds[0] for each in clips] == [7, 49, 91]
    first, second, third = (pro.raw(number) for number in (1, 2, 3))
    size = len(first) // CLIP_FRAMES
    assert len(third) == 16 * size
    two = first + second[4 * size :]
    # WanGP leaves out the last two frames to come to the length that it was asked for.
    videos = [first, two, two + third[4 * size : -2 * size]]
    assert [saved["md5"] for saved in whole.saved] == [md5(video) for video in videos]


Lab = Callable[[str], tuple[Path, Path]]


@pytest.fixture
def lab(fresh_tree: Tree, environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """Makes a release with SVI and the LoRA of SVI-Shot, and gives this process the laboratory's variables.

    Returns its folder, and the file in which the shim writes what the model was asked for.
    """

    def make(version: str) -> tuple[Path, Path]:
        tree, calls = fresh_tree(version), tmp_path / "calls.jsonl"
        installer.install(tree)
        shot_lora(tree, tmp_path)
        tools.prepare(tree, environment)
        for name, value in tools.variables(tree, environment, TINY=1, CALLS=calls).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("WANGP_PYTHON", str(tools.python_of(environment)))
        return tree, calls

    return make


def events(calls: Path, kind: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in calls.read_text("utf-8").splitlines()]
    return [event for event in found if event["event"] == kind]


def shot_lora(tree: Path, folder: Path) -> None:
    """The LoRA of the variant, under the name that its profile's address ends in."""
    lora = folder / "svi-shot.safetensors"
    media.write_lora(lora, "pipe.dit")
    place_loras(tree, [lora])


SMALL = ("--resolution", "64x64", "--clip-frames", str(CLIP_FRAMES), "--steps", "2", "--variant", "shot")


@pytest.mark.parametrize("version", FILMS)
def test_render(lab: Lab, start_image: Path, tmp_path: Path, version: str) -> None:
    """The command itself, with the LoRA of the variant: one model load, one window per clip, a film that plays."""
    target = tmp_path / "film.mp4"
    tree, calls = lab(version)
    words = ("render", start_image, " | ".join(PROMPTS), "-o", target, "--wangp", tree, *SMALL)
    result = installer.svi_install(*words)["film"]
    assert result["headless"] == ("process" if version in (PROCESS, "10.01") else "api")
    assert (result["made"], result["frames"]) == ([1, 2, 3], 49)
    windows = events(calls, "window")
    assert [(each["window_no"], each["seed"], each["input_prompt"]) for each in windows] == [
        (1, 7, "a boat"),
        (1, 49, "a bridge"),
        (1, 91, "a bird"),
    ]
    assert {each["kept"] for each in events(calls, "loras")} == {each["tensors"] for each in events(calls, "loras")}
    assert len(events(calls, "loras")) >= 1
    assert decoded(target)[0] == 49
    proof = installer.svi_install("status", target)["video"]["svi"]
    assert (proof["variant"], proof["seeds"]) == ("shot", [7, 49, 91])
    before = target.read_bytes()
    again = installer.svi_install(*words, "--from", "3")["film"]
    assert again["made"] == [3]
    assert target.read_bytes() == before


@pytest.mark.parametrize("version", [API, pytest.param(PROCESS, marks=pytest.mark.long)])
def test_as_a_person_types_it(
    lab: Lab, tmp_path: Path, version: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the own folder, the image by its relative name; WanGP runs in its own, and goes on without an image."""
    tree, calls = lab(version)
    home = tmp_path / "grüße von hier"
    home.mkdir()
    media.write_picture(home / "mein bild.png")
    monkeypatch.chdir(home)
    words = ("render", "mein bild.png", "a [SKIP] boat | [ERROR] a bridge", "--wangp", str(tree), *SMALL)
    result = installer.svi_install(*words)["film"]
    assert (result["made"], result["frames"]) == ([1, 2], 33)
    log = (home / "mein bild-film.svi/wangp/wangp.log").read_text("utf-8", "replace")
    assert "not found" not in log
    assert [each["input_prompt"] for each in events(calls, "window")] == ["a [SKIP] boat", "[ERROR] a bridge"]
    monkeypatch.setattr(images, "keep", lambda store, wanted: dict.fromkeys(wanted, Path("mein bild.png")))
    code = main.main([*words, "--from", "1", "-o", "other.mp4", "--json"])
    error = json.loads(capsys.readouterr().out)["error"]
    assert (code, error["code"]) == (1, "input-lost"), error
    assert not list(home.glob("other.svi/segments/*"))


@pytest.mark.long
@pytest.mark.parametrize("version", [API, PROCESS])
def test_a_film_to_publish_that_goes_on_from_a_video(
    lab: Lab, environment: Path, tmp_path: Path, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """WanGP goes on from a person's frames and its RIFE makes those in between; nothing is made twice."""
    tree, calls = lab(version)
    python = tools.python_of(environment)
    subprocess.run([python, tools.SHIM / "tiny_rife.py", tree], check=True, capture_output=True)
    home = tmp_path / "grüße von hier"
    home.mkdir()
    monkeypatch.chdir(home)
    source = ("-f", "lavfi", "-i", "testsrc2=s=64x64:r=24:d=1", "-f", "lavfi", "-i", "sine=d=1")
    subprocess.run(["ffmpeg", "-v", "error", *source, "-pix_fmt", "yuv420p", "mein clip.mp4"], check=True)
    words = ("render", "mein clip.mp4", "a boat | a bridge", "-o", "film.mp4", "--wangp", tree, *SMALL)
    made = installer.svi_install(*words)["film"]
    rife = "WanGP's RIFE 4.26" if version == API else "WanGP's RIFE 3"
    # 16 frames of each clip are new; with the person's last one 33 at 16 a second are 50 at 24.
    assert (made["made"], made["video"]["added"], made["video"]["between"]) == ([1, 2], 49, rife)
    assert decoded(home / "film.mp4")[0] == 24 + 49
    assert [(each["window_no"], each["seed"]) for each in events(calls, "window")] == [(1, 7), (1, 49)]
    before = clip_video.packets(Path("ffmpeg"), Path("mein clip.mp4"))
    assert clip_video.packets(Path("ffmpeg"), Path("film.mp4"))[: len(before)] == before
    film = (home / "film.mp4").read_bytes()
    published = installer.svi_install(*words, "--fps", "30", "--scale", "2x")["film"]
    assert (published["made"], published["published"]["frames"]) == ([], 91)
    assert published["published"]["between"] == rife
    assert decoded(home / "film-30fps-2x.mp4")[0] == 91
    assert (home / "film.mp4").read_bytes() == film
    assert len(events(calls, "window")) == 2


@pytest.mark.long
def test_gguf(lab: Lab, environment: Path, start_image: Path, tmp_path: Path) -> None:
    """A real file in Q4_K, in the place of the public one, and a GGUF text encoder."""
    tree, calls = lab(API)
    python, maker = tools.python_of(environment), tools.SHIM / "tiny_gguf.py"
    pairs = {
        "wan2.1_image2video_480p_14B_mbf16.safetensors": "wan2.1-i2v-14b-480p-Q4_K_M.gguf",
        "umt5-xxl/models_t5_umt5-xxl-enc-bf16.safetensors": "umt5-xxl/umt5-xxl-encoder-Q5_K_M.gguf",
    }
    for source, made in pairs.items():
        subprocess.run([python, maker, tree / "ckpts" / source, tree / "ckpts" / made], check=True, capture_output=True)
    target = tmp_path / "film.mp4"
    words = ("render", start_image, "a boat | a bridge", "-o", target, "--wangp", tree, *SMALL)
    assert installer.svi_install(*words, "--quality", "Q4_K_M")["film"]["frames"] == 33
    log = (tmp_path / "film.svi/wangp/wangp.log").read_text("utf-8", "replace")
    for made in pairs.values():
        assert f"ckpts/{made}'" in log
    assert [each["error"] for each in events(calls, "window")] == [None, None]
    assert decoded(target)[0] == 33


UV = """#!/bin/sh
echo "$@" >> {log}
if [ "$1" = venv ]; then
    for folder; do :; done
    mkdir -p "$folder/bin"
    printf '#!/bin/sh\\nexec {python} "$@"\\n' > "$folder/bin/python"
    chmod +x "$folder/bin/python"
fi
"""
NVIDIA = """#!/bin/sh
case "$*" in *driver*) echo 550.54.15 ;; *) echo "Tesla T4, 15360, 7.5" ;; esac
"""


# In the place of the downloads: tiny checkpoints, one of them quantized, and a tiny LoRA.
DOWNLOADS = """
import subprocess, sys
from pathlib import Path
sys.path.insert(0, "{project}")
from tests.wangp.lab import media, tools
from tests.wangp.lab.generate import place_loras
tree, lora = Path("{tree}"), Path("{tree}").parent / "svi-shot.safetensors"
tools.prepare(tree, Path("{environment}"))
media.write_lora(lora, "pipe.dit")
place_loras(tree, [lora])
for source, made in (
    ("wan2.1_image2video_480p_14B_mbf16.safetensors", "wan2.1-i2v-14b-480p-{quality}.gguf"),
    ("umt5-xxl/models_t5_umt5-xxl-enc-bf16.safetensors", "umt5-xxl/umt5-xxl-encoder-{text}.gguf"),
):
    subprocess.run(["{python}", "{maker}", tree / "ckpts" / source, tree / "ckpts" / made], check=True)
"""


GIT = """#!/bin/sh
case "$1" in
    fetch) echo "$@" >> {log} ;;
    checkout) cp -r {tree}/. . ;;
    *) exec {git} "$@" ;;
esac
"""


def a_computer(folder: Path, python: Path, tree: Path) -> Path:
    """Stand-ins for what Colab has and this computer has not: a T4, and the addresses of WanGP and of its packages.

    Args:
        folder: for the programs, and what they were asked for.
        python: in the place of the one that uv would bring.
        tree: a WanGP in the place of the fetched one.

    Returns:
        The folder of the programs.
    """
    programs = folder / "programs"
    programs.mkdir()
    real = {"git": shutil.which("git"), "python": python, "tree": tree}
    for name, text in (("uv", UV), ("nvidia-smi", NVIDIA), ("git", GIT)):
        (programs / name).write_text(text.format(log=folder / f"{name}.log", **real))
        (programs / name).chmod(0o755)
    return programs


@pytest.mark.long
def test_the_notebook(
    environment: Path,
    plain_tree: Tree,
    start_image: Path,
    tmp_path: Path,
    *,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All of its cells as Colab runs them, in a fresh Python 3.13: it brings WanGP, chooses for a T4, makes a film."""
    home, tree = tmp_path / "home", tmp_path / "Wan2GP"
    home.mkdir()
    monkeypatch.setenv("JUPYTER_PATH", str(test_notebook.fresh_kernel(tmp_path / "kernel")))
    python, maker = tools.python_of(environment), tools.SHIM / "tiny_gguf.py"
    programs = a_computer(home, python, plain_tree(API))
    book = test_notebook.cells(
        {
            "REPOSITORY": str(ROOT),
            "IMAGE": str(start_image),
            "PROMPTS": "a boat | a bridge",
            "VARIANT": "shot",
            "RESOLUTION": "64x64",
            "CLIP_FRAMES": CLIP_FRAMES,
            "STEPS": 2,
        }
    )
    script = tmp_path / "downloads.py"
    # The memory of the computer is this one's.
    chosen = hardware.choose(hardware.Card("Tesla T4", 15.0, 7.5), hardware.ram(), two_experts=False)
    names = {"quality": chosen.quality, "text": quality.text_quality(chosen.quality)}
    places = {"project": ROOT, "tree": tree, "environment": environment, "python": python, "maker": maker}
    script.write_text(DOWNLOADS.format(**places, **names))
    at = next(index for index, cell in enumerate(book.cells) if cell.id == "install")
    source = f"import subprocess\ndone = subprocess.run([{sys.executable!r}, {str(script)!r}], check=True)"
    book.cells.insert(at + 1, test_notebook.code_cell(source))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.delenv("WANGP_PYTHON", raising=False)
    variables = tools.variables(plain_tree(API), environment, TINY=1)
    for name, value in {**variables, "LAB_TREE": str(tree)}.items():
        monkeypatch.setenv(name, value)
    said = test_notebook.execute(book, tmp_path, kernel="fresh")
    assert "Tesla T4" in said
    assert f"WanGP {API}" in said
    assert (tree / "svi_wangp").is_dir()
    asked = (home / "uv.log").read_text().splitlines()
    assert asked[0].startswith("venv --quiet --allow-existing --python 3.11 ")
    assert "torch==2.10.0" in asked[1]
    assert asked[1].endswith("/cu128")
    assert asked[2].endswith("wangp_packages.txt")
    assert decoded(tmp_path / "smoke.mp4")[0] == CLIP_FRAMES
    assert decoded(tmp_path / "film.mp4")[0] == 33
    assert f"{chosen.quality}, WanGP options {' '.join(chosen.options())}" in said
    assert list(patchset.load().commits.values())[-1] in (home / "git.log").read_text()
    assert "segment 2/2 done" in said
    shown = [output["data"] for cell in book.cells for output in cell.get("outputs", ()) if "data" in output]
    # The start image, three small clips and two contact sheets; the films themselves are not in the notebook.
    assert len(shown) == 6
    film = (tmp_path / "film.mp4").read_bytes()
    assert base64.b64encode(film)[:4000].decode() not in json.dumps(shown)


@pytest.mark.long
def test_a_film_that_is_measured_while_it_is_made(lab: Lab, start_image: Path, tmp_path: Path) -> None:
    """The loop of measuring and making again round the real WanGP; that its films get better is shown elsewhere."""
    target = tmp_path / "film.mp4"
    tree, calls = lab(API)
    words = ("render", start_image, " | ".join(PROMPTS), "-o", target, "--wangp", tree, *SMALL)
    made = installer.svi_install(*words, "--watch", "--takes", 2, "--anchor-colour")["film"]
    assert decoded(target)[0] == made["frames"] == 49
    journal = (Path(made["store"]) / "journal.jsonl").read_text("utf-8").splitlines()
    looks = [each for each in map(json.loads, journal) if each["event"] == "watched"]
    # Each clip that was generated was looked at once, and none more than twice.
    assert len(events(calls, "window")) == len(looks) == len({(each["segment"], each["take"]) for each in looks})
    assert {each["segment"] for each in looks} == {1, 2, 3}
    assert max(each["take"] for each in looks) <= 2
    told = installer.svi_install("status", target)["video"]["svi"]
    assert told.get("anchored", []) == made["anchored"]
    report = installer.svi_install("drift", target)
    assert [each["clip"] for each in report["clips"]] == [1, 2, 3]
