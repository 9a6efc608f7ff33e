"""A person's WanGP folder: where it is and what it is.

In: a path, or nothing. Out: facts (version, kind, branch, fitting profiles, a video's settings), or an error.
Reads only, without git and without importing WanGP.
"""
