"""A person's WanGP without its form: what it is, what fits its computer, one task after another in its own Python.

In: tasks and a WanGP. Out: the videos of the tasks as they are done, what they will cost, what went wrong in words.
Touches WanGP's folders for models where a quantized one is asked for; WanGP runs in a process of its own.
"""
