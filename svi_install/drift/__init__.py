"""What a long video loses, clip by clip: numbers per frame, seams, trends, and a verdict in words.

In: a video file, where its clips begin when that is known, a reference picture. Out: a `report.Report`, plain values.
Touches nothing but the file it reads. PyAV, numpy, scipy and scikit-image are an optional extra and imported late:
`needs.check` says what to do where they are missing.
"""
