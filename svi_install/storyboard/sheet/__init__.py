"""What can be looked at while a film grows: a page and a picture of its clips, takes and seams, side by side.

In: a film and its archive. Out: `film.html`, `film.png` and the stills that they show.
Touches these files in the film's folder, nothing else.
"""
