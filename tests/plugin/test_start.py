"""When the plugin turns SVI on, when it stays out, and that the hooked functions are WanGP's own."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from svi_install.package_data import PATCHED

from . import standin


@pytest.fixture(scope="module", params=["base", "newer", "newest"])
def sound(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stand-in as 12.60 is, with decorated functions, and with a model called through another function."""
    root = standin.write(tmp_path_factory.mktemp("sound") / "WänGP 动画", request.param)
    assert standin.run(root).code == 0
    return root


@pytest.fixture
def wangp(tmp_path: Path) -> Path:
    return standin.write(tmp_path / "WanGP")


LOOK = """
def look(namespace):
    from models.wan.any2video import WanAny2V
    from models.wan.modules.model import WanModel

    for outer in (namespace["generate_media"].svi_original, WanAny2V.generate, WanModel.preprocess_loras):
        function = getattr(outer, "__wrapped__", outer)
        function = getattr(function, "__wrapped__", function)
        hooked = "svi_wangp" in str((function.__code__.co_names, function.__code__.co_consts))
        print("LOOKED", function.__name__, hooked)
"""


def test_hooks_go_into_the_functions_themselves(sound: Path, tmp_path: Path) -> None:
    root = tmp_path / "WanGP"
    shutil.copytree(sound, root)
    (root / "shared/look.py").write_text(LOOK, "utf-8")
    end = "    return 0\n\nif __name__"
    text = (root / "wgp.py").read_text("utf-8")
    assert end in text
    text = text.replace(end, f"    from shared.look import look\n    look(globals())\n{end}")
    (root / "wgp.py").write_text(text, "utf-8")
    before = {path: (root / path).read_bytes() for path in PATCHED}
    names = {path.name for path in root.iterdir()}
    ran = standin.run(root)
    assert ran.code == 0, ran.out
    looked = [line for line in ran.out.splitlines() if line.startswith("LOOKED")]
    hooked = ("generate_media", "generate", "preprocess_loras")
    assert looked == [f"LOOKED {name} True" for name in hooked]
    (said,) = ran.said
    assert "ready: the plugin" in said
    assert {path: (root / path).read_bytes() for path in PATCHED} == before
    assert {path.name for path in root.iterdir()} - {"__pycache__"} == names - {"__pycache__"}


def test_a_traceback_names_the_lines_on_the_disk(wangp: Path) -> None:
    file = wangp / "models/wan/any2video.py"
    file.write_text(
        file.read_text("utf-8").replace(
            "            self.model.step(", "            raise ValueError('here')\n            self.model.step("
        ),
        "utf-8",
    )
    text = (
        (wangp / "wgp.py")
        .read_text("utf-8")
        .replace(
            '                send_cmd("error", str(error))',
            "                import traceback; print(traceback.format_exc())\n"
            '                send_cmd("error", str(error))',
        )
    )
    (wangp / "wgp.py").write_text(text, "utf-8")
    ran = standin.run(wangp)
    number = next(
        n for n, line in enumerate(file.read_text("utf-8").splitlines(), 1) if "raise ValueError('here')" in line
    )
    assert "ready: the plugin" in ran.out
    assert f'any2video.py", line {number}, in generate' in ran.out
    assert "raise ValueError('here')" in ran.out
    call = next(n for n, line in enumerate(text.splitlines(), 1) if "samples = wan_model.generate(" in line)
    assert f'wgp.py", line {call}, in generate_media' in ran.out


@pytest.mark.parametrize("word", ["off", "OFF", "0", "no"])
def test_switched_off_by_the_environment(wangp: Path, monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    monkeypatch.setenv("SVI_WANGP", word)
    ran = standin.run(wangp)
    assert ran.code == 0
    assert ran.said == [f"[SVI Mode] off: SVI_WANGP is set to {word}"]


def test_switched_off_by_a_file(wangp: Path) -> None:
    home = next((wangp / "plugins").iterdir())
    (home / "off").touch()
    assert standin.run(wangp).said == [f"[SVI Mode] off: there is a file off in {home}"]


def test_safe_mode(wangp: Path) -> None:
    assert standin.run(wangp, "--safe").said == ["[SVI Mode] off: WanGP started in safe mode"]


def test_patched_files_come_first(wangp: Path) -> None:
    text = (wangp / "wgp.py").read_text("utf-8")
    (wangp / "wgp.py").write_text(
        text.replace("    SAFE_MODE = ", "    pass  # svi-install\n    SAFE_MODE = "), "utf-8"
    )
    (said,) = standin.run(wangp).said
    assert "the plugin steps aside: svi-install has put its hooks into WanGP's files already" in said


@pytest.mark.parametrize("path", PATCHED)
def test_a_release_that_the_hooks_do_not_fit(wangp: Path, path: str) -> None:
    file = wangp / path
    for anchor in ("samples = wan_model.generate(", "seed_g.manual_seed(seed)", "first = next(iter(sd), None)"):
        file.write_text(file.read_text("utf-8").replace(anchor, f"{anchor}  # other"), "utf-8")
    ran = standin.run(wangp)
    (said,) = ran.said
    assert f"off: {path} cannot be patched safely" in said
    assert ran.code == 0
    assert ran.generated


def test_a_file_that_changed_after_wangp_was_started(wangp: Path) -> None:
    """An update while WanGP starts: what is in memory is older than what is on the disk."""
    line = 'open("wgp.py", "a").close(); t = open("wgp.py", encoding="utf-8").read()\n'
    line += 'open("wgp.py", "w", encoding="utf-8").write(t.replace("guide_start_frame = 0", "guide_start_frame = 1"))\n'
    text = (wangp / "wgp.py").read_text("utf-8")
    (wangp / "wgp.py").write_text(text.replace("family_handlers = [", f"{line}family_handlers = ["), "utf-8")
    ran = standin.run(wangp)
    assert ran.code == 0
    assert ran.generated
    assert ran.said == ["[SVI Mode] off: generate_media in memory is not the one on the disk"]


OTHER_PLUGIN = """
class family_handler:
    query_supported_types = staticmethod(lambda: [])
    query_family_infos = staticmethod(lambda: {})
    query_family_maps = staticmethod(lambda: ({}, {}))

import models.wan.any2video as module
def generate(self, *args, **kwargs):
    return original(self, *args, **kwargs)
original = module.WanAny2V.generate
"""


@pytest.mark.parametrize(
    ("how", "works"),
    [
        ("import functools; module.WanAny2V.generate = functools.wraps(original)(generate)", True),
        ("module.WanAny2V.generate = generate", False),
        ("module.WanAny2V.generate.__code__ = (lambda self, *args, **kwargs: None).__code__", False),
    ],
)
def test_another_plugin_has_changed_the_same_function(wangp: Path, how: str, works: bool) -> None:
    """One that is wrapped is found below the wrapper; of one that is another now, nothing is known."""
    other = wangp / "plugins/a-plugin"
    other.mkdir()
    (other / "handler.py").write_text(f"{OTHER_PLUGIN}{how}\n", "utf-8")
    info = {"model_handlers": [".handler"], "defaults": "./d", "profiles": "./p"}
    (other / "plugin_info.json").write_text(json.dumps(info), "utf-8")
    ran = standin.run(wangp)
    assert ran.code == 0, ran.out
    (said,) = ran.said
    assert ("ready: the plugin" in said) == works
    if not works:
        assert said == "[SVI Mode] off: WanAny2V.generate in memory is not the one on the disk"


def test_a_second_copy_of_wgp(wangp: Path) -> None:
    """Somebody imports wgp.py while it runs as the main program: both copies are hooked."""
    text = (
        (wangp / "wgp.py")
        .read_text("utf-8")
        .replace(
            "    done = generate_media(",
            "    import wgp\n    wgp.download_ffmpeg()\n"
            "    print('BOTH', hasattr(generate_media, 'svi_original'), hasattr(wgp.generate_media, 'svi_original'))\n"
            "    done = generate_media(",
        )
    )
    (wangp / "wgp.py").write_text(text, "utf-8")
    ran = standin.run(wangp, before=lambda: sys.path.insert(0, str(wangp)))
    assert ran.code == 0, ran.out
    assert "BOTH True True" in ran.out
    assert len(ran.said) == 1


def test_without_the_look_for_ffmpeg_a_question_to_a_handler_will_do(wangp: Path) -> None:
    text = (
        (wangp / "wgp.py")
        .read_text("utf-8")
        .replace("    download_ffmpeg()\n", "")
        .replace("from shared.ffmpeg_setup import download_ffmpeg\n", "")
    )
    (wangp / "wgp.py").write_text(text, "utf-8")
    ran = standin.run(wangp)
    assert ran.code == 0, ran.out
    assert ["ready: the plugin" in line for line in ran.said] == [True]


def test_the_profiles_come_and_go_with_it(wangp: Path) -> None:
    text = (
        (wangp / "wgp.py")
        .read_text("utf-8")
        .replace(
            "    done = generate_media(",
            "    print('ROOTS', model_profile_roots_by_architecture)\n    done = generate_media(",
        )
    )
    (wangp / "wgp.py").write_text(text, "utf-8")
    home = next((wangp / "plugins").iterdir())
    assert f"ROOTS {{'i2v': ['{home / 'profiles'}', 'profiles']}}" in standin.run(wangp).out
    assert "ROOTS {'i2v': ['profiles']}" in standin.run(wangp, "--safe").out


def test_the_second_start_takes_the_code_from_the_cache(wangp: Path) -> None:
    home = next((wangp / "plugins").iterdir())
    assert "ready: the plugin" in standin.run(wangp).out
    (kept,) = (home / "cache").iterdir()

    def no_compiler() -> None:
        import ast

        def refuse(*args: object, **kwargs: object) -> object:
            raise AssertionError("compiled anew")

        ast.parse = refuse  # type: ignore[assignment]

    assert "ready: the plugin" in standin.run(wangp, before=no_compiler).out
    kept.write_bytes(kept.read_bytes()[:-1] + b"x")
    assert "compiled anew" in standin.run(wangp, before=no_compiler).out
    text = (wangp / "wgp.py").read_text("utf-8")
    for number in range(6):
        (wangp / "wgp.py").write_text(f"{text}# {number}\n", "utf-8")
        assert "ready: the plugin" in standin.run(wangp).out
    assert len(list((home / "cache").iterdir())) == 4
