"""The census as web pages: static files (`build`) or on demand (`serve`), from the same templates.

`urls` says where a page is and reads it back from an address; `pages` knows each kind of page and how it is
made; `corpus` reads the store; `safe` keeps what papers and venues say from doing harm.
"""
