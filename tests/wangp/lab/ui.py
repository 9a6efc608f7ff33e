"""Starts the real user interface of a WanGP tree on a free loopback port and works it with headless chromium."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import tools
from .browser import Browser, free_port, process, wait_for

FAMILY, MODEL, VARIANT, PROFILE = range(4)  # the menus, from the left and the top
ESCAPE = "\ue00c"

FORM = """
const values = {};
for (const e of document.querySelectorAll('input, textarea')) {
  if (e.type === 'file' || (e.type === 'radio' && !e.checked)) continue;
  const block = e.closest('.block');
  const info = block && block.querySelector('[data-testid="block-info"], [data-testid="block-label"]');
  const own = e.type === 'checkbox' && e.closest('label');
  let name = ((own && own.innerText) || (info && info.innerText) || e.getAttribute('aria-label') || e.placeholder || '')
    .trim().slice(0, 80);
  if (!name) continue;
  let value = e.type === 'checkbox' ? e.checked : e.value;
  if (e.getAttribute('role') === 'listbox' && block)
    value = [...block.querySelectorAll('.token')].map(t => t.innerText.trim()).concat(value || []).join(' | ');
  if (e.type === 'range') name += ' (slider)';
  if (!e.offsetParent) name += ' (not visible)';
  for (let n = 2, base = name; name in values; n++) name = base + ' #' + n;
  values[name] = value;
}
return values;"""
SHOWN_MENUS = "[...document.querySelectorAll('input[role=listbox]')].filter(e => e.offsetParent)"
OPTIONS = "[...document.querySelectorAll('ul[role=listbox] li')]"
LABEL = "(e.getAttribute('aria-label') || e.innerText.trim())"
TOASTS = "return [...document.querySelectorAll('.toast-text, .toast-body')].map(e => e.innerText.trim())"
UPLOAD = """return [...document.querySelectorAll('input[type=file]')].find(e => {
  const block = e.closest('.block');
  return block && block.innerText.trim().startsWith(arguments[0]);
}) || null"""
BUTTON = """return [...document.querySelectorAll('button')]
  .filter(e => e.offsetParent && e.innerText.trim() === arguments[0]).at(arguments[1] || 0) || null"""
TICK = """return [...document.querySelectorAll('input[type=checkbox]')].find(e =>
  e.offsetParent && e.closest('label') && e.closest('label').innerText.trim() === arguments[0]) || null"""
FIELD = """
for (const e of document.querySelectorAll('input, textarea')) {
  const block = e.closest('.block');
  const info = block && block.querySelector('[data-testid="block-info"], [data-testid="block-label"]');
  if (e.offsetParent && info && info.innerText.trim().startsWith(arguments[0])) return e;
}
return null;"""


@dataclass(frozen=True)
class Page:
    """The form of a running WanGP."""

    browser: Browser
    log: Path

    @property
    def console(self) -> list[str]:
        return tools.console_lines(self.log)

    @property
    def events(self) -> list[dict[str, Any]]:
        """What recorder.py wrote so far."""
        file = self.log.with_name("calls.jsonl")
        return [json.loads(line) for line in file.read_text("utf-8").splitlines()] if file.exists() else []

    def settled(self, quiet: float = 1.5, timeout: float = 60) -> dict[str, Any]:
        """Waits until nothing in the form has changed for a while, and returns its values by label."""
        form, since, end = self.browser.script(FORM), time.monotonic(), time.monotonic() + timeout
        while time.monotonic() - since < quiet and time.monotonic() < end:
            time.sleep(0.3)
            now = self.browser.script(FORM)
            if now != form:
                form, since = now, time.monotonic()
        return form

    def visible(self) -> dict[str, Any]:
        """The values that a person sees."""
        return {name: value for name, value in self.settled().items() if "(not visible)" not in name}

    def menus(self) -> list[str]:
        """What the menus for family, model, variant and profile show."""
        return self.browser.script(f"return {SHOWN_MENUS}.slice(0, 4).map(e => e.value)")

    def choose(self, menu: int, name: str | None = None) -> list[str]:
        """Opens a menu and returns its options; chooses the one called name."""
        element = self.browser.script(f"return {SHOWN_MENUS}[arguments[0]] || null", menu)
        if element is None:
            raise RuntimeError(f"the page shows no menu number {menu + 1}")
        return self.choose_in(element, name)

    def choose_in(self, element: dict[str, str], name: str | None = None) -> list[str]:
        self.browser.script("document.activeElement && document.activeElement.blur()")  # opens when it gets the focus
        time.sleep(0.3)
        self.browser.click(element)
        labels = self.browser.until(
            lambda: self.browser.script(f"return {OPTIONS}.map(e => {LABEL})"), 10, "the options of a menu"
        )
        # Labels begin with a coloured mark that tells whether the files are there.
        plain = [re.sub(r"^[^\w(\[]+", "", label) for label in labels]
        if name is None:
            self.browser.press(ESCAPE)
            return plain
        found = [i for i, label in enumerate(plain) if label == name]
        found = found or [i for i, label in enumerate(plain) if label.startswith(name)]
        if not found:
            self.browser.press(ESCAPE)
            raise RuntimeError(f"no option {name!r} in {labels}")
        self.browser.click(self.browser.script(f"return {OPTIONS}[arguments[0]]", found[0]))
        return plain

    def model(self, family: str, model: str, variant: str | None = None) -> None:
        """Chooses a model as a person does."""
        for menu, name in ((FAMILY, family), (MODEL, model), (VARIANT, variant)):
            if name is not None:
                self.choose(menu, name)
                self.settled()

    def press(self, button: str, which: int = 0) -> None:
        """Presses the button with that text, of several the one at that place, -1 the last."""
        found = self.browser.until(lambda: self.browser.script(BUTTON, button, which), 20, f"the button {button}")
        self.browser.click(found)

    def tick(self, label: str) -> None:
        """Ticks the box with that text; it may be ticked already."""
        box = self.browser.until(lambda: self.browser.script(TICK, label), 20, f"the box {label}")
        if not self.browser.script("return arguments[0].checked", box):
            self.browser.click(box)
        self.settled()

    def has_button(self, button: str) -> bool:
        return self.browser.script(BUTTON, button) is not None

    def field(self, label: str) -> dict[str, str] | None:
        """The visible field whose label begins so."""
        return self.browser.script(FIELD, label)

    def rewrite(self, label: str, text: str) -> None:
        """Writes over what stands in the visible field whose label begins so."""
        element = self.browser.until(lambda: self.field(label), 20, f"the field {label}")
        self.browser.clear(element)
        self.browser.write(element, text)

    def upload(self, label: str, *files: Path) -> None:
        """Gives files to the field whose label begins so, be it shown or not."""
        element = self.browser.script(UPLOAD, label)
        if element is None:
            raise RuntimeError(f"no field for a file begins with {label!r}")
        self.browser.write(element, "\n".join(map(str, files)))
        time.sleep(1)
        self.settled()

    def apply(self, profile: str) -> list[str]:
        """Chooses a profile and applies it; returns the messages that WanGP shows."""
        self.choose(PROFILE, profile)
        self.settled()
        self.press("Apply")
        time.sleep(1)
        messages = self.messages()
        self.settled()
        return messages

    def messages(self) -> list[str]:
        return sorted(set(self.browser.script(TOASTS)))

    def close_messages(self) -> None:
        """Closes all toasts."""
        self.browser.script("document.querySelectorAll('.toast-close').forEach(e => e.click())")
        self.settled()

    def says(self, part: str, timeout: float = 60) -> str:
        """Waits for a line on WanGP's console and returns it."""
        return self.browser.until(
            lambda: next((line for line in self.console if part in line), None), timeout, f"{part!r} on the console"
        )


@contextlib.contextmanager
def form(
    tree: Path, environment: Path, programs: tuple[str, str], work: Path, timeout: float = 240, **variables: str
) -> Iterator[Page]:
    """Starts WanGP and opens its form.

    Args:
        tree: a WanGP tree.
        environment: the laboratory's virtual environment.
        programs: chromium and chromedriver.
        work: folder for logs, videos and the browser's own files.
        timeout: seconds that WanGP may take to start.
        variables: further ones of WanGP's environment.
    """
    tools.prepare(tree, environment)
    tools.configure(tree, save_path=str(work / "outputs"), image_save_path=str(work / "outputs"))
    port, driver_port, log = free_port(), free_port(), work / "server.log"
    env = tools.variables(tree, environment, TINY=1, CALLS=work / "calls.jsonl") | variables
    command = [str(tools.python_of(environment)), "wgp.py", "--server-port", str(port), "--server-name", "127.0.0.1"]
    driver_command = [programs[1], f"--port={driver_port}"]
    with (
        process([*command, "--advanced"], log, tree, env) as server,
        process(driver_command, work / "driver.log") as driver,
    ):
        wait_for(f"http://127.0.0.1:{driver_port}/status", driver, work / "driver.log", 30)
        wait_for(f"http://127.0.0.1:{port}/", server, log, timeout)
        browser = Browser(f"http://127.0.0.1:{driver_port}", programs[0], work / "browser")
        page = Page(browser, log)
        try:
            browser.open(f"http://127.0.0.1:{port}/")
            browser.until(page.menus, 60, "the form")
            page.settled()
            yield page
        finally:
            browser.close()
