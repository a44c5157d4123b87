"""Search over titles, authors, venues and evidence.

`serve` asks a SQLite database (`database`). A static site has no server to ask, so `static_index` writes
files of which a script fetches the few that a query needs. Both fold words alike (`words`) and rank alike: a
word in the title counts most, then one in an author's name, then one in the evidence.
"""
