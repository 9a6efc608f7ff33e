"""Frames, packets and sound: the only room that calls ffmpeg.

In: videos, frames, music. Out: the same, compressed once, joined without loss, with frames in between.
Touches the files that it is told to write.
"""
