"""Reads YAML into plain values and remembers the line of each; whatever stands in the file, in bounded time and memory.

Only what JSON has too comes out: text, numbers, true and false, nothing, lists, and mappings from text. PyYAML's events
are read here instead of taking what a loader makes of them: loaders follow every alias and every level of nesting. The
safe one of ruamel.yaml 0.19 was busy for over a minute with a kilobyte of merges and met Python's own limit at 3,000
nested lists.
"""

from __future__ import annotations

import math
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

from .story import usage

Path_ = tuple[str | int, ...]
Lines = Mapping[Path_, int]

SIZE = 256 * 1024
DEPTH = 20
DEEP = f"values are nested more than {DEPTH} levels deep"
# Values and characters with everything that aliases repeat.
VALUES = 20_000
CHARACTERS = 1_000_000
LONGEST = 10_000
DIGITS = 18
_TAG = "tag:yaml.org,2002:"
_WORDS = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}


@dataclass(frozen=True)
class Place:
    """Where something stands in a story: file, line, shot and key.

    Args:
        name: of the file.
        path: keys and list numbers from the top on.
        lines: line of each value, as far as it is known.
    """

    name: str
    path: Path_ = ()
    lines: Lines = field(default_factory=dict)

    def at(self, key: str | int) -> Place:
        """Return the place of a value below this one."""
        return replace(self, path=(*self.path, key))

    def wrong(self, text: str, hint: str = "") -> NoReturn:
        """Say what is wrong here.

        Raises:
            SviError: always.
        """
        raise usage(f"{self}: {text}. Nothing was started.", hint)

    @property
    def line(self) -> int | None:
        """The line on which this stands, or what it is in; None where no line is known."""
        paths = (self.path[:count] for count in range(len(self.path), -1, -1))
        return next((self.lines[path] for path in paths if path in self.lines), None)

    def __str__(self) -> str:
        words = [self.name, *(() if self.line is None else (f"line {self.line}",))]
        for index, key in enumerate(self.path):
            if isinstance(key, int):
                words[-1:] = [f"shot {key + 1}"] if self.path[:index] == ("shots",) else [words[-1], f"entry {key + 1}"]
            else:
                words.append(shown(key, 40).strip("'\""))
        return ", ".join(words)


def shown(value: Any, width: int = 60) -> str:
    """Return a value as it can stand in a message, whatever it is."""
    if isinstance(value, Mapping):
        return "a group of values"
    if isinstance(value, (list, tuple)):
        return "a list"
    text = repr(value[: width + 1] if isinstance(value, str) else value)
    return text if len(text) <= width else f"{text[:width]}..."


def content(path: Path, most: int = SIZE) -> bytes:
    """Return what a file holds.

    Args:
        most: bytes that are read of it at most.

    Raises:
        SviError: it is missing, cannot be read, is too large, or no file but a device or a pipe.
    """
    try:
        # A pipe that nobody writes into must not be waited for.
        if not stat.S_ISREG(path.stat().st_mode):
            raise usage(f"{path} is not a file but a folder, a device or a pipe. Nothing was started.")
        with path.open("rb") as file:
            data = file.read(most + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise usage(f"{path} cannot be read: {why}. Nothing was started.") from error
    if len(data) > most:
        raise usage(f"{path} is larger than {most // 1024} KB, so it is not a story. Nothing was started.")
    return data


def read(path: Path) -> tuple[Any, Lines]:
    """Read a YAML file.

    Returns:
        Its values, and the line of each by its path.

    Raises:
        SviError: it is no YAML, or holds what no story needs; the message names the place.
    """
    return values_of(content(path), path.name)


def values_of(data: bytes, name: str) -> tuple[Any, Lines]:
    """Read YAML; see `read`.

    Args:
        name: what it is, for messages.
    """
    import yaml

    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        at = Place(name, (), {(): data[: error.start].count(b"\n") + 1})
        at.wrong("this is not UTF-8 text; save the file as UTF-8")
    strange = yaml.reader.Reader.NON_PRINTABLE.search(text)
    if strange:
        at = Place(name, (), {(): text[: strange.start()].count("\n") + 1})
        at.wrong(f"the character {strange[0]!r} is not allowed in YAML")
    return _Builder(name).build(text)


@dataclass
class _Open:
    """A list or mapping whose end has not come yet."""

    place: Path_
    values: list[Any]
    anchor: str | None
    mapping: bool
    before: tuple[int, int]
    key: str | None = None
    merged: list[Any] = field(default_factory=list)
    entries: dict[str, Any] = field(default_factory=dict)


class _Builder:
    """Makes values of YAML's events, without recursion."""

    def __init__(self, name: str) -> None:
        import yaml

        self._yaml = yaml
        self._name = name
        self._helper: Any = yaml.SafeLoader("")
        self._lines: dict[Path_, int] = {}
        self._open: list[_Open] = []
        self._anchors: dict[str, tuple[Any, int, int]] = {}
        self._values = self._characters = 0
        self._top: list[Any] = []

    def build(self, text: str) -> tuple[Any, Lines]:
        loader = getattr(self._yaml, "CSafeLoader", self._yaml.SafeLoader)
        line = 1
        try:
            for event in self._yaml.parse(text, Loader=loader):
                line = line if event.start_mark is None else event.start_mark.line + 1
                self._take(event, line)
        except self._yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            problem = f"this is not valid YAML: {error.problem or error.context}"
            # Newer parsers count levels themselves, and some way ahead.
            problem = DEEP if "nesting depth" in problem else problem
            self._wrong(problem, mark.line + 1 if mark else line)
        except self._yaml.YAMLError as error:
            self._wrong(f"this is not valid YAML: {error}", line)
        return (self._top[0] if self._top else None), self._lines

    def _take(self, event: Any, line: int) -> None:
        events = self._yaml.events
        if isinstance(event, events.DocumentStartEvent) and self._top:
            self._wrong("a second document starts here; a story has only one", line)
        if isinstance(event, events.CollectionStartEvent):
            self._begin(event, line)
        elif isinstance(event, events.CollectionEndEvent):
            self._end()
        elif isinstance(event, events.ScalarEvent):
            self._scalar(event, line)
        elif isinstance(event, events.AliasEvent):
            self._alias(event.anchor, line)

    def _begin(self, event: Any, line: int) -> None:
        mapping = isinstance(event, self._yaml.events.MappingStartEvent)
        if event.tag not in (None, "!", _TAG + ("map" if mapping else "seq")):
            self._wrong(f"the tag {shown(event.tag)} is not known here", line)
        if self._open and self._open[-1].mapping and self._open[-1].key is None:
            self._wrong("a name must be text, not a list or a group", line)
        if len(self._open) == DEPTH:
            self._wrong(DEEP, line)
        place = self._place()
        self._lines.setdefault(place, line)
        before = (self._values, self._characters)
        self._count(1, 0, line)
        self._open.append(_Open(place, [], event.anchor, mapping, before))

    def _end(self) -> None:
        done = self._open.pop()
        value: Any = done.values
        if done.mapping:
            value = {}
            for merged in reversed(done.merged):
                value.update(merged)
            value.update(done.entries)
        if done.anchor:
            values, characters = done.before
            self._anchors[done.anchor] = (value, self._values - values, self._characters - characters)
        self._add(value, self._lines[done.place])

    def _scalar(self, event: Any, line: int) -> None:
        tag = event.tag
        if tag in (None, "!"):
            tag = self._helper.resolve(self._yaml.ScalarNode, event.value, event.implicit)
        kind = tag.removeprefix(_TAG)
        frame = self._open[-1] if self._open else None
        if frame is not None and frame.mapping and frame.key is None:
            self._name_of(frame, event, kind, line)
            return
        self._lines.setdefault(self._place(), line)
        value = self._value(kind, event.value, line)
        if event.anchor:
            self._anchors[event.anchor] = (value, 1, len(event.value))
        self._count(1, len(event.value), line)
        self._add(value, line)

    def _name_of(self, frame: _Open, event: Any, kind: str, line: int) -> None:
        if kind == "merge":
            frame.key = "<<"
            return
        if kind != "str":
            self._wrong(
                f"{shown(event.value)} is not a name; a name must be text, in quotation marks if necessary", line
            )
        frame.key = self._text(event.value, line)
        if event.anchor:
            self._anchors[event.anchor] = (frame.key, 1, len(frame.key))
        self._count(1, len(frame.key), line)
        if frame.key in frame.entries:
            self._wrong("this is here twice", line)

    def _alias(self, anchor: str, line: int) -> None:
        if anchor not in self._anchors:
            self._wrong(f"*{shown(anchor).strip(chr(39))} refers to itself or to nothing", line)
        value, values, characters = self._anchors[anchor]
        self._count(values, characters, line)
        frame = self._open[-1] if self._open else None
        if frame is not None and frame.mapping and frame.key is None:
            self._wrong("a name cannot be an alias", line)
        self._lines.setdefault(self._place(), line)
        self._add(value, line)

    def _add(self, value: Any, line: int) -> None:
        if not self._open:
            self._top.append(value)
            return
        frame = self._open[-1]
        if not frame.mapping:
            frame.values.append(value)
            return
        assert frame.key is not None
        if frame.key == "<<":
            groups = value if isinstance(value, list) else [value]
            if not all(isinstance(group, dict) for group in groups):
                self._wrong("only groups of values can be merged", line)
            frame.merged += groups
        else:
            frame.entries[frame.key] = value
        frame.key = None

    def _value(self, kind: str, text: str, line: int) -> Any:
        if kind == "null":
            return None
        if kind == "bool":
            return _WORDS.get(text.lower()) if text.lower() in _WORDS else self._wrong(f"{shown(text)}?", line)
        if kind in ("int", "float"):
            return self._number(kind, text, line)
        if kind == "timestamp":
            self._wrong(f"{text} is a date to YAML; put it in quotation marks", line)
        if kind not in ("str", "value", "merge"):
            self._wrong(f"the tag {shown(kind)} is not known here", line)
        return self._text(text, line)

    def _number(self, kind: str, text: str, line: int) -> Any:
        if len(text) > DIGITS:
            self._wrong(f"the number {shown(text, 24)} has more than {DIGITS} digits", line)
        node = self._yaml.ScalarNode(_TAG + kind, text)
        try:
            number = self._helper.construct_yaml_int(node) if kind == "int" else self._helper.construct_yaml_float(node)
        except (ValueError, IndexError, OverflowError):
            self._wrong(f"{shown(text)} is not a number", line)
        if not math.isfinite(number):
            self._wrong(f"{text} is not a usable number", line)
        return number

    def _text(self, text: str, line: int) -> str:
        if len(text) > LONGEST:
            self._wrong(f"this text is longer than {LONGEST} characters", line)
        if not is_text(text):
            self._wrong("it contains a character that is not text", line)
        return text

    def _count(self, values: int, characters: int, line: int) -> None:
        self._values += values
        self._characters += characters
        if self._values > VALUES or self._characters > CHARACTERS:
            self._wrong("the story becomes too large here, counting everything that its aliases repeat", line)

    def _place(self) -> Path_:
        if not self._open:
            return ()
        frame = self._open[-1]
        return (*frame.place, (frame.key or "") if frame.mapping else len(frame.values))

    def _wrong(self, text: str, line: int) -> NoReturn:
        place = self._place()
        place = place[:-1] if place and place[-1] == "" else place
        Place(self._name, place, {place: line}).wrong(text)


def is_text(text: str) -> bool:
    """Tell whether text can be written anywhere: no half of a pair of code units, and no end of a C string."""
    return "\0" not in text and not any("\ud800" <= sign <= "\udfff" for sign in text)
