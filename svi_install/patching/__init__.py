"""Decides what an install or a revert would change.

In: the patch set in `patches/`, the bytes of WanGP's files, the receipt. Out: the places of the hooks, a plan, a
state, or a refusal that says where and why. Writes nothing. `reader` and `state` are the two modules that look at a
checkout; everything else is a function of bytes. What to write is a `Plan` of the writing room.
"""
