"""One module per command: it asks the other rooms in turn and says what came of it.

In: a checkout or a file, and what the person wants. Out: a frozen `report.result.Result`, or an error.
Nothing here prints, asks or knows how something is done; files change only through `writing` and the other rooms.
"""
