"""Fetches a paper's PDF into the store, once by content.

`client` is the HTTP client of everything that comes from the network; `limits`, `robots`, `waits` and
`addresses` are what it keeps to. `fetcher` gets papers, `files` reads local ones, `checks` says whether what
came is a PDF, `landing` finds the PDF that a paper's page links to.
"""
