"""One file over the network: whole and proven, or resumable and refused.

In: an address, what proves the file, a place for it. Out: the file, or an error in plain words; bytes per second.
Touches that place and what stands beside it while the file comes. Of the room it uses the catalogue and the proof.
"""
