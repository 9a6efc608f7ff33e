"""The command line: words in, one call of a command, its result printed, an exit code out.

In: what a person typed. Out: the exit code. Asks questions where somebody can answer; touches no file itself.
`main` is the one way in and the one end of every error; `app` is what click sees.
"""
