"""Decides what an install or a revert would change: pure functions of bytes.

In: the patch set, the bytes of WanGP's files, the receipt. Out: places of the hooks, a plan, a state, or a refusal.
Writes nothing; what it has to know of the disk it asks through a protocol that the tests answer from memory.
"""
