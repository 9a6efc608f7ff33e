"""What a film has so far: results under the address of what went into them, takes, images and a journal.

In: bytes and their addresses. Out: what is there already, whole and unchanged, or that it is not there.
Touches only the folder beside the film; takes over the layout of earlier versions.
"""
