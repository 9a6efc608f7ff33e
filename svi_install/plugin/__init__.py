"""SVI as a plugin of WanGP: the same hooks, put into the functions in memory, and a tab that makes films.

In: a WanGP that has loaded the plugin; for the builder, this package. Out: hooked functions and one more tab on WanGP's
page; for the builder, the files of the plugin. No file of WanGP is written; what the plugin remembers lies in its own
folder, and a film in a folder beside it. Inside WanGP it uses torch, gradio and the standard library; only Drift needs
more, which WanGP's own requirements bring. No error of ours ever leaves this room.
"""
