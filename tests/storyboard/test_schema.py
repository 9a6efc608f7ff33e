"""The schema for editors says of a story file what the reader says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from svi_install.cli import main
from svi_install.errors import SviError
from svi_install.storyboard.script import schema, yamlfile
from tests.documented import FENCE, ROOT

SHIPPED = json.loads(schema.FILE.read_text("utf-8"))
VALID = jsonschema.Draft202012Validator(SHIPPED)
ODD = (
    None,
    "",
    " ",
    "x",
    "5",
    0,
    1,
    5,
    9,
    30,
    2.5,
    -1,
    10**9,
    True,
    False,
    [],
    ["x"],
    [3],
    [{"x": 1}],
    [{}],
    {},
    {"x": 1},
)
MORE = (
    [1, 2],
    [0],
    [None],
    [{"x": True}],
    [{"x": "1;0"}],
    {"activated_loras": ["x"]},
    {"activated_loras": [1]},
    "2.0",
    "1080p",
)
VALUES = st.sampled_from([*ODD, *MORE])
BOTH = (*yamlfile.STORY_KEYS, *yamlfile.BOTH_KEYS, "prompt", "lenght")


def group(*names: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(names), VALUES, max_size=2)


SHOTS = st.lists(
    st.one_of(
        VALUES,
        st.builds(lambda more: {"prompt": "she walks", **more}, group(*yamlfile.SHOT_KEYS, "lenght")),
    ),
    min_size=0,
    max_size=2,
)
STORIES = st.builds(
    lambda defaults, shots, more: {"image": "start.png", "shots": shots, "defaults": defaults, **more},
    st.one_of(group(*BOTH), VALUES),
    st.one_of(SHOTS, st.sampled_from(["walks | runs", "", None, 3, {}])),
    group("image", "title", *yamlfile.TOP),
)


def is_story(data: Any, folder: Path) -> bool:
    try:
        yamlfile.parse(data, folder)
    except SviError:
        return False
    return True


@settings(max_examples=400, deadline=None)
@given(data=STORIES)
def test_schema_and_reader_agree(data: Any) -> None:
    # What scales mean, only the reader knows.
    scale = (data.get("defaults") or {}).get("scale") if isinstance(data.get("defaults"), dict) else None
    if scale is None:
        assert VALID.is_valid(data) == is_story(data, Path()), data


def test_it_is_made_of_what_the_reader_knows() -> None:
    assert schema.schema() == SHIPPED, "python -m svi_install.storyboard.schema"
    jsonschema.Draft202012Validator.check_schema(SHIPPED)


@pytest.mark.parametrize("page", ["docs/films.md", "README.md"])
def test_stories_of_the_documents(page: str) -> None:
    stories = [text for kind, text in FENCE.findall((ROOT / page).read_text("utf-8")) if kind == "yaml"]
    for text in stories:
        assert [error.message for error in VALID.iter_errors(yaml.safe_load(text))] == []
    assert stories or page != "docs/films.md"


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["render", "--schema"]) == 0
    assert json.loads(capsys.readouterr().out) == SHIPPED


def test_every_key_says_what_it_is() -> None:
    groups = (
        SHIPPED["properties"]["defaults"],
        SHIPPED["properties"]["shots"]["anyOf"][1]["items"]["anyOf"][1],
        SHIPPED,
    )
    for each in groups:
        assert all(re.search(r"\w+.*\.$", value["description"]) for value in each["properties"].values())
