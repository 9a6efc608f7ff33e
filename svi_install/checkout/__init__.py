"""A person's WanGP folder: where it is and what it is.

In: a path, or nothing. Out: facts (version, kind, branch, profiles that fit, a video's settings), errors in plain words.
Reads only, without git and without importing WanGP.
"""
