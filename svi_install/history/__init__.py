"""WanGP's own history: what the patch set makes of every release and commit.

In: a git repository or its address. Out: verdicts, lifetimes, proposals for new diffs.
Reads git objects only; the patch set and every checkout stay as they are.
"""
