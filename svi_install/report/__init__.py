"""The only printer: what a command returned becomes a table, plain lines, a page or one JSON object.

In: a `result.Result` or an error, and how to print. Out: text on a stream, or a page of HTML as text.
Touches nothing but the streams that it is given, and never decides what happened.
"""
