"""The files of the plugin, from this package: what runs inside WanGP, the patch set, the profiles."""

from __future__ import annotations

import json
from pathlib import Path

from .. import __version__
from ..package_data import data_folder

TITLE = "SVI endless video"
NEEDS = "12.22"
DESCRIPTION = (
    "Endless video with SVI (Stable Video Infinity) for Wan 2.1 and Wan 2.2 image to video: clips of five seconds that "
    "continue each other without drift. Nothing of WanGP is changed on the disk."
)

_PACKAGE = Path(__file__).resolve().parent.parent
# What runs inside WanGP, relative to the package; a folder stands for its modules.
SHIPPED = (
    "__init__.py",
    "errors.py",
    "package_data.py",
    "checkout/__init__.py",
    "checkout/git_index.py",
    "checkout/mp4.py",
    "writing/__init__.py",
    "writing/change.py",
    "writing/files.py",
    "writing/git_folder.py",
    "writing/lease.py",
    "writing/lock.py",
    "writing/own_files.py",
    "writing/process.py",
    "loras",
    "loras/transfer",
    "patching/__init__.py",
    "patching/candidates.py",
    "patching/diffs.py",
    "patching/hooks.py",
    "patching/known.py",
    "patching/patchset.py",
    "patching/placement.py",
    "patching/syntax.py",
    "plugin/__init__.py",
    "plugin/code.py",
    "plugin/drift_page.py",
    "plugin/filming.py",
    "plugin/page.py",
    "plugin/placed.py",
    "plugin/profiles.py",
    "plugin/shelf.py",
    "plugin/standing.py",
    "plugin/start.py",
    "plugin/state_page.py",
    "plugin/storyboard_page.py",
    "plugin/wangp_queue.py",
    "runtime",
    # A film, without what runs WanGP from outside, the contact sheet, and what is made of a finished film.
    "storyboard/__init__.py",
    "storyboard/archive",
    *(
        f"storyboard/script/{name}.py"
        for name in ("__init__", "prompt_text", "segments", "sizes", "story", "variants", "yamlfile", "yamltree")
    ),
    *(f"storyboard/headless/{name}.py" for name in ("__init__", "estimate", "hardware", "pace", "task")),
    *(f"storyboard/media/{name}.py" for name in ("__init__", "clip_video", "ffmpeg")),
    *(
        f"storyboard/film/{name}.py"
        for name in ("__init__", "clips", "damage", "film", "lint", "notes", "picking", "request")
    ),
    *(f"storyboard/finish/{name}.py" for name in ("__init__", "delivery")),
    # Measuring a video; its packages are among those of WanGP.
    *(
        f"drift/{name}.py"
        for name in (
            *("__init__", "arrivals", "clips", "cuts", "findings", "frames", "freeze", "likeness", "measure"),
            *("published", "report", "scan", "seams", "steps", "summary", "texture", "thumbnails", "trend"),
        )
    ),
)
# Where each folder of profiles goes; WanGP lists a plugin's profiles by the model's own folder name.
_PROFILES = {"loras/wan_i2v": "wan_i2v", "profiles/wan_2_2": "wan_2_2"}
# They only make sense inside WanGP, so here they are no package.
_DOOR = {"plugin.py": "plugin.py", "__init__.py": "init.py", "handler.py": "handler.py"}
_IGNORED = "__pycache__/\ncache/\noff\n"


def files(url: str = "") -> dict[str, bytes]:
    """Return the plugin: bytes by path, what WanGP looks for first comes last.

    Args:
        url: the address of the repository that it is for.

    Raises:
        SviError: this package is damaged.
    """
    found: dict[str, bytes] = {}
    for name in SHIPPED:
        path = _PACKAGE / name
        for file in sorted([*path.glob("*.py"), *path.glob("*.json")]) if path.is_dir() else (path,):
            found[f"svi_install/{file.relative_to(_PACKAGE).as_posix()}"] = file.read_bytes()
    patches = data_folder("patches")
    for file in sorted(patches.iterdir()):
        found[f"patches/{file.name}"] = file.read_bytes()
    profiles = data_folder("profiles")
    for source, target in _PROFILES.items():
        for file in sorted((profiles / source).glob("*.json")):
            found[f"profiles/{target}/{file.name}"] = file.read_bytes()
    found[".gitignore"] = _IGNORED.encode()
    found["README.md"] = _readme().encode()
    door = Path(__file__).resolve().parent / "door"
    for name, source in _DOOR.items():
        found[name] = (door / source).read_bytes()
    found["plugin_info.json"] = (json.dumps(info(url), indent=2) + "\n").encode()
    return found


def info(url: str = "") -> dict[str, object]:
    """Return what WanGP's plugin manager is told."""
    return {
        "name": TITLE,
        "version": __version__,
        "description": DESCRIPTION,
        "author": "svi-install",
        "url": url,
        "wan2gp_version": NEEDS,
        "type": ["model", "app"],
        "model_handlers": [".handler"],
        "defaults": "./defaults",
        "profiles": "./profiles",
    }


def _readme() -> str:
    return f"""# {TITLE}

{DESCRIPTION}

In WanGP: *Plugins*, paste this repository's address, *Download and Install from URL*, *Restart*. In the tab *SVI*,
drop in an image, write one prompt per line, press *Make film*.

It works in the *Media Generator* too: choose *Image2video*, a profile that begins with **SVI**, *Apply*, a start image,
and one line of prompt for each clip.

To switch it off: *Disable* it and restart; or start WanGP with `SVI_WANGP=off`; or put an empty file named `off` here.

Built by svi-install {__version__}, MIT licence.
"""
