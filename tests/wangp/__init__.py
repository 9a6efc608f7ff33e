"""The real WanGP, run on the CPU with tiny checkpoints; see README.md in this folder."""
