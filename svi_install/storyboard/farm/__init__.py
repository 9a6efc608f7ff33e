"""Films on several cards and several machines: Dask hands out the clips, each worker keeps a WanGP of its own loaded.

In: a film, and workers (`svi-install worker`, or one for each card of this computer). Out: the film's archive without a
missing clip, bit for bit as one card makes it. Touches the archive here, and on a worker a folder of its own. Dask is
imported by nothing but `cluster`, `filming`, `serve` and `needs`, and only when a person asks for several cards.
"""
