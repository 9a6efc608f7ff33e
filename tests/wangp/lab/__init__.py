"""Runs the real WanGP on the CPU with tiny checkpoints. Standard library only, so that any Python can drive it."""
