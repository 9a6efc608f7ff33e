"""The only room that changes a checkout: a plan is carried out completely or not at all.

In: a plan. Out: changed files, a receipt, and after a crash the files as they were. Touches the checkout, the person's
own LoRA folders and the notes about those; every call that changes a file is in `files`.
"""
