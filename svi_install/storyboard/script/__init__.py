"""What a person wrote: a story file or plain prompts, read into shots and counted into segments.

In: text, and where it came from. Out: a story, its segments and how long the film becomes, or an error with its line.
Touches nothing. Knows no WanGP, no folder and no ffmpeg.
"""
