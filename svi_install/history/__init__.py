"""WanGP's own history: what the patch set makes of every release and commit.

In: a git repository or its address. Out: verdicts, lifetimes, proposals for new diffs, the list of published contents.
Reads git's objects and keeps clones in a cache of its own; no checkout is touched, and the patch set stays as it is
but for that list, which a maintainer makes anew. `gitcall` is the one place that opens a repository, `update` included.
"""
