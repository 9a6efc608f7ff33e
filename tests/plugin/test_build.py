"""The plugin is complete in itself: what it needs inside WanGP is in it, and nothing else is needed."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

from svi_install import __version__, patching
from svi_install.checkout.plugin import NAME
from svi_install.commands.plugin import plugin
from svi_install.package_data import data_folder
from svi_install.plugin import build
from svi_install.storyboard.script.variants import NAMES, variant_of

from . import standin

ALONE = """
import importlib, sys
sys.path.insert(0, sys.argv[1])
placed = importlib.import_module("wan2gp-endless.svi_install.plugin.placed")
start = importlib.import_module("wan2gp-endless.svi_install.plugin.start")
from pathlib import Path
codes = placed.codes(Path(sys.argv[1], "wan2gp-endless"), placed.read(Path(sys.argv[2])))
print({path: [".".join(each.name) for each in found] for path, found in codes.items()})
print(sorted({name.split(".")[0] for name in sys.modules} - set(sys.stdlib_module_names)))
"""


def test_it_places_with_the_standard_library_alone(tmp_path: Path) -> None:
    root = standin.write(tmp_path / "WanGP")
    command = [sys.executable, "-I", "-S", "-c", ALONE, str(root / "plugins"), str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found, others = done.stdout.splitlines()
    assert ast.literal_eval(found) == {
        "wgp.py": ["generate_media"],
        "models/wan/any2video.py": ["WanAny2V.generate"],
        "models/wan/modules/model.py": ["WanModel.preprocess_loras"],
    }
    assert ast.literal_eval(others) == ["__main__", "wan2gp-endless"]


FILMS = """
import importlib, sys
sys.path.insert(0, sys.argv[1])
for name in ("storyboard_page", "drift_page", "state_page", "filming", "shelf"):
    importlib.import_module(f"wan2gp-endless.svi_install.plugin.{name}")
variants = importlib.import_module("wan2gp-endless.svi_install.storyboard.script.variants")
shelf = importlib.import_module("wan2gp-endless.svi_install.plugin.shelf")
from pathlib import Path
print([variants.variant_of(name).model for name in variants.NAMES])
asked = shelf.Asked("x.png", "a boat | a bridge")
print([shot.prompt for shot in shelf.story(asked, Path("x.mp4")).shots])
try:
    shelf.story(asked._replace(text="shots:\\n  - a boat"), Path("x.mp4"))
except Exception as error:
    print(error)
print(sorted({name.split(".")[0] for name in sys.modules} - set(sys.stdlib_module_names)))
"""


def test_films_need_the_standard_library_alone(tmp_path: Path) -> None:
    """And yaml only where a person pastes a story file."""
    standin.put(tmp_path)
    command = [sys.executable, "-I", "-S", "-c", FILMS, str(tmp_path / "plugins")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    models, prompts, without_yaml, others = done.stdout.splitlines()
    assert ast.literal_eval(models) == [variant_of(name).model for name in NAMES]
    assert ast.literal_eval(prompts) == ["a boat", "a bridge"]
    assert without_yaml.startswith("A story in YAML cannot be read here")
    assert ast.literal_eval(others) == ["__main__", "wan2gp-endless"]


def test_a_diff_that_was_not_read_before_is_not_guessed(tmp_path: Path) -> None:
    """What reads diffs is not in WanGP's Python."""
    root = standin.write(tmp_path / "WanGP")
    (root / "plugins" / NAME / "patches/diffs.json").write_text("{}", "utf-8")
    command = [sys.executable, "-I", "-S", "-c", ALONE, str(root / "plugins"), str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "the plugin's patches are damaged; install it again" in done.stderr.splitlines()[-1]


def test_what_wangp_is_told() -> None:
    info = json.loads(build.files("https://github.com/x/wan2gp-endless")["plugin_info.json"])
    assert info["type"] == ["model", "app"]
    assert info["model_handlers"] == [".handler"]
    assert info["version"] == __version__
    assert info["url"] == "https://github.com/x/wan2gp-endless"
    assert NAME.startswith("wan2gp-"), "git ignores such a folder in WanGP"


def test_no_path_of_it_is_too_long_for_windows() -> None:
    assert max(len(path) for path in build.files()) < 60
    assert patching.__doc__


def test_all_profiles_are_in_it() -> None:
    shipped = [path for path in build.files() if path.startswith("profiles/")]
    assert len(shipped) == len(list(data_folder("profiles").rglob("*.json"))) == 11


def test_every_module_that_a_module_of_it_imports_is_in_it() -> None:
    from tests.test_rooms import MODULES, imports

    shipped = {path for path in build.files() if path.startswith("svi_install/")}
    for name, path in MODULES.items():
        own = path.relative_to(path.parents[len(name.split(".")) - (path.name != "__init__.py")]).as_posix()
        if own not in shipped:
            continue
        for used in imports(name, path):
            there = {f"{used.replace('.', '/')}.py", f"{used.replace('.', '/')}/__init__.py"}
            assert there & shipped, f"{name} imports {used}"


def test_it_is_published_as_a_repository(tmp_path: Path) -> None:
    """What the release job does, twice, to a repository on this computer."""
    remote, built, clone = tmp_path / "remote.git", tmp_path / NAME, tmp_path / "clone"
    script = Path(__file__).resolve().parents[2] / ".github/publish_plugin.py"

    def run(*words: object) -> str:
        return subprocess.run([*map(str, words)], capture_output=True, text=True, check=True, cwd=tmp_path).stdout

    run("git", "init", "--quiet", "--bare", "--initial-branch=main", remote)
    for text in ("published\n", "nothing has changed\n"):
        plugin(built)
        assert run(sys.executable, script, built, remote) == text
    run("git", "clone", "--quiet", remote, clone)
    files = (path for path in clone.rglob("*") if path.is_file() and ".git" not in path.parts)
    assert {path.relative_to(clone).as_posix(): path.read_bytes() for path in files} == build.files()
    assert run("git", "-C", clone, "tag").split() == [f"v{__version__}"]
