"""The version of the runtime: the one of the svi-install that put it here."""

__version__ = "0.1.0"
