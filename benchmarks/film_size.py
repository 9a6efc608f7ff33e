"""What a film takes on the disk, and what `render --lint` says of it before its first clip.

    python benchmarks/film_size.py [VIDEO ...]

Moving pictures of a real size are made (or taken from videos of your own) and compressed as a film's store does it:
each clip once, the frames that it hands on without loss, and the film as a copy of all parts. The estimate knows
nothing but the first picture. Printed are the bytes for each pixel and the ratio of estimate and truth, for one and for
five frames that are handed on.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from svi_install.storyboard.film import budget
from svi_install.storyboard.headless import estimate
from svi_install.storyboard.media import ffmpeg

WIDTH, HEIGHT, FRAMES, CLIPS = 832, 480, 81, 6
PIXELS = WIDTH * HEIGHT
MADE = {
    "a zoom into fine detail": f"mandelbrot=s={WIDTH}x{HEIGHT}:rate=16",
    "shapes and text": f"testsrc2=s={WIDTH}x{HEIGHT}:r=16",
    "a cell automaton": f"life=s={WIDTH // 8}x{HEIGHT // 8}:r=16:seed=7:mold=10:death_color=#203040:life_color=#c0b090",
    "noise": f"color=gray:s={WIDTH}x{HEIGHT}:r=16,noise=alls=100:allf=t:all_seed=7",
}


def compressed(program: Path, source: list[str], folder: Path) -> tuple[estimate.Rates, estimate.Rates] | None:
    """Returns what a clip takes for each pixel, and what its first picture lets expect; None for a short video."""
    raw, picture = folder / "frames.rgb", folder / "first.png"
    cut = f"scale={WIDTH}:{HEIGHT}:force_original_aspect_ratio=increase,crop={WIDTH}:{HEIGHT},fps=16"
    wanted = ["-vf", cut, "-frames:v", str(FRAMES), "-f", "rawvideo", "-pix_fmt", "rgb24", str(raw)]
    subprocess.run([str(program), "-v", "error", "-y", *source, *wanted], check=True)
    frames = raw.stat().st_size // (PIXELS * 3)
    if frames < 17:
        return None
    ffmpeg.encode(program, ffmpeg.Raw(raw, WIDTH, HEIGHT, 0, frames), folder / "segment.mp4")
    pixels = raw.read_bytes()
    last = [pixels[at * PIXELS * 3 : (at + 1) * PIXELS * 3] for at in range(frames - 5, frames)]
    lossless = sum(len(zlib.compress(each, 6)) for each in last) / 5 / PIXELS
    truth = estimate.Rates((folder / "segment.mp4").stat().st_size / frames / PIXELS, lossless, known=True)
    size = f"{WIDTH}x{HEIGHT}"
    first = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-i", "-", "-frames:v", "1", str(picture)]
    subprocess.run([str(program), "-v", "error", "-y", *first], input=pixels[: PIXELS * 3], check=True)
    guess = budget.looked_at(picture, (WIDTH, HEIGHT), program)
    assert guess is not None
    return truth, guess


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="*", type=Path)
    options = parser.parse_args()
    program = Path(shutil.which("ffmpeg") or sys.exit("needs ffmpeg"))
    sources = {name: ["-f", "lavfi", "-i", source] for name, source in MADE.items()}
    sources |= {path.name: ["-i", str(path)] for path in options.videos}
    print(f"{WIDTH}x{HEIGHT}, {FRAMES} frames, films of {CLIPS} clips; bytes for each pixel")
    print(f"{'':<28}{'video':>8}{'lossless':>10}{'MB a clip':>11}   estimate / truth: 1 frame, 5 frames")
    for name, source in sources.items():
        with tempfile.TemporaryDirectory() as folder:
            found = compressed(program, source, Path(folder))
        if found is None:
            print(f"{name:<28} too short")
            continue
        truth, guess = found
        ratios = []
        for motion in (1, 5):
            says, is_ = (
                estimate.disk(CLIPS, CLIPS, FRAMES, PIXELS, motion=motion, rates=rates).finished
                for rates in (guess, truth)
            )
            ratios.append(says / is_)
        megabytes = (FRAMES * truth.video + truth.picture) * PIXELS / 1e6
        print(
            f"{name:<28}{truth.video:>8.3f}{truth.picture:>10.2f}{megabytes:>11.1f}{ratios[0]:>21.2f}{ratios[1]:>9.2f}"
        )


if __name__ == "__main__":
    main()
