from __future__ import annotations

from tests.storyboard.conftest import ffmpeg_program

__all__ = ["ffmpeg_program"]
