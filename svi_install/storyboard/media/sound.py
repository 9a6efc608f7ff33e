"""Music for a film: cut or repeated to the film's length, faded in and out, exact to the sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import SviError
from ..archive.store import regular
from ..script.story import usage
from . import ffmpeg

RATE = 48_000
# AAC begins with a packet of what was before the beginning. A file without an edit list plays it, so the sound begins
# that much later in the music, and everything behind it is in its place.
PACKET = 1024
FADE_IN, FADE_OUT = 1.0, 2.0


@dataclass(frozen=True)
class Sound:
    """Sound that goes into a video as it is.

    Args:
        path: AAC packets.
        samples: how long it is to be.
    """

    path: Path
    samples: int

    def options(self) -> Sequence[str]:
        """Options for ffmpeg: the last packet lasts only as long as the film."""
        last, rest = divmod(self.samples - 1, PACKET)
        return ("-c:a", "copy", "-bsf:a", f"setts=duration='if(lt(N,{last}),DURATION,DURATION*{rest + 1}/{PACKET})'")


def check(music: Path) -> None:
    """Make sure that a file can be read.

    Raises:
        SviError: it cannot.
    """
    if not regular(music):
        raise usage(f"The music {music} cannot be read, or it is not a file. Nothing was started.", "--audio music.mp3")


def make(program: Path, music: Path, frames: int, rate: int, target: Path, *, own: bool = False) -> Sound:
    """Bring music to the length of a film.

    Args:
        frames: of the film.
        rate: frames a second.
        target: the file to be, replaced when it exists.
        own: it is the sound of the film itself, which is neither repeated nor faded.

    Raises:
        SviError: there is no sound in it, or ffmpeg failed.
    """
    samples = -(-frames * RATE // rate)
    seconds = samples / RATE
    # In a short film the music would otherwise fade out before it is there.
    fade_in, fade_out = min(FADE_IN, seconds / 4), min(FADE_OUT, seconds / 4)
    steps = [
        f"aresample={RATE}",
        "aformat=sample_fmts=fltp:channel_layouts=stereo",
        # Where sound begins later than the picture, there is silence before it.
        "aresample=async=1:first_pts=0" if own else "asetpts=N/SR/TB",
        "apad",
        f"atrim=end_sample={samples}",
        *([] if own else [f"afade=t=in:d={fade_in:.6f}"]),
        *([] if own else [f"afade=t=out:st={seconds - fade_out:.6f}:d={fade_out:.6f}"]),
        f"atrim=start_sample={PACKET}",
        "asetpts=N/SR/TB",
    ]
    coded = ("-c:a", "aac", "-b:a", "192k", "-ar", str(RATE), "-ac", "2", "-f", "adts", "-map_metadata", "-1")
    try:
        ffmpeg.write(
            program,
            (*(() if own else ("-stream_loop", "-1")), "-i", str(music)),
            ("-af", ",".join(steps), *coded),
            target,
            maps=("0:a:0",),
        )
    except SviError as error:
        raise SviError(
            "no-sound",
            f"The music {music} cannot be used: {error.message}",
            "Choose a file that plays, such as an MP3, WAV or M4A.",
        ) from error
    return Sound(target, samples)
