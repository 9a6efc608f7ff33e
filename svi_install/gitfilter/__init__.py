"""Updates of WanGP and SVI leave each other alone: a filter of git's takes the hooks out and puts them in.

In: a checkout with git, or the text that git hands over. Out: further changes of a plan, the text with hooks, what an
update will do. Writes nothing by itself but git's index, which it asks to look at three files again.
"""
