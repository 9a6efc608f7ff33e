"""The lines of the documents that end a film on an image: each is run, and what came of it looked at."""

from __future__ import annotations

from svi_install.runtime import png
from svi_install.storyboard.script.variants import variant_of
from tests.loras.conftest import lora_bytes
from tests.person import Person, run

from . import standin

ENDS = (
    'svi-install render start.png "she walks | she sits down" --variant wan22 --end goal.png',
    'svi-install render start.png "she turns | she turns on" --variant wan22 --loop',
)


def ends_on_an_image(person: Person, line: str) -> None:
    root = standin.make(person.wangp)
    for name in ("start", "goal"):
        png.write(person.folder / f"{name}.png", png.Picture(64, 32, bytes(64 * 32 * 3)))
    for name in variant_of("wan22").settings["activated_loras"]:
        (root / "loras" / "wan" / name.rsplit("/", 1)[-1]).write_bytes(lora_bytes())
    run(person, line)
    assert (person.folder / "start-film.mp4").is_file()
    assert ["image_end" in task for task in standin.asked(person.wangp)] == [False, True]
