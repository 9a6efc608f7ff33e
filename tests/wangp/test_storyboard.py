"""Films on the real WanGP: clip by clip they are the same video that WanGP makes in one go."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from svi_install.cli import main
from svi_install.storyboard import film, images, task
from svi_install.storyboard.segments import part_frames
from svi_install.storyboard.story import Shot, Story
from svi_install.storyboard.variants import variant_of
from tests.cli import test_notebook

from .conftest import NEWEST, OTHER_FLAVOURS, Run, Tree
from .lab import installer, media, tools
from .lab.generate import Generation, decoded, place_loras

CLIP_FRAMES = 17
SIZE = (64, 64)
PROMPTS = ("a boat", "a bridge", "a bird")
NO_LORAS = {"activated_loras": [], "loras_multipliers": ""}
API, PROCESS = "12.60", "9.91"
# The flavours of lab/flavours.py: in all of them a film is made, clip by clip in the newest.
FILMS = [
    NEWEST,
    API,
    PROCESS,
    *(pytest.param(version, marks=pytest.mark.long) for version in (*OTHER_FLAVOURS, "10.01")),
]


@dataclass(frozen=True)
class Tale:
    """A film in both forms: tasks of one clip each, and one task for all."""

    film: film.Film
    whole: dict[str, Any]
    clips: list[dict[str, Any]]

    def joined(self) -> bytes:
        """The frames of the film by the seam's rule, from the uncompressed clips."""
        frames = b""
        for segment in self.film.segments:
            folder = self.film.folder(segment)
            made = json.loads((folder / "segment.json").read_text())["frames"]
            pixels = (folder / "frames.rgb").read_bytes()
            first, end = part_frames(segment, made, self.film.variant.overlap, self.film.variant.seam)
            if segment.ends:
                end = made
            size = len(pixels) // made
            frames += pixels[first * size : end * size]
        return frames

    def raw(self, number: int) -> bytes:
        """The uncompressed frames of a clip."""
        return (self.film.folder(self.film.segments[number - 1]) / "frames.rgb").read_bytes()


def tale(variant: str, start: Path, folder: Path, cut: int = 0, **settings: Any) -> Tale:
    """Three tiny clips; a cut lies before the clip of that number."""
    settings = {**({} if variant == "pro" else NO_LORAS), **settings}
    shots = tuple(Shot(prompt, new_shot=number == cut) for number, prompt in enumerate(PROMPTS, 1))
    story = Story(start, shots, variant, steps=2, resolution="64x64", clip_frames=CLIP_FRAMES, settings=settings)
    planned = film.plan(story, variant_of(variant), folder / f"{variant}.mp4")
    clips = []
    for segment in planned.segments:
        out = planned.store.begin(segment.number, planned.keys[segment.number])
        before = None if segment.begins else planned.folder(planned.segments[segment.number - 2])
        clips.append(task.placed(planned.tasks[segment.number], before, out))
    whole = task.film_settings(planned.segments, story, planned.variant)
    # Stock 12.60 lets one start image begin a video only with its own overlap; SVI puts in the right one.
    return Tale(planned, {**whole, "sliding_window_overlap": clips[0]["sliding_window_overlap"]}, clips)


def md5(frames: bytes) -> str:
    return hashlib.md5(frames, usedforsecurity=False).hexdigest()


def check(one: Tale, made: Sequence[Generation]) -> None:
    """The first generation is the whole film, the others are its clips."""
    whole, *clips = made
    assert [len(each.windows) for each in clips] == [1, 1, 1]
    assert [each.seeds[0] for each in clips] == whole.seeds == [7, 49, 91]
    assert [each.prompts[0] for each in clips] == whole.prompts == list(PROMPTS)
    assert whole.frames == one.film.frames
    assert md5(one.joined()) == whole.md5


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


SMALL = ("--resolution", "64x64", "--clip-frames", str(CLIP_FRAMES), "--steps", "2")


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


@pytest.mark.parametrize("version", [API, PROCESS])
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


def test_the_notebook(lab: Lab, start_image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of its cells, on a WanGP that is there already; only the values of the form are other ones."""
    tree, _ = lab(API)
    monkeypatch.setenv("WANGP_HOME", str(tree))
    book = test_notebook.cells(
        {
            "NEED_GPU": False,
            "IMAGE": str(start_image),
            "PROMPTS": "a boat | a bridge",
            "QUALITY": "",
            "VARIANT": "shot",
            "RESOLUTION": "64x64",
            "CLIP_FRAMES": CLIP_FRAMES,
            "STEPS": 2,
        }
    )
    said = test_notebook.execute(book, tmp_path)
    assert (tree / "svi_wangp").is_dir()
    assert decoded(tmp_path / "smoke.mp4")[0] == CLIP_FRAMES
    assert decoded(tmp_path / "film.mp4")[0] == 33
    assert "segment 2/2 done" in said
    shown = [output for cell in book.cells for output in cell.get("outputs", ()) if "data" in output]
    assert len(shown) == 5
