"""Storyboards: from one image and a few lines to a film of any length, one WanGP task per segment.

In: a story, and the person's own WanGP. Out: a film, and the folder beside it from which it can go on.
Touches the film, that folder and, where a quantized model is asked for, WanGP's folders for models; WanGP itself runs
in a process of its own. Each of its rooms uses only those before it: `script`, `archive`, `headless`, `media`, `film`,
`farm`, then `sheet` and `finish`.
"""
