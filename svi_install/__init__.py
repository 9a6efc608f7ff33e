"""Adds SVI, endless video, to any WanGP and takes it back byte for byte."""

__version__ = "0.1.0"
