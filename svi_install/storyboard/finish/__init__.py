"""From finished clips to files that a person watches: the preview, the film under its name, the file to publish.

In: a film that lacks no clip. Out: one video, whole or not there.
Touches the film's own name, or the person's one for the file to publish; never a file that render did not make.
"""
