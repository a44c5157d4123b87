"""Benchmarks: what extraction costs and what its text is worth, measured beside MuPDF and other extractors.

`extraction.measure` puts the parts together: `papers` chooses PDFs, `speed` takes CPU time, `pools` watches
worker processes, `quality` looks at the text, `planted` asks a scoring script. `baseline` and `peers` are
what it is compared with; nothing of the product imports them.

`correction` asks whether the intervals of corrected shares hold what they say.
"""
