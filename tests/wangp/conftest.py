"""Fixtures that run the real WanGP. Everything slow is made once and shared by the tests of a session."""

from __future__ import annotations

import functools
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from . import scenes
from .lab import checkout, flavours, installer, media, tools, trees
from .lab.generate import Report, generate

# "17.17" and the other flavours are the real 12.60 with what newer releases do, see lab/flavours.py.
NEWEST, *OTHER_FLAVOURS = reversed(flavours.FLAVOURS)
RELEASES = (NEWEST, "12.60", "9.91")
# Each night, and with --wangp-all.
FURTHER_RELEASES = (*OTHER_FLAVOURS, "12.20", "12.00", "11.90", "10.83", "10.80", "10.01")
# Releases that a file leaves to --wangp-all, since all must pass within half an hour: what it shows on them, it shows
# by default on another one. Only --wangp-all shows `render` on a release that has no API (9.91).
LATER = {
    "test_behaviour.py": {"12.60", "9.91"},
    "test_channels.py": {*OTHER_FLAVOURS, "12.60"},
    "test_cost.py": {"9.91"},
    "test_form_journeys.py": {NEWEST, "9.91"},
    "test_lora_keys.py": {"10.01"},
    "test_parity.py": {"9.91"},
    "test_storyboard.py": {NEWEST, "9.91"},
}
# What takes longest begins first: of several processes, the last one should not be left alone with it.
FIRST = ("test_storyboard.py", "test_parity.py", "test_form_journeys.py", "test_profiles_ui.py", "test_generation.py")


@dataclass(frozen=True)
class Ran:
    """A tree and what WanGP did in it."""

    tree: Path
    report: Report


T = TypeVar("T")
Tree = Callable[[str], Path]
Run = Callable[..., Report]
Runs = Callable[[str], Ran]
# Starts a function at once for every value of a parameter that the tests of the calling fixture are selected with.
Ahead = Callable[[pytest.FixtureRequest, str, Callable[[str], T]], Callable[[str], T]]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`version`: the releases that SVI is proven on, with --wangp-all eight more."""
    if "version" in metafunc.fixturenames and not any(
        "version" in str(mark.args[0]) for mark in metafunc.definition.iter_markers("parametrize")
    ):
        more = FURTHER_RELEASES if metafunc.config.getoption("--wangp-all") else ()
        metafunc.parametrize("version", (*RELEASES, *more), scope="session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.wangp)
            if is_long(item) and not config.getoption("--wangp-all"):
                item.add_marker(pytest.mark.skip(reason="long: runs with --wangp-all"))
    items.sort(key=lambda item: FIRST.index(item.path.name) if item.path.name in FIRST else len(FIRST))


def is_long(item: pytest.Item) -> bool:
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    return item.get_closest_marker("long") is not None or parameters.get("version") in LATER.get(item.path.name, ())


@pytest.fixture(scope="session")
def environment() -> Path:
    """The laboratory's virtual environment."""
    folder = tools.default_environment()
    if not tools.python_of(folder).exists():
        pytest.skip(f"no laboratory in {folder}: make it with `{tools.SETUP}`, or name one in LAB_VENV")
    for program in ("git", "ffmpeg", "ffprobe"):
        if shutil.which(program) is None:
            pytest.skip(f"the laboratory needs {program}")
    return folder


@pytest.fixture(scope="session")
def git_dir() -> Path:
    folder = checkout.git_directory()
    if folder is None:
        pytest.skip(f"WanGP's git directory is in neither WANGP_GIT nor {checkout.GIT_SETTING}")
    return folder


@pytest.fixture(scope="session")
def fresh_tree(git_dir: Path, environment: Path, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """Makes a new copy of a release, with nothing of ours in it, at each call."""
    lock = threading.Lock()

    def make(version: str) -> Path:
        with lock:
            trees.cached(version, git_dir, environment)
        return trees.make(version, git_dir, environment, tmp_path_factory.mktemp(f"wangp-{version}-") / "WanGP")

    return make


@pytest.fixture(scope="session")
def plain_tree(fresh_tree: Tree) -> Tree:
    """A release as it is; not to be changed."""
    return once(fresh_tree)


@pytest.fixture(scope="session")
def wangp_tree(fresh_tree: Tree) -> Tree:
    """A release with SVI installed; not to be changed."""

    def make(version: str) -> Path:
        tree = fresh_tree(version)
        installer.install(tree)
        return tree

    return once(make)


def once(make: Tree) -> Tree:
    """A cache that two threads may ask for the same release."""
    lock, cached = threading.Lock(), functools.cache(make)

    def get(version: str) -> Path:
        with lock:
            return cached(version)

    return get


@pytest.fixture(scope="session")
def ahead() -> Iterator[Ahead[Any]]:
    """WanGP computes in one thread here, so as many of them run side by side as there are processors."""
    sharing = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    with ThreadPoolExecutor(max(1, (os.cpu_count() or 1) // sharing)) as pool:

        def start(
            request: pytest.FixtureRequest, parameter: str, function: Callable[[str], Any]
        ) -> Callable[[str], Any]:
            asking = (item for item in request.session.items if request.fixturename in item.fixturenames)
            values = dict.fromkeys(item.callspec.params[parameter] for item in asking if not is_skipped(item))
            begun = {value: pool.submit(function, value) for value in values}

            def get(value: str) -> Any:
                # A test may compare with a release that no selected test is about.
                if value not in begun:
                    begun[value] = pool.submit(function, value)
                return begun[value].result()

            return get

        yield start
        pool.shutdown(cancel_futures=True)


def is_skipped(item: pytest.Item) -> bool:
    return item.get_closest_marker("skip") is not None


@pytest.fixture(scope="session")
def run_wangp(environment: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs tasks in one WanGP process and returns what it did; see lab.generate.generate."""

    def run(tree: Path, tasks: Sequence[dict[str, Any]], **arguments: Any) -> Report:
        return generate(tree, environment, tasks, tmp_path_factory.mktemp("out"), **arguments)

    return run


@pytest.fixture(scope="session")
def start_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return media.write_picture(tmp_path_factory.mktemp("image") / "start.png")


@pytest.fixture(scope="session")
def patched(
    ahead: Ahead[Ran], fresh_tree: Tree, run_wangp: Run, start_image: Path, request: pytest.FixtureRequest
) -> Runs:
    """SVI-Shot, SVI-2.0, SVI off and SVI-Shot again, in one process of an installed tree that no other test uses."""

    def run(version: str) -> Ran:
        shot = scenes.svi(start_image, 1, video_length=47)
        longer = scenes.svi(start_image, 5, video_length=43)
        off = scenes.video(start_image, svi_mode=False, svi_ref_pad_num=-1, svi_num_motion_frames=5)
        tree = fresh_tree(version)
        installer.install(tree)
        report = run_wangp(tree, [shot, longer, off, shot])
        assert report.ok, report.why()
        assert len(report.generations) == 4
        return Ran(tree, report)

    return ahead(request, "version", run)


@pytest.fixture(scope="session")
def unpatched(
    ahead: Ahead[Ran], fresh_tree: Tree, run_wangp: Run, start_image: Path, request: pytest.FixtureRequest
) -> Runs:
    """The video without SVI, then one of a model that has no SVI, in a tree without SVI that no other test uses."""

    def run(version: str) -> Ran:
        tree = fresh_tree(version)
        report = run_wangp(tree, [scenes.video(start_image), scenes.text_to_video(start_image)])
        assert report.ok, report.why()
        return Ran(tree, report)

    return ahead(request, "version", run)
