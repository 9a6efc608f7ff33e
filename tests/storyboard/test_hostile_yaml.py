"""Story files that nobody should write: each ends in an error that names the place, none takes long or much memory."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from svi_install.commands.render import check, dry_run
from svi_install.errors import SviError
from svi_install.runtime import png
from svi_install.storyboard.film import film
from svi_install.storyboard.film.lint import lint
from svi_install.storyboard.film.request import Request, story_of
from svi_install.storyboard.script.variants import variant_of

from . import standin
from .conftest import fault

TOP = "image: start.png\n"
SHOT = TOP + "shots:\n- one\n- "
DEFAULTS = TOP + "shots: [one]\ndefaults:\n  "
NINES = "9" * 5000
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGES = "".join(
    f"{new}: &{new} {{<<: [{', '.join([f'*{old}'] * 9)}], k{new}: 1}}\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
INNER = "      "

# Name: what the file holds, and what the message has to say.
CASES: dict[str, tuple[str | bytes, str]] = {
    # Depth, size, repetition.
    "deep lists": ("[" * 100_000, "line 1[,:] .*20 levels deep"),
    "deep groups": ("{a: " * 50_000, "20 levels deep"),
    "deep block lists": ("- " * 50_000 + "x", "20 levels deep"),
    "deep settings": (
        DEFAULTS + "settings: {x: " + "[" * 3000 + "]" * 3000 + "}",
        "line 4, defaults, settings, x.*deep",
    ),
    "a bomb of aliases": (TOP + BOMB + "shots: *i\n", "line 6, e, entry 2: .*too large"),
    "a bomb in settings": (
        DEFAULTS + "settings:\n" + "".join(f"    {line}\n" for line in BOMB.splitlines()),
        "line 9, defaults, settings, e, entry 2.*too large",
    ),
    "a bomb of merges": (TOP + "a: &a {x: 1}\n" + MERGES + "shots: [one]\n", "too large|not known here"),
    "long text by aliases": (
        TOP + f"shots: [&a {'x' * 9000}, " + ", ".join(["*a"] * 5000) + "]",
        "line 2, shot 112: the story becomes too large",
    ),
    "aliases of shots": (TOP + "shots: [&a one, " + ", ".join(["*a"] * 25_000) + "]", "too large"),
    "an alias of itself": (TOP + "shots: &a [one, *a]", "line 2, shot 2: .a refers to itself"),
    "a group in itself": (TOP + "shots: [one, &a {prompt: x, settings: *a}]", "shot 2, settings: .a refers to itself"),
    "an alias of nothing": (TOP + "shots: [*nothing]", "line 2, shot 1"),
    "50,000 shots": (TOP + "shots:\n" + "- x\n" * 50_000, "too large"),
    "10,000 shots": (TOP + "shots:\n" + "- x\n" * 10_000, "shots: there are 10000 shots"),
    "50,000 long shots": (TOP + "shots:\n" + "- she walks along\n" * 50_000, "larger than 256 KB"),
    "a large file": (b"#" * 300_000, "larger than 256 KB"),
    "100,000 keys": (TOP + "".join(f"k{n}: 1\n" for n in range(20_000)), "too large"),
    "a long prompt": (SHOT + "x" * 20_000, "line 4, shot 2: this text is longer"),
    "a long name": (TOP + "x" * 900 + ": 1\nshots: [a]", "line 2, x+"),
    "a hundred thousand documents": ("---\n" * 50_000, "second document|expected here"),
    # Numbers.
    "a huge number": (SHOT + f"{{prompt: a, seed: {NINES}}}", "line 4, shot 2, seed: the number .9+... has more"),
    "a huge number of steps": (SHOT + "{prompt: a, steps: 999999999999}", "shot 2, steps: it is 999999999999"),
    "huge seconds": (SHOT + "{prompt: a, seconds: 1.0e+300}", "line 4, shot 2, seconds: it is 1e.300"),
    "huge frames": (SHOT + "{prompt: a, frames: 99999999999999999}", "shot 2, frames: it is 9+"),
    "huge hexadecimal": (SHOT + f"{{prompt: a, seed: 0x{NINES}}}", "shot 2, seed: the number"),
    "many days": (
        SHOT + "{prompt: a, seconds: 86400}\n" + "- {prompt: a, seconds: 86400}\n" * 3,
        "Shot 2 brings.*clips",
    ),
    "not a number": (SHOT + "{prompt: a, seconds: .nan}", "line 4, shot 2, seconds: .nan is not a usable number"),
    "infinite": (SHOT + "{prompt: a, seconds: .inf}", "shot 2, seconds: .inf is not a usable number"),
    "minus infinite": (DEFAULTS + "settings: {x: -.inf}", "line 4, defaults, settings, x: -.inf"),
    "an overflow": (DEFAULTS + "settings: {x: 1.0e+999}", "defaults, settings, x: 1.0e.999"),
    "numbers of base 60": (SHOT + "{prompt: a, seed: " + ":".join(["59"] * 2000) + "}", "shot 2, seed: the number"),
    "an octal that is none": (SHOT + "{prompt: a, seed: 0b" + "_" * 3 + "}", "shot 2, seed"),
    "a negative seed": (SHOT + "{prompt: a, seed: -1}", "line 4, shot 2, seed: it is -1"),
    "true frames": (SHOT + "{prompt: a, frames: true}", "shot 2, frames: it is True"),
    "half a step": (SHOT + "{prompt: a, steps: 1.5}", "shot 2, steps: it is 1.5"),
    "huge clips": (DEFAULTS + "clip_frames: 1000000", "line 4, defaults, clip_frames: it is 1000000"),
    "a huge resolution": (DEFAULTS + f"resolution: {NINES}x{NINES}", "resolution"),
    "a resolution of text": (DEFAULTS + "resolution: wide", "resolution 'wide' must be WIDTHxHEIGHT"),
    "a resolution as a number": (DEFAULTS + "resolution: 832", "line 4, defaults, resolution: it is 832"),
    # Kinds of values.
    "a date as a prompt": (SHOT + "2024-01-01", "line 4, shot 2: 2024-01-01 is a date"),
    "a time in settings": (DEFAULTS + "settings: {x: 2001-12-14t21:59:43.10-05:00}", "settings, x: .* is a date"),
    "a date that is none": (SHOT + "{prompt: 2024-99-99}", "shot 2, prompt: 2024-99-99 is a date"),
    "a date as an image": ("image: 2024-01-01\nshots: [a]", "line 1, image: 2024-01-01 is a date"),
    "number names": (DEFAULTS + "settings: {1: 2, a: 3}", "line 4, defaults, settings: '1' is not a name"),
    "a name that is true": (SHOT + "{prompt: a, yes: 1}", "shot 2: 'yes' is not a name"),
    "a name that is nothing": (SHOT + "{prompt: a, ~: 1}", "shot 2: '~' is not a name"),
    "a name that is a list": (SHOT + "{prompt: a, [1]: 1}", "shot 2: a name must be text"),
    "a name that is a group": ("? {a: 1}\n: 2\n", "line 1: a name must be text"),
    "a name that is a date": (SHOT + "{prompt: a, 2024-01-01: 1}", "shot 2: '2024-01-01' is not a name"),
    "a name twice": (SHOT + "{prompt: a, prompt: b}", "line 4, shot 2, prompt: this is here twice"),
    "a tag of Python": (SHOT + "!!python/object/apply:os.system [ls]", "line 4, shot 2: the tag .* not known here"),
    "a binary": (SHOT + "{prompt: !!binary aGk=}", "shot 2, prompt: the tag 'binary'"),
    "a set": (SHOT + "{prompt: a, settings: !!set {x}}", "shot 2, settings: the tag"),
    "an own tag": (SHOT + "!mine x", "line 4, shot 2: the tag '!mine'"),
    "a number by a tag": (SHOT + "{prompt: a, seed: !!int x}", "shot 2, seed: 'x' is not a number"),
    "nothing as a shot": (SHOT + "~", "line 4, shot 2: it is None"),
    "a list as a shot": (SHOT + "[a, b]", "line 4, shot 2: it is a list"),
    "a group as a prompt": (SHOT + "{prompt: {a: 1}}", "shot 2, prompt: it is a group of values"),
    "a truth as a prompt": (SHOT + "{prompt: no}", "shot 2, prompt: it is False"),
    "shots as a group": (TOP + "shots: {a: b}", "line 2, shots: there are no shots"),
    "shots as a number": (TOP + "shots: 3", "line 2, shots: there are no shots"),
    "text without shots": (TOP + "shots: '|||'", "line 2, shots: The story has no prompt"),
    "text with endless seconds": (TOP + f"shots: '[{'9' * 400}s: a] [1s: b]'", "line 2, shots"),
    "an image as a list": ("image: [a]\nshots: [a]", "line 1, image: it is a list"),
    "a variant as a list": (DEFAULTS + "variant: [a]", "line 4, defaults, variant: it is a list"),
    "defaults as a list": (TOP + "shots: [a]\ndefaults: [a]", "line 3, defaults: it is a list"),
    "settings as text": (DEFAULTS + "settings: abc", "line 4, defaults, settings: it is 'abc'"),
    "a LoRA as a list": (DEFAULTS + "loras: [[a]]", "line 4, defaults, loras, entry 1: a LoRA"),
    "a LoRA's strength as a list": (DEFAULTS + "loras: [{a: [1]}]", "defaults, loras, entry 1: a LoRA"),
    "a merge of text": (SHOT + "{prompt: a, <<: x}", "shot 2, <<: only groups"),
    # Bytes and syntax.
    "nothing": ("", "it is None"),
    "only a remark": ("# nothing", "it is None"),
    "text": ("just text", "line 1: it is 'just text'"),
    "a bell": ("image: a\x07", "line 1: the character"),
    "a null byte": (b"image: a\nshots: [\0]", "line 2: the character"),
    "a null in quotes": (SHOT + '{prompt: "a\\0"}', "line 4, shot 2, prompt: it contains a character"),
    "half a character": (
        SHOT + '{prompt: "\\ud800"}',
        "line 4, shot 2, prompt: it contains a character|not valid YAML",
    ),
    "Latin-1": (SHOT.encode() + "Gr\u00fc\u00dfe".encode("latin-1"), "line 4: this is not UTF-8"),
    "UTF-16": ((SHOT + "x").encode("utf-16"), "line 1: this is not UTF-8"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "line 1: this is not UTF-8"),
    "an open quote": (SHOT + "'a\n\n", "shot 2: this is not valid YAML"),
    "an open list": (TOP + "shots: [a", "line 3, shot 2: this is not valid YAML"),
    "a tab": (TOP + "shots:\n\t- a", "this is not valid YAML"),
    "a colon too many": (SHOT + "a: b: c", "line 4, shot 2: this is not valid YAML"),
    "an unknown directive": ("%YAML 9.9\n---\nimage: a", "not valid YAML|not known here|no shots"),
    "an unknown key": (SHOT + "{prompt: a, second: 3}", "line 4, shot 2, second: this is not known here"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    png.write(tmp_path / "start.png", png.Picture(64, 32, bytes(64 * 32 * 3)))
    return tmp_path


def look(path: Path) -> None:
    """All that `render --lint` does with a story before it looks at WanGP."""
    story = story_of(Request(path))
    planned = film.plan(story, variant_of(story.variant), path.with_name("film.mp4"))
    errors = [each.text for each in lint(story, planned) if each.level == "error"]
    if errors:
        raise SviError("story", f"{path.name}: {errors[0]} Nothing was started.", "", 2)


@pytest.mark.parametrize("name", CASES)
def test_a_clear_error(folder: Path, name: str) -> None:
    content, why = CASES[name]
    path = folder / "story.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with fault("hostile story file"):
        with pytest.raises(SviError, match=f"(?s){why}") as caught:
            look(path)
        error = caught.value
        assert (error.code, error.exit_code) == ("story", 2)
        assert "Nothing was started." in error.message
        assert len(error.message) < 1500


@pytest.mark.skipif(sys.platform == "win32", reason="has no such files")
@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "link to a device", "link to nothing"])
def test_what_is_no_file(folder: Path, kind: str) -> None:
    path = folder / "story.yaml"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero" if "device" in kind else folder / "nothing")
    with fault("hostile story file"):
        with pytest.raises(SviError, match=r"is not a file|cannot be read") as caught:
            look(path)
        assert caught.value.exit_code == 2


def test_what_a_story_may_say(folder: Path) -> None:
    """Aliases, merges, numbers where text is wanted, and text in any script."""
    path = folder / "story.yaml"
    path.write_text(
        "image: start.png\n"
        "defaults: {variant: 2.0, resolution: 64x32, clip_frames: 9, settings: {activated_loras: [], x: 1_000}}\n"
        "shots:\n"
        "- &first {prompt: &words она идёт, seconds: 1:30, steps: 0x10, seed: 010}\n"
        "- {<<: *first, prompt: 2}\n"
        "- {<<: [*first, {steps: 3}], new_shot: yes}\n"
        "- *words\n",
        "utf-8",
    )
    story = story_of(Request(path))
    assert (story.variant, story.settings) == ("2.0", {"activated_loras": [], "x": 1000})
    assert [shot.prompt for shot in story.shots] == ["она идёт", "2", "она идёт", "она идёт"]
    assert [shot.frames for shot in story.shots] == [1440, 1440, 1440, None]
    assert [shot.steps for shot in story.shots] == [16, 16, 16, None]
    assert [shot.seed for shot in story.shots] == [8, 8, 8, None]
    assert [shot.new_shot for shot in story.shots] == [False, False, True, False]


def test_pythons_own_reader_says_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where PyYAML comes without libyaml."""
    import yaml

    monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    for name in ("deep lists", "a bomb of aliases", "a name twice", "a huge number", "an alias of itself"):
        test_a_clear_error(folder, name)


KEYS = (
    *("activated_loras", "loras_multipliers", "resolution", "custom_settings", "svi_mode", "svi_variant"),
    *("svi_num_motion_frames", "svi_ref_pad_num", "svi_official_sigmas", "svi_clip_seeds", "num_inference_steps"),
    *(
        "image_mode",
        "mode",
        "negative_prompt",
        "image_refs",
        "pause_seconds",
        "settings_version",
        "film_grain_intensity",
    ),
)
VALUES = ("5", "-1", "1.5", "true", "~", "{}", "{a: [1]}", "[]", "[[1], {a: 2}]", "[5]", "''", "x", "00x00", "1e400x")


@pytest.mark.parametrize("variant", ["shot", "pro"])
@pytest.mark.parametrize("key", KEYS)
def test_settings_of_any_kind(folder: Path, monkeypatch: pytest.MonkeyPatch, key: str, variant: str) -> None:
    """Any value that YAML can bring for the settings that render itself reads: a plan, or a clear error."""
    root = standin.make(folder / "WanGP")
    # The start image is the same each time, and compressing it for the estimate is most of the time.
    monkeypatch.setattr("svi_install.storyboard.film.budget.looked_at", lambda *_: None)
    for value in VALUES:
        path = folder / "story.yaml"
        path.write_text(
            f"image: start.png\ndefaults: {{variant: {variant}, loras: [b]}}\n"
            f"shots: [one, {{prompt: two, settings: {{{key}: {value}}}}}]\n"
        )
        with fault("setting of another kind"):
            try:
                check(root, Request(path))
                dry_run(root, Request(path))
            except SviError as error:
                assert error.code == "story", value  # noqa: PT017
                assert "Nothing was started" in error.message, value  # noqa: PT017
