"""What the documents' command lines about the plugin lead to."""

from __future__ import annotations

from collections.abc import Callable

from svi_install.runtime import png
from svi_install.storyboard.script.variants import variant_of
from tests import miniature
from tests.loras.conftest import lora_bytes
from tests.person import Person, run
from tests.storyboard import standin


def plugs_in(person: Person, line: str) -> None:
    with (miniature.write(person.wangp) / "wgp.py").open("a") as wgp:
        wgp.write("# discover_plugin_model_extensions\n")
    (person.wangp / "wgp_config.json").write_text('{"enabled_plugins": []}', "utf-8")
    assert "as the plugin wan2gp-endless" in run(person, line)


def builds(person: Person, line: str) -> None:
    assert "The plugin is in" in run(person, line)
    assert (person.folder / "wan2gp-endless/plugin_info.json").is_file()


def goes_on_with_its_film(person: Person, line: str) -> None:
    root = standin.make(person.wangp)
    png.write(person.folder / "start.png", png.Picture(64, 32, bytes(64 * 32 * 3)))
    (person.folder / "outputs").mkdir()
    for name in variant_of("2.0").settings["activated_loras"]:
        (root / "loras" / "wan_i2v" / name.rsplit("/", 1)[-1]).write_bytes(lora_bytes())
    run(person, line)
    assert (person.folder / "outputs/start-film.mp4").is_file()


RUN: dict[str, Callable[[Person, str], None]] = {
    "svi-install install --plugin /path/to/WanGP": plugs_in,
    "svi-install plugin wan2gp-endless": builds,
    'svi-install render start.png "a boat | a bridge" -o outputs/start-film.mp4': goes_on_with_its_film,
}
NOT_RUN = {
    "python .github/publish_plugin.py wan2gp-endless REMOTE": "tests/plugin/test_build.py runs it, twice",
    "python benchmarks/plugin_start.py GIT": "WanGP's history",
}
