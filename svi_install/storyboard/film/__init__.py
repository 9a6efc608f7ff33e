"""One film: which clips it lacks, making them, choosing between their takes.

In: a story and the film's archive. Out: an archive in which no clip is missing, and what was decided on the way.
Touches the archive, and WanGP through `headless`.
"""
