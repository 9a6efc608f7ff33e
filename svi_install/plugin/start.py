"""Turns SVI on in a WanGP that starts: whether, when, and what is said about it. An error never leaves here.

WanGP asks each plugin of models for its models while `wgp.py` is still being executed. Then the plugin waits for a call
that WanGP makes in every way of working, when all of its functions exist: it looks for ffmpeg before it opens its page,
runs a queue or serves its API. Should a release stop doing so, the first question to a model's handler will do.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any, Literal, NamedTuple

from .. import __version__
from ..package_data import MARKER, RUNTIME_FOLDER
from . import code, placed, profiles

Namespace = MutableMapping[str, Any]

SWITCH = "SVI_WANGP"
OFF_FILE = "off"
MODULES = {
    "models/wan/any2video.py": "models.wan.any2video",
    "models/wan/modules/model.py": "models.wan.modules.model",
}
HANDLER = "models.wan.wan_handler"
# In the order in which WanGP calls them.
MOMENTS = ("download_ffmpeg",)
QUESTIONS = ("fix_settings", "update_default_settings", "validate_generative_settings")
SAFE_MODE = "WanGP started in safe mode"
ASIDE = "the plugin steps aside"
REMEDY = "look at the SVI tab"
_DEFINITION = re.compile(rb"^def (\w+)", re.MULTILINE)


class Status(NamedTuple):
    """How things stand: ``waiting`` until WanGP is complete; ``why`` says what keeps SVI off."""

    state: Literal["waiting", "on", "off"]
    why: str
    wangp: str


class Plugin:
    """The plugin in one WanGP process.

    Attributes:
        home: the plugin's folder.
        root: WanGP's folder, as soon as it is known.
        status: how things stand.
        lost: the first file of WanGP whose functions could not be hooked any more, None when all were.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.root = Path()
        self.status = Status("waiting", "", "")
        self._codes: dict[str, tuple[code.Exchange, ...]] = {}
        self._namespaces: list[Namespace] = []
        self._ready: list[Namespace] = []
        self._last = ""
        self.lost: str | None = None
        self._pending = dict(MODULES)
        self._lock = threading.RLock()
        self._runtime: ModuleType | None = None

    def meet(self, namespace: Namespace) -> None:
        """Get to know WanGP's globals, which may not be complete yet; each copy of wgp.py comes by itself."""
        with self._lock, self._safely():
            if self.status.state == "off" or any(each is namespace for each in self._namespaces):
                return
            self._namespaces.append(namespace)
            if not self._codes:
                self._prepare(namespace)
            profiles.show(namespace, self.home, self._architectures())
            for name in MOMENTS:
                if callable(namespace.get(name)):
                    namespace[name] = self._first(namespace[name], self.ready)
            self._ask(sys.modules.get(HANDLER))

    def ready(self) -> None:
        """Put the hooks into every WanGP whose functions all exist by now."""
        with self._lock, self._safely():
            for namespace in self._namespaces:
                if self._last in namespace and not any(each is namespace for each in self._ready):
                    self._ready.append(namespace)
                    self._turn_on(namespace)

    def _prepare(self, namespace: Namespace) -> None:
        self.root = Path(namespace["__file__"]).resolve().parent
        files = placed.read(self.root)
        self.status = Status("waiting", "", placed.version(files["wgp.py"]))
        reason = switched_off(self.home)
        if reason:
            raise code.CodeError(reason)
        if any(MARKER.encode() in data for data in files.values()):
            raise code.CodeError(f"{ASIDE}: svi-install has put its hooks into WanGP's files already")
        self._last = _DEFINITION.findall(files["wgp.py"])[-1].decode()
        self._codes = placed.codes(self.home, files)
        self._runtime = _load_runtime(self.home)

    def _architectures(self) -> tuple[str, ...]:
        return tuple(self._runtime.options.ARCHITECTURES) if self._runtime else ()

    def _turn_on(self, namespace: Namespace) -> None:
        if self.status.state == "off":
            return
        if namespace.get("SAFE_MODE"):
            raise code.CodeError(SAFE_MODE)
        assert self._runtime is not None
        code.swap(namespace, self._codes["wgp.py"])
        for path, name in MODULES.items():
            if name in sys.modules:
                self._hook(path)
        self._runtime.home.move(self._runtime.home.Home(lambda: self.lost, REMEDY))
        namespace[RUNTIME_FOLDER] = self._runtime
        try:
            self._runtime.install(namespace)
        except BaseException:
            # Without the runtime's name the hooks do nothing.
            del namespace[RUNTIME_FOLDER]
            raise
        if self.status.state == "waiting":
            self.status = self.status._replace(state="on")
            say(f"ready: the plugin {__version__} has put its hooks into WanGP {self.status.wangp}, in memory")

    def _hook(self, path: str) -> None:
        """Exchange the code of a module's functions, once it is imported."""
        name = self._pending.pop(path, None)
        if name is None:
            return
        try:
            code.swap(vars(importlib.import_module(name)), self._codes[path])
        except code.CodeError:
            self.lost = path
            raise

    def before_model(self) -> None:
        """WanGP is about to load a model: the modules that it will use are hooked first."""
        with self._lock, self._safely():
            if self.status.state == "on":
                for path in MODULES:
                    self._hook(path)

    def _ask(self, module: Any) -> None:
        """Be told of the questions that WanGP puts to the handler of the Wan models."""
        handler = getattr(module, "family_handler", None)
        for name, told in (*((name, self.ready) for name in QUESTIONS), ("load_model", self.before_model)):
            function = getattr(handler, name, None)
            if callable(function) and not hasattr(function, "svi_told"):
                setattr(handler, name, staticmethod(self._first(function, told)))

    def _first(self, function: Callable[..., Any], told: Callable[[], None]) -> Callable[..., Any]:
        @functools.wraps(function)
        def after_telling(*args: Any, **kwargs: Any) -> Any:
            told()
            return function(*args, **kwargs)

        after_telling.svi_told = True  # type: ignore[attr-defined]
        return after_telling

    @contextmanager
    def _safely(self) -> Iterator[None]:
        try:
            yield
        except (Exception, SystemExit) as error:  # noqa: BLE001  (WanGP must start and generate)
            named = isinstance(error, code.CodeError) or hasattr(error, "hint")
            self.leave(str(error) if named else f"{type(error).__name__}: {error}")

    def leave(self, why: str) -> None:
        """Stay out of WanGP from now on, and say why in one line."""
        why = " ".join(why.split())
        if self.status.state == "off":
            return
        self.status = self.status._replace(state="off", why=why)
        for namespace in self._namespaces:
            profiles.hide(namespace, self.home)
        say(f"off: {why}")


def switched_off(home: Path) -> str:
    """Return who has switched the plugin off, empty when it is on."""
    if os.environ.get(SWITCH, "").strip().lower() in ("off", "0", "no", "false"):
        return f"{SWITCH} is set to {os.environ[SWITCH]}"
    if (home / OFF_FILE).exists():
        return f"there is a file {OFF_FILE} in {home}"
    return ""


def _load_runtime(home: Path) -> ModuleType:
    """Import the runtime under the name that the hooks call it by."""
    for name in [name for name in sys.modules if name.split(".")[0] == RUNTIME_FOLDER]:
        del sys.modules[name]
    folder = home / "svi_install" / "runtime"
    spec = importlib.util.spec_from_file_location(
        RUNTIME_FOLDER, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[RUNTIME_FOLDER] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        for name in [name for name in sys.modules if name.split(".")[0] == RUNTIME_FOLDER]:
            del sys.modules[name]
        raise
    return module


def say(message: str) -> None:
    """Print one line on WanGP's console; a console that lacks a character gets a question mark for it."""
    line = f"[SVI Mode] {message}"
    try:
        print(line, flush=True)
    except UnicodeEncodeError:
        print(line.encode("ascii", "replace").decode("ascii"), flush=True)
    except (OSError, ValueError):
        pass  # nobody listens


def wangp_above() -> Namespace | None:
    """Return the globals of the wgp.py that has called, None when nobody of WanGP has."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and "WanGP_version" not in frame.f_globals:
        frame = frame.f_back
    return frame.f_globals if frame is not None else None


_plugin: list[Plugin] = []


def plugin(home: Path) -> Plugin:
    """Return the plugin of this process."""
    if not _plugin:
        _plugin.append(Plugin(home))
    return _plugin[0]
