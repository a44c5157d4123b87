"""Full-text search for `serve`: SQLite's FTS5 in a file of its own, brought up to date edition by edition."""

import sqlite3
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reprocensus.records import Edition
from reprocensus.site.search.entries import Entry, Evidence
from reprocensus.site.search.words import count, marked, query_words, snippet

PAGE: Final = 20
#: Weights of a word in the title, an author's name, the venue and the evidence.
_WEIGHTS: Final = (10.0, 6.0, 6.0, 1.0)
#: Snippets shown with one paper.
_SNIPPETS: Final = 2
#: No page begins after so many results: nobody reads them, and a crawler must not ask for them.
LAST: Final = 1000
_SCHEMA: Final = """
CREATE TABLE papers
    (id INTEGER PRIMARY KEY, venue TEXT, year INTEGER, address TEXT, title TEXT, authors TEXT);
CREATE INDEX papers_edition ON papers (venue, year);
CREATE TABLE evidence (paper INTEGER, variable TEXT, label TEXT, page INTEGER, text TEXT);
CREATE INDEX evidence_paper ON evidence (paper);
CREATE VIRTUAL TABLE words USING fts5 (title, authors, edition, evidence,
    tokenize="unicode61 remove_diacritics 2", prefix="2 3 4");
"""

Pieces = list[tuple[str, bool]]


@dataclass(frozen=True, slots=True)
class Snippet:
    """A passage in pieces, those that match marked."""

    variable: str
    label: str
    page: int
    pieces: Pieces


@dataclass(frozen=True, slots=True)
class Hit:
    """One paper found. Title and authors are in pieces, those that match marked."""

    address: str
    title: Pieces
    authors: Pieces
    edition: Edition
    snippets: tuple[Snippet, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """One page of results, and how many there are in all."""

    hits: tuple[Hit, ...]
    total: int
    page: int = 1

    @property
    def first(self) -> int:
        """The number of this page's first result, from 1."""
        return (self.page - 1) * PAGE + 1

    @property
    def pages(self) -> int:
        """Pages that can be asked for."""
        return -(-min(self.total, LAST) // PAGE)


class SearchDatabase:
    """The search index of a store in one SQLite file. Safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        self.path = self._path = path
        self._local = threading.local()
        self._writing = threading.Lock()
        with self._connection() as database:
            database.execute("PRAGMA journal_mode = WAL")
            if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'papers'").fetchone():
                database.executescript(_SCHEMA)

    def replace(self, edition: Edition, entries: Iterable[Entry]) -> None:
        """Puts these papers in the place of those that the edition had."""
        with self._writing, self._connection() as database:
            here = "SELECT id FROM papers WHERE venue = ? AND year = ?"
            key = (edition.venue, edition.year)
            database.execute(f"DELETE FROM words WHERE rowid IN ({here})", key)
            database.execute(f"DELETE FROM evidence WHERE paper IN ({here})", key)
            database.execute("DELETE FROM papers WHERE venue = ? AND year = ?", key)
            for entry in entries:
                _insert(database, entry)

    def editions(self) -> list[Edition]:
        """Editions that can be searched."""
        rows = self._connection().execute("SELECT DISTINCT venue, year FROM papers ORDER BY venue, year")
        return [Edition(*row) for row in rows]

    def search(
        self, query: str, *, venue: str | None = None, year: int | None = None, page: int = 1
    ) -> Found:
        """The papers in which all words of the query stand, the best first; the last may be a beginning."""
        words = query_words(query)
        page = max(1, min(page, LAST // PAGE))
        if not words:
            return Found((), 0)
        where, values = "words MATCH ?", [_match(words)]
        filters: Mapping[str, str | int | None] = {"venue": venue, "year": year}
        for name, value in filters.items():
            if value:
                where += f" AND papers.{name} = ?"
                values.append(str(value))
        database = self._connection()
        source = f"FROM words JOIN papers ON papers.id = words.rowid WHERE {where}"
        total = database.execute(f"SELECT count(*) {source}", values).fetchone()[0]
        order = f"ORDER BY bm25(words, {', '.join(map(str, _WEIGHTS))}), id"
        columns = "id, venue, year, address, papers.title, papers.authors"
        rows = database.execute(
            f"SELECT {columns} {source} {order} LIMIT ? OFFSET ?",
            (*values, PAGE, (page - 1) * PAGE),
        ).fetchall()
        return Found(tuple(self._hit(row, words) for row in rows), total, page)

    def _hit(self, row: tuple[int, str, int, str, str, str], words: list[str]) -> Hit:
        number, venue, year, address, title, authors = row
        passages = self._connection().execute(
            "SELECT variable, label, page, text FROM evidence WHERE paper = ?", (number,)
        )
        best = best_evidence((Evidence(*passage) for passage in passages), words)
        return Hit(
            address,
            marked(title, words),
            marked(authors, words),
            Edition(venue, year),
            tuple(Snippet(e.variable, e.label, e.page, snippet(e.text, words)) for e in best),
        )

    def _connection(self) -> sqlite3.Connection:
        found = getattr(self._local, "connection", None)
        if not isinstance(found, sqlite3.Connection):
            found = self._local.connection = sqlite3.connect(self._path, timeout=30)
        return found


def best_evidence(evidence: Iterable[Evidence], words: list[str]) -> list[Evidence]:
    """The passages with most of the words, at least one."""
    counted = [(count(passage.text, words), passage) for passage in evidence]
    found = sorted((item for item in counted if item[0]), key=lambda item: -item[0])
    return [passage for _, passage in found[:_SNIPPETS]]


def _match(words: list[str]) -> str:
    """The query in FTS5's language; the words are letters and digits alone."""
    return " AND ".join([*(f'"{word}"' for word in words[:-1]), f'"{words[-1]}" *'])


def _insert(database: sqlite3.Connection, entry: Entry) -> None:
    row = (entry.edition.venue, entry.edition.year, entry.address, entry.title, entry.authors)
    number = database.execute(
        "INSERT INTO papers (venue, year, address, title, authors) VALUES (?, ?, ?, ?, ?)", row
    ).lastrowid
    texts = "\n".join(e.text for e in entry.evidence)
    edition = f"{entry.edition.venue} {entry.edition.year}"
    database.execute(
        "INSERT INTO words (rowid, title, authors, edition, evidence) VALUES (?, ?, ?, ?, ?)",
        (number, entry.title, entry.authors, edition, texts),
    )
    database.executemany(
        "INSERT INTO evidence VALUES (?, ?, ?, ?, ?)",
        ((number, e.variable, e.label, e.page, e.text) for e in entry.evidence),
    )
